import math
from dataclasses import replace
from statistics import fmean

import pytest
import torch

from t2t.config.run import OptimizerSettings, ScheduleSettings
from t2t.engine.optimizer import SMALLEST_RMS, RoleScaledAdamW
from t2t.engine.schedule import factor, progress
from t2t.model.backbone import build_from_scratch

SPEC = {"d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4}
SETTINGS = OptimizerSettings(learning_rate=0.02)
SCHEDULE = ScheduleSettings(warmup=10, steps=100)


def rms(parameter: torch.Tensor) -> float:
    return float(parameter.detach().square().mean().sqrt())


def test_a_roles_rate_is_the_base_rate_times_the_mean_rms_of_its_matrices() -> None:
    model = build_from_scratch(SPEC, 50, 1)
    optimizer = RoleScaledAdamW(model, SETTINGS)
    optimizer.set_rates(optimizer.torch.param_groups, 0.5)
    roles = [[parameter for _, parameter in named] for named in model.roles().values()]
    expected = [0.5 * 0.02 * fmean(max(rms(p), SMALLEST_RMS) for p in role) for role in roles]
    assert [group["lr"] for group in optimizer.torch.param_groups] == pytest.approx(expected, rel=1e-5)
    assert sum(len(role) for role in roles) == len(model.parameters())
    assert len({round(rate, 6) for rate in expected}) > 3


def test_parameters_of_zero_still_have_a_rate() -> None:
    model = build_from_scratch(SPEC, 50, 1)
    with torch.no_grad():
        for parameter in model.module.parameters():
            parameter.zero_()
    optimizer = RoleScaledAdamW(model, SETTINGS)
    assert optimizer.mean_rms() == pytest.approx([SMALLEST_RMS] * len(optimizer.roles))


def test_without_scale_every_group_has_the_base_rate() -> None:
    optimizer = RoleScaledAdamW(build_from_scratch(SPEC, 50, 1), replace(SETTINGS, scale="none"))
    optimizer.set_rates(optimizer.torch.param_groups, 0.5)
    assert {group["lr"] for group in optimizer.torch.param_groups} == {0.01}


def test_frozen_parameters_are_left_out() -> None:
    model = build_from_scratch(SPEC, 50, 1)
    model.module.shared.weight.requires_grad_(False)
    optimizer = RoleScaledAdamW(model, SETTINGS)
    assert all(p is not model.module.shared.weight for group in optimizer.torch.param_groups for p in group["params"])
    assert len(optimizer.roles) == len(model.roles()) - 1


def test_progress_goes_by_steps_or_by_the_clock_whichever_is_further() -> None:
    assert progress(SCHEDULE, 25, 1000.0) == 0.25
    timed = replace(SCHEDULE, minutes=10.0)
    assert progress(timed, 25, 5.0) == 0.5
    assert progress(timed, 60, 5.0) == 0.6


@pytest.mark.parametrize(
    ("name", "at_half", "at_end"),
    [
        ("linear", 0.5, 0.0),
        ("cosine", 0.5, 0.0),
        ("constant", 1.0, 1.0),
        ("inverse_sqrt", math.sqrt(10 / 51), math.sqrt(10 / 101)),
    ],
)
def test_schedules(name: str, at_half: float, at_end: float) -> None:
    schedule = replace(SCHEDULE, name=name)  # type: ignore[arg-type]
    values = [factor(schedule, step, step / 100) for step in (0, 4, 50, 100)]
    assert values == pytest.approx([0.1, 0.5, at_half, at_end], abs=1e-9)
    assert factor(replace(schedule, warmup=0), 0, 0.0) == 1.0

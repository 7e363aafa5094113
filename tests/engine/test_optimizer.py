import math
import re
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import torch

from t2t.config.run import ScheduleSettings, load_run
from t2t.engine.deepspeed_file import read_deepspeed
from t2t.engine.optimizer import SMALLEST_RMS, ModelOptimizer
from t2t.engine.optimizers.adamw import AdamW
from t2t.engine.schedule import factor, progress
from t2t.errors import RunFileError
from t2t.model.backbone import build_from_scratch
from t2t.model.peft import adapted, read_method

SPEC = {"d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4}
SETTINGS = AdamW(learning_rate=0.02)
SCHEDULE = ScheduleSettings(warmup=10, steps=100)


def rms(parameter: torch.Tensor) -> float:
    return float(parameter.detach().square().mean().sqrt())


def test_a_roles_rate_is_the_base_rate_times_the_mean_rms_of_its_matrices() -> None:
    model = build_from_scratch(SPEC, 50, 1)
    optimizer = ModelOptimizer(model, SETTINGS)
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
    optimizer = ModelOptimizer(model, SETTINGS)
    assert optimizer.mean_rms() == pytest.approx([SMALLEST_RMS] * len(optimizer.roles))


def test_without_scale_every_group_has_the_base_rate() -> None:
    optimizer = ModelOptimizer(build_from_scratch(SPEC, 50, 1), replace(SETTINGS, scale="none"))
    optimizer.set_rates(optimizer.torch.param_groups, 0.5)
    assert {group["lr"] for group in optimizer.torch.param_groups} == {0.01}


def test_frozen_parameters_are_left_out() -> None:
    model = build_from_scratch(SPEC, 50, 1)
    model.module.shared.weight.requires_grad_(False)
    optimizer = ModelOptimizer(model, SETTINGS)
    assert all(p is not model.module.shared.weight for group in optimizer.torch.param_groups for p in group["params"])
    assert len(optimizer.roles) == len(model.roles()) - 1


def test_norms_biases_and_embeddings_do_not_decay() -> None:
    model = build_from_scratch(SPEC, 50, 1)
    adapted(model, read_method({"method": "bitfit"}, str))
    for parameter in model.parameters().values():
        parameter.requires_grad_(True)
    optimizer = ModelOptimizer(model, replace(SETTINGS, weight_decay=0.1))
    decays = {id(one): group["weight_decay"] for group in optimizer.torch.param_groups for one in group["params"]}
    spared = {name for name, one in model.parameters().items() if not decays[id(one)]}
    assert spared == {name for name in model.parameters() if re.search(r"norm|bias|shared", name)}
    assert set(decays.values()) == {0.0, 0.1}


def test_rates_are_products_of_parts_roles_and_depth() -> None:
    model = build_from_scratch({**SPEC, "num_decoder_layers": 3, "tied": False}, 50, 1)
    settings = replace(
        SETTINGS, scale="none", rates={"embedding": 0.1, "decoder": 2.0, "q": 3.0, "head": 5.0}, layer_decay=0.5
    )
    optimizer = ModelOptimizer(model, settings)
    optimizer.set_rates(optimizer.torch.param_groups, 1.0)
    rates = {id(one): group["lr"] for group in optimizer.torch.param_groups for one in group["params"]}
    factor = {name: rates[id(one)] / 0.02 for name, one in model.parameters().items()}
    wanted = {
        "shared.weight": 0.1 / 8,
        "lm_head.weight": 5.0,
        "encoder.block.1.layer.0.SelfAttention.q.weight": 3.0,
        "encoder.block.0.layer.0.SelfAttention.k.weight": 0.5,
        "decoder.block.2.layer.1.EncDecAttention.q.weight": 6.0,
        "decoder.block.0.layer.2.DenseReluDense.wo.weight": 2.0 / 4,
        "encoder.final_layer_norm.weight": 1.0,
        "decoder.final_layer_norm.weight": 2.0,
    }
    assert {name: factor[name] for name in wanted} == pytest.approx(wanted)


def test_without_rates_or_decay_a_role_is_one_group() -> None:
    model = build_from_scratch(SPEC, 50, 1)
    assert len(ModelOptimizer(model, SETTINGS).groups) == len(model.roles())


def test_adafactor_is_refused_where_matrices_are_cut(tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    run.write_text(
        "run: x\ntasks: [a/b]\nmodel: {from_scratch: {size: mini}}\nschedule: {steps: 1}\n"
        "optimizer: {name: adafactor}\n"
    )
    config = load_run(run)
    with pytest.raises(RunFileError, match=r"run\.yaml:5: optimizer\.name: ZeRO cuts matrices flat.*stage 2"):
        read_deepspeed(config.deepspeed, config)
    config = load_run(run, ["deepspeed=ds_configs/zero0.json"])
    assert read_deepspeed(config.deepspeed, config)["zero_optimization"]["stage"] == 0


def test_the_optimizer_stands_whole_in_a_run_file(tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    run.write_text("run: x\ntasks: [a/b]\nmodel: {from_scratch: {size: mini}}\nschedule: {steps: 1}\n")
    config = load_run(run, ["optimizer={name: sgd, rates: {embedding: 0}}"])
    (tmp_path / "again.yaml").write_text(config.to_yaml())
    again = load_run(tmp_path / "again.yaml")
    assert again == config
    assert (again.optimizer.name, again.optimizer.learning_rate) == ("sgd", 0.1)


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

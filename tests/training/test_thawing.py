"""Weights that are frozen up to a step and trained from there on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from t2t.config.run import load_run
from t2t.errors import RunFileError
from tests.training.test_validation import RUN, make, start

THAWS = (
    RUN.replace("early_stopping: {patience: 3}\n", "")
    .replace("steps: 300", "steps: 30")
    .replace("every: 30", "every: 5, keep: 99")
    .replace("dropout: 0.1", "dropout: 0.0")
) + "freeze: {parts: [encoder], until: 15}\n"
KILLED = """\
import os, t2t.engine.log as l
see = l.Log.see
l.Log.see = lambda self, seen: os.kill(os.getpid(), 9) if seen.position.step == %d else see(self, seen)
from t2t.commands.launch import main
main()
"""


def run_in(folder: Path, *overrides: str, ranks: int = 1) -> Path:
    make(folder, THAWS)
    assert start(folder, *overrides, ranks=ranks) == 0, (folder / "said.txt").read_text()[-3000:]
    return folder / "runs" / "toy"


@pytest.fixture(scope="module")
def thawed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_in(tmp_path_factory.mktemp("thawed") / "a")


def weights_at(run: Path, step: int) -> dict[str, Tensor]:
    state = run / "checkpoints" / f"step{step:08d}" / "mp_rank_00_model_states.pt"
    kept: dict[str, Tensor] = torch.load(state, weights_only=False)["module"]
    return kept


def model_of(run: Path) -> dict[str, Tensor]:
    return load_file(run / "model" / "model.safetensors")


def curve(run: Path) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_they_stay_bit_for_bit_up_to_the_step_and_are_trained_then(thawed: Path) -> None:
    five, fifteen, twenty = (weights_at(thawed, step) for step in (5, 15, 20))
    encoder = [name for name in five if ".encoder.block" in name and "relative" not in name]
    assert encoder
    for name in encoder:
        assert torch.equal(five[name], fifteen[name])
        assert not torch.equal(fifteen[name], twenty[name])
    decoder = [name for name in five if ".decoder.block" in name]
    assert not any(torch.equal(five[name], fifteen[name]) for name in decoder)
    said = (thawed.parents[1] / "said.txt").read_text()
    assert "all weights are trained from step 15 on" in said
    assert json.loads((thawed / "facts.json").read_text())["steps"] == 30
    assert [json.loads(line)["step"] for line in (thawed / "validation.jsonl").read_text().splitlines()] == [0, 20, 30]


def test_what_thaws_has_a_state_of_its_own_in_the_optimiser(thawed: Path) -> None:
    kept = thawed / "checkpoints"
    steps: dict[int, set[float]] = {}
    for step in (15, 20):
        (file,) = (kept / f"step{step:08d}").glob("*optim_states.pt")
        states = torch.load(file, weights_only=False)["optimizer_state_dict"]["base_optimizer_state"]["state"]
        steps[step] = {float(one["step"]) for one in states.values()}
    assert steps == {15: {15.0}, 20: {20.0, 5.0}}


@pytest.mark.parametrize("step", [12, 15, 22])
def test_a_kill_before_at_and_after_the_step_changes_nothing(thawed: Path, tmp_path: Path, step: int) -> None:
    folder = make(tmp_path / "killed", THAWS)
    assert start(folder, command=("-c", KILLED % step)) == -9
    assert start(folder) == 0, (folder / "said.txt").read_text()[-3000:]
    ours, theirs = model_of(folder / "runs" / "toy"), model_of(thawed)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_two_ranks_at_stage_3_have_the_curve_of_one(thawed: Path, tmp_path: Path) -> None:
    two = run_in(tmp_path / "two", "deepspeed=ds_configs/zero3.json", ranks=2)
    assert curve(two) == pytest.approx(curve(thawed), rel=1e-3)


def test_at_stage_0_it_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "zero", THAWS)
    assert start(folder, "deepspeed=ds_configs/zero0.json") == 2
    assert "weights thaw at ZeRO stage 1, 2 or 3" in (folder / "said.txt").read_text()


def test_a_step_behind_the_end_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "late", THAWS)
    with pytest.raises(RunFileError, match=r"freeze\.until: 30, but the run ends at step 30"):
        load_run(folder / "run.yaml", ["freeze.until=30"])

"""Memory that runs out while training: micro-batches are cut in two, and what is trained is the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from t2t.commands.start import TrainingFailed, start_training
from t2t.engine import forwarding
from tests.forking import codes_of_ranks, run_ranks
from tests.places import ROOT
from tests.training.test_validation import RUN, make

WORKER = str(Path(__file__).with_name("memory_worker.py"))
TOLD = "memory ran out at step 2; it is taken again with micro-batches cut in two, of the same examples an update"
LACKING = f"""\
import sys; sys.path.insert(0, {str(ROOT)!r})
from t2t.commands.launch import main
from tests.training.memory_worker import lacking
import t2t.engine.distributed as d
start = d.start
def started():
    device = start()
    d.lacking = lacking()  # as long as this process lives
    d.lacking.__enter__()
    return device
d.start = started
sys.exit(main())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of the worker, of one process and of two."""
    run = "".join(line for line in RUN.splitlines(True) if not line.startswith(("validate", "early", "schedule")))
    run = run.replace("micro_batches: 2", "micro_batches: 4").replace("dropout: 0.1", "dropout: 0.0")
    folder = make(tmp_path_factory.mktemp("memory"), run + "schedule: {steps: 3, warmup: 1}\n")
    for world in (1, 2):
        run_ranks(world, [WORKER, str(folder)], folder)
    return folder


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def model(folder: Path, name: str) -> dict[str, Tensor]:
    return load_file(folder / "runs" / name / "model" / "model.safetensors")


def halvings(folder: Path, name: str) -> list[int]:
    marks = sorted((folder / "runs" / name / "checkpoints").glob("step*/complete.json"))
    return [json.loads(mark.read_text())["position"]["halvings"] for mark in marks]


def assert_near(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name], weight, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(("world", "stage"), [*((1, stage) for stage in range(4)), (2, 0), (2, 2)])
def test_the_step_is_taken_again_with_the_same_examples(folder: Path, world: int, stage: int) -> None:
    name = f"halved{stage}of{world}"
    assert_near(model(folder, name), model(folder, "wholeof1"))
    assert halvings(folder, name) == [1, 1]  # of steps 1, at which it ran out, and 3
    assert TOLD in (folder / f"said0of{world}.txt").read_text()


def test_memory_runs_out_once_and_what_is_cut_fits(folder: Path) -> None:
    (size,) = results(folder)["sizes"]
    assert size > 6


def test_what_is_drawn_is_that_of_a_run_with_small_micro_batches_from_the_start(folder: Path) -> None:
    ours, theirs = model(folder, "droppedof1"), model(folder, "notedof1")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    whole = model(folder, "wholeof1")
    assert not all(torch.allclose(ours[name], whole[name], atol=1e-4) for name in whole)


def test_a_run_that_goes_on_starts_with_the_small_ones(folder: Path) -> None:
    assert halvings(folder, "killedof1") == [1, 1]
    ours, theirs = model(folder, "killedof1"), model(folder, "droppedof1")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_single_example_that_does_not_fit_ends_the_run(folder: Path) -> None:
    said = results(folder)["single"]
    assert said.startswith("memory ran out at step 2 with a micro-batch of one example; take shorter lengths:")
    assert halvings(folder, "singleof1") == [1]


def test_ranks_that_cannot_agree_end_and_go_on_from_their_checkpoint(folder: Path) -> None:
    command = ["-c", LACKING, "--config", "run.yaml", "--set", "run=three", "--set", "deepspeed=ds_configs/zero3.json"]
    codes, said = codes_of_ranks(2, command, folder)
    assert codes == [75, 75], said
    assert said.count("memory ran out at step 2; the same command goes on from the last checkpoint with micro-") == 1
    assert "Traceback" not in said
    codes, said = codes_of_ranks(2, command, folder)
    assert codes == [0, 0], said
    assert_near(model(folder, "three"), model(folder, "wholeof1"))
    assert halvings(folder, "three") == [1]


@pytest.mark.parametrize("ends", [0, 1])
def test_t2t_train_starts_such_a_run_again(folder: Path, ends: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    codes = [75, 75, ends]
    monkeypatch.setattr(forwarding, "run_and_forward", lambda command, environment: codes.pop(0))
    if ends:
        with pytest.raises(TrainingFailed, match="exit code 1"):
            start_training(Path("run.yaml"))
    else:
        start_training(Path("run.yaml"))
    assert not codes

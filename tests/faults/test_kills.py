"""Kills at random moments, with the real launcher: what comes out is what comes out undisturbed, to the bit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.engine.test_lifetime import of_run
from tests.faults.rounds import only_long, rounds
from tests.faults.runs import (
    GENERATE,
    LAUNCH,
    STEPS,
    all_gone,
    begin,
    finish,
    half_trained,
    kill,
    make_run,
    rows,
    same,
    wait_until,
    weights,
)

START = 14.0  # seconds about, from the start of a run to its first step
LONGEST_CHECKPOINT = 0.4


def whole_launcher(folder: Path, launcher: psutil.Process) -> list[psutil.Process]:
    """The launcher, which is to die before what it would then end."""
    return [launcher, *of_run(folder)]


VICTIMS: dict[str, Callable[[Path, psutil.Process], list[psutil.Process]]] = {
    "all": whole_launcher,
    "rank 0": lambda folder, launcher: of_run(folder)[:1],
    "rank 1": lambda folder, launcher: of_run(folder)[1:],
    "launcher": lambda folder, launcher: [launcher],
}


def checkpoint_begins(folder: Path, number: int) -> Callable[[], bool]:
    """Whether the ``number``-th half-written checkpoint of this start was seen."""
    seen: set[str] = set()

    def look() -> bool:
        seen.update(path.name for path in (folder / "runs" / "toy" / "checkpoints").glob("step*.tmp"))
        return len(seen) >= number

    return look


def killed_once(folder: Path, draw: random.Random) -> str:
    """Start training and kill it at a random moment: by the clock, or while a checkpoint is written."""
    process = begin(folder, LAUNCH)
    launcher = psutil.Process(process.pid)
    victim = draw.choice([*VICTIMS])
    if draw.random() < 0.3:
        moment = f"after {(seconds := draw.uniform(0, START * 1.5)):.2f} s"
        wait_until(lambda: process.poll() is not None, seconds)
    else:
        number, later = draw.randint(1, 4), draw.uniform(0, LONGEST_CHECKPOINT)
        moment = f"{later:.3f} s into checkpoint {number}"
        begins = checkpoint_begins(folder, number)
        wait_until(lambda: process.poll() is not None or begins())
        time.sleep(later)
    kill(VICTIMS[victim](folder, launcher))
    assert all_gone(folder), f"processes outlive the kill of {victim} {moment}"
    kill([launcher])
    process.wait()
    return f"{victim} {moment}"


def test_training_that_is_killed_ends_in_the_weights_of_one_that_is_not(reference: Path, tmp_path: Path) -> None:
    whole, table = weights(reference), rows(reference)
    assert int(table[-1]["step"]) == STEPS
    for number, draw in enumerate(rounds("kills in training", 1, 0.35)):
        folder = make_run(tmp_path / str(number))
        kills = [killed_once(folder, draw) for _ in range(draw.randint(2, 3))]
        print(kills, flush=True)
        code, said = finish(folder, LAUNCH)
        assert code == 0, (kills, said[-3000:])
        assert same(weights(folder), whole), kills
        assert rows(folder) == table, kills
        assert not list((folder / "runs").rglob("*.tmp")), kills
        assert not list((folder / "runs").rglob("*.part")), kills


@only_long
def test_a_kill_while_the_model_is_written_leaves_no_half_of_it(reference: Path, tmp_path: Path) -> None:
    for number, draw in enumerate(rounds("kills at the end", 1, 0.1)):
        folder = tmp_path / str(number)
        run = half_trained(reference, folder)
        process = begin(folder, LAUNCH)
        wait_until(lambda: process.poll() is not None or (run / "model.tmp").exists())  # noqa: B023
        time.sleep(draw.uniform(0, 0.05))
        kill([*of_run(folder), psutil.Process(process.pid)])
        process.wait()
        assert all_gone(folder)
        if (run / "model").exists():
            assert same(weights(folder), weights(reference))
        code, said = finish(folder, LAUNCH)
        assert code == 0, said[-3000:]
        assert same(weights(folder), weights(reference))
        assert not list(run.rglob("*.tmp"))


@pytest.fixture(scope="module")
def predicted(reference: Path) -> tuple[bytes, float]:
    """The predictions of a generation that is left alone, and how long it takes."""
    began = time.monotonic()
    code, said = finish(reference, GENERATE)
    assert code == 0, said[-3000:]
    return (reference / "runs" / "toy" / PREDICTIONS).read_bytes(), time.monotonic() - began


PREDICTIONS = Path("predictions", "demo", "colour.jsonl")


def test_generation_that_is_killed_ends_in_the_same_bytes(
    reference: Path, predicted: tuple[bytes, float], tmp_path: Path
) -> None:
    whole, seconds = predicted
    for number, draw in enumerate(rounds("kills in generation", 1, 0.1)):
        folder = tmp_path / str(number)
        run = half_trained(reference, folder)
        (run / "model").symlink_to(reference / "runs" / "toy" / "model")
        (run / PREDICTIONS).unlink(missing_ok=True)
        for _ in range(2):
            process = begin(folder, GENERATE)
            latest = seconds * draw.uniform(0.3, 1.0)
            parts = lambda: any(run.rglob("*.part"))  # noqa: B023, E731
            wait_until(lambda: process.poll() is not None or (latest > seconds * 0.6 and parts()), latest)  # noqa: B023
            process.kill()
            process.wait()
            assert not (run / PREDICTIONS).exists() or (run / PREDICTIONS).read_bytes() == whole
        code, said = finish(folder, GENERATE)
        assert code == 0, said[-3000:]
        assert (run / PREDICTIONS).read_bytes() == whole
        assert not list(run.rglob("*.part"))

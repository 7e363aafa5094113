"""Signals and kills of real runs: nothing outlives its parent, and what was trained is not lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from t2t.engine import lifetime
from t2t.engine.lifetime import one_owner
from tests.engine.test_launch import BIN, ROOT, make

T2T = (str(BIN / "t2t"), "train")
DEEPSPEED = (str(BIN / "deepspeed"), str(ROOT / "launch.sh"))
ENDLESS = ("--set", "schedule.steps=1000000", "--set", "checkpoint.every=1000000")
PATIENCE = 90.0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield make(tmp_path / "run")
    for process in of_run(tmp_path / "run"):
        process.kill()


def start(folder: Path, command: tuple[str, ...], *more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "--config", "run.yaml", *ENDLESS, *more], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def of_run(folder: Path) -> list[psutil.Process]:
    """The processes that train in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if process.cwd() == str(folder) and any(word.startswith("--local_rank") for word in words):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for(what: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.1)


def trains(folder: Path) -> Callable[[], bool]:
    metrics = folder / "runs" / "toy" / "metrics.csv"
    return lambda: metrics.exists() and len(metrics.read_text().splitlines()) > 1


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "runs" / "toy" / "checkpoints").glob("step*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_t2t_train_ends_all_with_a_checkpoint_and_code_143(folder: Path, number: signal.Signals) -> None:
    process = start(folder, T2T)
    wait_for(trains(folder))
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143, said
    assert "checkpoint written" in said
    assert "Traceback" not in said
    assert len(checkpoints(folder)) == 1
    assert of_run(folder) == []


def test_processes_end_with_a_checkpoint_when_the_launcher_that_started_them_is_gone(folder: Path) -> None:
    process = start(folder, DEEPSPEED)
    wait_for(trains(folder))
    process.terminate()
    process.wait(PATIENCE)
    wait_for(lambda: of_run(folder) == [], 30)
    assert len(checkpoints(folder)) == 1


def test_a_run_has_one_owner_and_one_that_is_killed_does_not_keep_it(folder: Path) -> None:
    first = start(folder, T2T)
    wait_for(trains(folder))
    second = start(folder, T2T)
    said, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 2, said
    assert "runs/toy: another process trains it" in said
    assert first.poll() is None
    first.kill()
    first.wait()
    wait_for(lambda: of_run(folder) == [], 30)
    assert len(checkpoints(folder)) == 1
    with one_owner(folder / "runs" / "toy", torch.device("cpu")):
        pass


def test_a_signal_before_training_is_told(folder: Path) -> None:
    code = "import time, t2t.training.train as t"
    code += "; t.prepare = lambda *_: (print('preparing', flush=True), time.sleep(600))"
    code += "; from t2t.commands.launch import main; main()"
    process = start(folder, (sys.executable, "-u", "-c", code))
    assert process.stdout is not None
    for line in process.stdout:
        if line == "preparing\n":
            break
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, said
    assert said == "t2t: stopped by SIGTERM before anything was trained; nothing is lost, start it again\n"


@pytest.mark.parametrize(
    ("words", "parent", "orphan"),
    [
        (["python", "-u", "-m", "deepspeed.launcher.launch", "--master_port=1"], 1, True),
        (["python", "-u", "-m", "deepspeed.launcher.launch", "--master_port=1"], 77, False),
        (["python", "/usr/bin/deepspeed", "launch.sh"], 1, False),  # started to outlive its shell
    ],
)
def test_an_inner_launcher_without_the_outer_one_counts_as_gone(words: list[str], parent: int, orphan: bool) -> None:
    process = SimpleNamespace(ppid=lambda: parent, cmdline=lambda: words)
    assert lifetime._is_orphan(process) is orphan


def test_ranks_of_an_outer_launcher_that_was_killed_before_they_began_do_not_train(folder: Path) -> None:
    process = start(folder, DEEPSPEED)

    def inner() -> list[psutil.Process]:
        children = psutil.Process(process.pid).children()
        return [one for one in children if "deepspeed.launcher.launch" in one.cmdline()]

    wait_for(lambda: bool(inner()))
    (launcher,) = inner()
    process.kill()
    process.wait()
    wait_for(lambda: not launcher.is_running() or launcher.status() == psutil.STATUS_ZOMBIE)
    wait_for(lambda: of_run(folder) == [])
    assert checkpoints(folder) == []

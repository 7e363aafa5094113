"""Real runs for the fault bench: two processes, started by the real launcher, killed, and compared with one that was
left alone."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import torch
from safetensors.torch import load_file

from tests.engine.test_launch import BIN, ROOT, RUN, make
from tests.engine.test_lifetime import of_run

STEPS = 24
LAUNCH = (str(ROOT / "launch.sh"), "--config", "run.yaml")
GENERATE = (str(BIN / "t2t"), "generate", "--config", "run.yaml")
PATIENCE = 120.0
_CLOCK = frozenset({"elapsed", "tokens_per_second"})


def make_run(folder: Path) -> Path:
    """A folder with a run of STEPS steps that writes a checkpoint after every second one."""
    make(folder)
    longer = RUN.replace("steps: 9", f"steps: {STEPS}").replace("every: 3, keep: 5", "every: 2, keep: 3")
    assert longer != RUN
    (folder / "run.yaml").write_text(longer + "log: {every: 4}\n")
    return folder


def begin(folder: Path, command: Sequence[str]) -> subprocess.Popen[str]:
    """Start a command in a run's folder; what it says is in said.txt there."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    with (folder / "said.txt").open("w") as said:
        return subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=said, stderr=said)


def finish(folder: Path, command: Sequence[str]) -> tuple[int, str]:
    """Run a command to its end; gives its exit code and what it said."""
    code = begin(folder, command).wait(PATIENCE * 2)
    return code, (folder / "said.txt").read_text()


def wait_until(what: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether it came to that in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def all_gone(folder: Path, seconds: float = 60.0) -> bool:
    return wait_until(lambda: of_run(folder) == [], seconds)


def kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "runs" / "toy" / "model" / "model.safetensors")


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv, without what the clock says."""
    with (folder / "runs" / "toy" / "metrics.csv").open() as file:
        return [{key: value for key, value in row.items() if key not in _CLOCK} for row in csv.DictReader(file)]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def half_trained(reference: Path, folder: Path) -> Path:
    """A copy of a trained run as it was before model/ was written: its last checkpoints are there. Gives the run."""
    make_run(folder)
    shutil.copytree(reference / "runs", folder / "runs")
    shutil.rmtree(folder / "runs" / "toy" / "model")
    return folder / "runs" / "toy"

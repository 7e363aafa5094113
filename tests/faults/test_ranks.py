"""What one of two processes does alone ends the run: an error, a death, a hang. With DeepSpeed's real launcher."""

from __future__ import annotations

import re
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from t2t.engine import pulse
from t2t.engine.pulse import Pulse
from tests.engine.test_launch import BIN
from tests.engine.test_lifetime import ENDLESS, of_run
from tests.faults.rounds import only_long
from tests.faults.runs import PATIENCE, all_gone, begin, make_run, wait_until

# The third step does on the rank RANK alone, when the file `now` is in the folder, what WHAT says.
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from t2t.commands.launch import main
from t2t.engine import deepspeed, pulse
from t2t.errors import InputError

pulse.LEAST, pulse.FIRST, pulse.TIMES = 7.0, 20.0, 4.0  # more than a process waits before it tells an error
gradients = deepspeed.TrainingEngine.gradients

def one_alone(self, step):
    if Path("now").exists() and os.environ["RANK"] == "{rank}":
        Path("began").touch()
        {what}
    return gradients(self, step)

deepspeed.TrainingEngine.gradients = one_alone
if __name__ == "__main__":
    sys.exit(main())
"""
FAILURES = {
    "a mistake of a user's": (1, "raise InputError('here', 'is so', 'correct it')", "t2t: here: is so; correct it"),
    "a full disk": (1, "raise OSError(28, 'No space left on device', 'a.csv')", "t2t: a.csv: "),
    "a mistake in the code": (1, "raise KeyError('a mistake')", "KeyError: 'a mistake'"),
    "an error of the first": (0, "raise KeyError('a mistake')", "KeyError: 'a mistake'"),
    "a kill": (1, "os.kill(os.getpid(), signal.SIGKILL)", "t2t: process 1 of the run is gone without a word"),
    "a hang": (1, "time.sleep(600)", r"t2t: a step has not ended in \d+ s.*\(this process is in one_alone, "),
    "a stop": (0, "os.kill(os.getpid(), signal.SIGSTOP)", r"t2t: a step has not ended in \d+ s"),
}  # fmt: skip
SHORT = ("a mistake in the code", "a kill", "a hang")
TO_NOTICE = {"a hang": 10.0, "a stop": 42.0}  # DeepSpeed's launcher kills a process that is stopped after 30 s


def started(folder: Path, rank: int, what: str) -> psutil.Process:
    """A run whose process ``rank`` will do something else; gives its launcher as soon as it trains."""
    make_run(folder)
    (folder / "alone.py").write_text(SCRIPT.format(rank=rank, what=what))
    process = begin(folder, [str(BIN / "deepspeed"), "alone.py", "--config", "run.yaml", *ENDLESS])
    metrics = folder / "runs" / "toy" / "metrics.csv"
    assert wait_until(lambda: metrics.exists() and len(metrics.read_text().splitlines()) > 1)
    (folder / "now").touch()
    assert wait_until((folder / "began").exists, 30)
    return process


def ended(folder: Path, process: psutil.Process, seconds: float) -> tuple[float, str]:
    """How long it took until the launcher and all processes were gone, and what was said."""
    began = time.monotonic()
    try:
        assert process.wait(seconds + PATIENCE) not in (0, None)
        assert all_gone(folder, 5)
    finally:
        for left in of_run(folder):
            left.send_signal(signal.SIGKILL)
    return time.monotonic() - began, (folder / "said.txt").read_text()


@pytest.mark.parametrize("case", [case if case in SHORT else pytest.param(case, marks=only_long) for case in FAILURES])
def test_what_one_process_does_alone_ends_the_run_in_seconds(tmp_path: Path, case: str) -> None:
    rank, what, words = FAILURES[case]
    folder = tmp_path / "run"
    seconds, said = ended(folder, started(folder, rank, what), TO_NOTICE.get(case, 0))
    print(f"{case}: {seconds:.1f} s")
    assert seconds < TO_NOTICE.get(case, 0) + 10, said[-3000:]
    assert re.search(words, said), said[-3000:]
    assert said.count("Traceback") == ("KeyError" in words), said[-3000:]


@only_long
def test_a_slow_step_a_long_pause_and_a_stop_of_all_are_no_hang(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = started(folder, 1, "time.sleep(3)")
    time.sleep(8)
    assert process.poll() is None
    both = of_run(folder)
    for one in both:
        one.send_signal(signal.SIGSTOP)
    time.sleep(20)
    for one in both:
        one.send_signal(signal.SIGCONT)
    time.sleep(8)
    assert process.poll() is None, (folder / "said.txt").read_text()[-3000:]
    for one in both:
        one.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 143


class TestPulse:
    def told(self, monkeypatch: pytest.MonkeyPatch, pauses: list[float], steps: list[float]) -> list[str]:
        """What is said of steps of some seconds with pauses before them."""
        monkeypatch.setattr(pulse, "LEAST", 1.0)
        monkeypatch.setattr(pulse, "FIRST", 2.5)
        monkeypatch.setattr(pulse, "TIMES", 3.0)
        monkeypatch.setattr(pulse, "_EVERY", 0.1)
        said: list[str] = []
        waits = threading.Event()
        with Pulse(said.append) as watched:
            for pause, step in zip(pauses, steps, strict=True):
                waits.wait(pause)
                with watched.step():
                    waits.wait(step)
        return said

    def test_a_step_that_does_not_end_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        (said,) = self.told(monkeypatch, [0.0] * 5, [0.01] * 4 + [2.0])
        assert re.match(r"a step has not ended in 1 s, where the longest took 0.0 s \(this process is in wait, ", said)

    def test_the_first_steps_may_take_longer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.told(monkeypatch, [0.0], [2.0]) == []

    def test_after_a_long_pause_of_one_the_others_wait_as_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.told(monkeypatch, [0.0, 0.0, 0.0, 1.0], [0.01] * 3 + [2.0]) == []

    def test_steps_that_are_always_slow_are_no_hang(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.told(monkeypatch, [0.0] * 4, [0.8, 0.8, 0.8, 2.0]) == []

"""Signals from ``t2t train`` to the processes that train, past DeepSpeed's launcher, which hands none on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

import psutil  # type: ignore[import-untyped]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SAID = (0, 1, 2, 3, 75, 143)  # exit codes of processes that have said why


def run_and_forward(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run DeepSpeed's launcher, hand SIGTERM and SIGINT to the training processes below it, and give its exit code.

    It runs in a session of its own, so that Ctrl-C reaches the training processes alone, which write a checkpoint,
    and not the launcher, which would end them before. 1, and a line that says so, where a signal ended a process that
    had no chance to say it.
    """
    launcher = subprocess.Popen(command, env=environment, start_new_session=True)

    def forward(number: int, frame: FrameType | None) -> None:
        _stop_below(launcher.pid)

    before = {number: signal.signal(number, forward) for number in _SIGNALS}
    try:
        code = launcher.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code in _SAID:
        return code
    print(f"t2t: a signal ended the training processes (exit code {code})", file=sys.stderr)
    return 1


def _stop_below(launcher: int) -> None:
    """SIGTERM to the training processes, or to all of the launcher's where there are none yet."""
    try:
        below = psutil.Process(launcher).children(recursive=True)
        training = [process for process in below if _trains(process)]
        for process in training:
            process.send_signal(signal.SIGTERM)
        if not training:
            os.killpg(launcher, signal.SIGTERM)
    except (psutil.Error, ProcessLookupError):
        pass  # it ended by itself in the meantime


def _trains(process: psutil.Process) -> bool:
    try:
        return any(word.startswith("--local_rank") for word in process.cmdline())
    except psutil.Error:
        return False

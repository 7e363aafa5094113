"""How the processes of a run end: by signals, and when what started them is gone.

DeepSpeed's launcher hands no signal on where it runs on one host, and its processes outlive it when it is killed. So
each process of a run watches the processes that started it, and ends as by SIGTERM when one of them is gone: with a
checkpoint where it trains. ``t2t train`` hands signals to these processes itself (see forwarding.py).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from types import FrameType, TracebackType

import psutil  # type: ignore[import-untyped]
import torch
from filelock import FileLock, Timeout

from t2t.engine import distributed
from t2t.errors import RunDirectoryError, T2TError

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_STARTERS = ("deepspeed", "launch.sh", "t2t")
_INNER = "deepspeed.launcher.launch"
_EVERY = 1.0  # seconds between two looks at the starters
_LONGEST_END = 600.0  # seconds that a process has for its last checkpoint before it is ended all the same


class Interrupted(T2TError):
    """A signal came where nothing is being trained, so that there is nothing to save."""


def raise_on_signals() -> None:
    """SIGTERM and SIGINT raise Interrupted in this process, once; what comes later is ignored: it is ending."""
    for number in SIGNALS:
        signal.signal(number, _raise)


def heed_signals() -> None:
    """SIGTERM and SIGINT end this process at once: there is nothing that it should still do or say."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def ignore_signals() -> None:
    """This process is ending, and says why: signals of a launcher that ends the others do not disturb it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _raise(number: int, frame: FrameType | None) -> None:
    ignore_signals()
    raise Interrupted(f"stopped by {signal.Signals(number).name}")


class Deferred:
    """Signals that wait until the work between them is done: ``came`` is the name of the first, or None."""

    def __init__(self) -> None:
        self.came: str | None = None

    def __enter__(self) -> Deferred:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = self.came or signal.Signals(number).name


def end_with_starters() -> None:
    """From now on this process gets SIGTERM when one of the processes that started it is gone.

    Those are its ancestors as far as they are DeepSpeed's launchers, launch.sh or t2t. One that does not end in ten
    minutes, since it hangs where no handler runs, is ended then. Where the outer launcher was killed before this
    process began, the inner one is an orphan, and that counts as gone.
    """
    starters = list(takewhile(_starts, psutil.Process().parents()))
    if starters:
        gone = _is_orphan(starters[-1])
        threading.Thread(target=_watch, args=(starters, gone), name="starters", daemon=True).start()


def _starts(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()[:4]
    except psutil.Error:
        return False
    return any(Path(word).name in _STARTERS or word.startswith("deepspeed.") for word in words)


def _is_orphan(process: psutil.Process) -> bool:
    """True for DeepSpeed's launcher of one host whose parent, which waits for it, is gone."""
    try:
        return bool(process.ppid() == 1 and _INNER in process.cmdline())
    except psutil.Error:
        return True


def _watch(starters: Sequence[psutil.Process], gone: bool = False) -> None:
    while not gone and all(map(_lives, starters)):
        time.sleep(_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_LONGEST_END)
    os._exit(1)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


@contextmanager
def one_owner(run: Path, device: torch.device) -> Iterator[None]:
    """This group of processes alone trains the run folder, which need not be there yet. Every rank must call it.

    The lock is the system's and ends with the first rank, however that ends. RunDirectoryError where another group
    holds it.
    """
    lock = FileLock(run.parent / ".cache" / f"{run.name}.lock")
    try:
        if not distributed.all_agree(distributed.rank() > 0 or _acquired(lock), device):
            found = "another process trains it, or writes its last checkpoint"
            raise RunDirectoryError(str(run), found, "wait for its end, or choose another name under run:")
        yield
    finally:
        lock.release()


def _acquired(lock: FileLock) -> bool:
    Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True

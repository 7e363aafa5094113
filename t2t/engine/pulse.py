"""Whether training still gets on: a step that never ends is noticed, whichever process hangs, whatever it waits for.

All processes wait for each other in each step, so a step that hangs in one hangs in all. What a step may take goes by
what steps have taken; validation, checkpoints and the drawing of data are outside of steps and are not bounded here
(the sums of the group are, see distributed.py).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from t2t.engine.peers import leave

LEAST = 300.0  # seconds that any step may take
FIRST = 1800.0  # seconds that one of the first steps may take, in which kernels are built
TIMES = 20.0  # how many times as long as the longest step, or as the pause before it, a step may take
_FEW = 3  # steps that are the first ones
_EVERY = 0.5  # seconds between two looks


class Pulse:
    """Watches the steps of this process, by a thread. ``end``: what is done about one that hangs."""

    def __init__(self, end: Callable[[str], None] | None = None) -> None:
        self._end = end or _end
        self._of = threading.get_ident()
        self._steps, self._longest = 0, 0.0
        self._paused_since = time.monotonic()
        self._allowed: float | None = None  # seconds; None between steps
        self._closed = threading.Event()

    def __enter__(self) -> Pulse:
        threading.Thread(target=self._watch, name="pulse", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Around what makes a step, on every rank."""
        began = time.monotonic()
        longest = max(self._longest, began - self._paused_since)
        self._allowed = max(LEAST if self._steps >= _FEW else FIRST, TIMES * longest)
        try:
            yield
        finally:
            self._allowed = None
            self._paused_since = time.monotonic()
        self._longest = max(self._longest, self._paused_since - began)
        self._steps += 1

    def _watch(self) -> None:
        """Counts the time in which this process could have worked: not that in which it was stopped as a whole."""
        number, spent = -1, 0.0
        while not self._closed.wait(_EVERY):
            allowed = self._allowed
            spent = spent + _EVERY if allowed is not None and number == self._steps else 0.0
            number = self._steps
            if allowed is not None and spent > allowed:
                self._end(self._message(spent))
                return

    def _message(self, spent: float) -> str:
        place = _where(self._of)
        found = f"a step has not ended in {spent:.0f} s, where the longest took {self._longest:.1f} s"
        return f"{found} (this process is {place}); the same command goes on from the last checkpoint"


def _where(thread: int) -> str:
    """Where a thread stands, in words."""
    frame = sys._current_frames().get(thread)
    if frame is None:
        return "nowhere"
    return f"in {frame.f_code.co_name}, {frame.f_code.co_filename}:{frame.f_lineno}"


def _end(message: str) -> None:
    print(f"t2t: {message}", file=sys.stderr)
    leave(1)

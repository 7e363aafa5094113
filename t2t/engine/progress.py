"""How training goes on, for people: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

from t2t.engine.checkpoint import Position

_EVERY = 10.0  # seconds between plain lines
_BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


class Progress:
    """``start`` and ``length``: updates already made, and of the whole run. ``minutes``: the run also ends by the
    clock. Where standard error is no terminal, lines are there without carriage returns, at most one in 10 s."""

    def __init__(self, start: int, length: int, minutes: float | None = None) -> None:
        self.length, self.minutes = length, minutes
        self.bar: tqdm[object] | None = None
        if sys.stderr.isatty():
            self.bar = tqdm(total=length, initial=start, mininterval=2.0, ncols=100, bar_format=_BAR)
        self.shown = time.monotonic()

    def at(self, step: int) -> None:
        """The update ``step`` was made."""
        if self.bar is not None:
            self.bar.update(step - self.bar.n)

    def show(self, position: Position, loss: float, tokens_per_second: float, last: bool = False) -> None:
        """The loss (nats a target token) and speed of the last updates. ``last``: a plain line is there anyway."""
        left = time_left(position, self.length, self.minutes)
        message = f"loss {loss:.3f}, {tokens_per_second:,.0f} tokens/s, {tqdm.format_interval(left)} left"
        if self.bar is not None:
            self.bar.set_postfix_str(message, refresh=False)
        elif last or time.monotonic() - self.shown >= _EVERY:
            self.shown = time.monotonic()
            print(f"step {position.step:,} of {self.length:,}: {message}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Training has ended."""
        if self.bar is not None:
            self.bar.close()


def time_left(position: Position, length: int, minutes: float | None) -> int:
    """Seconds until the updates are made at the mean speed so far, or until the clock ends the run."""
    seconds = (length - position.step) * position.elapsed / max(1, position.step)
    if minutes is not None:
        seconds = min(seconds, 60 * minutes - position.elapsed)
    return max(0, round(seconds))

"""Which example is at which position: a function of the seed, the epoch and the position alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
_TASKS, _EXAMPLES = 1, 2  # streams of random numbers, kept apart


def log_rate(n: int, scale: float = 1.0, maximum: float | None = None, temperature: float = 1.0) -> float:
    """The logarithm of the rate of a task with ``n`` examples: scaled, then capped, then tempered (T5, seqio).

    A logarithm because a low temperature raises to a power that no float holds.
    """
    scaled = math.log(n) + math.log(scale)
    return (scaled if maximum is None else min(scaled, math.log(maximum))) / temperature


def relative(logarithms: Sequence[float]) -> list[float]:
    """The rates of which these are the logarithms, the highest as 1; 0 or nan for what no float holds."""
    highest = max(logarithms)
    return [math.exp(logarithm - highest) for logarithm in logarithms]


class Mixture:
    """An endless, reproducible stream over tasks of given sizes and rates.

    An epoch has as many positions as there are examples. Each position draws its task by rate; inside a task the
    examples come in passes, each a permutation of the whole task, that go on from epoch to epoch, so no example comes
    a second time before all others of its task came once.
    """

    def __init__(self, sizes: Sequence[int], rates: Sequence[float], seed: int) -> None:
        if not sizes or len(sizes) != len(rates) or min(sizes) < 1 or min(rates) <= 0:
            raise ValueError("a mixture needs tasks with examples and positive rates")
        self.sizes = list(sizes)
        self.shares = [share / math.fsum(rates) for share in rates]
        self.seed = seed
        self._before: dict[int, Indices] = {0: np.zeros(len(sizes), dtype=np.int64)}

    def __len__(self) -> int:
        """Positions an epoch."""
        return sum(self.sizes)

    def epoch(self, epoch: int) -> Indices:
        """The order of one epoch: task and index inside the task by position, [positions, 2]."""
        tasks = self._draw_tasks(epoch)
        before = self.drawn_before(epoch)
        indices = np.empty(len(tasks), dtype=np.int64)
        for task in range(len(self.sizes)):
            places = np.flatnonzero(tasks == task)
            indices[places] = self._examples(task, int(before[task]), len(places))
        return np.stack([tasks, indices], axis=1)

    def _draw_tasks(self, epoch: int) -> Indices:
        points = self._generator(_TASKS, epoch).random(len(self))
        bounds = np.cumsum(self.shares)
        bounds[-1] = 1.0
        return np.searchsorted(bounds, points, side="right").astype(np.int64)

    def drawn_before(self, epoch: int) -> Indices:
        """How many examples of each task the epochs before ``epoch`` took."""
        known = max(done for done in self._before if done <= epoch)
        for done in range(known, epoch):
            counts = np.bincount(self._draw_tasks(done), minlength=len(self.sizes))
            self._before[done + 1] = self._before[done] + counts
        return self._before[epoch]

    def _examples(self, task: int, start: int, count: int) -> Indices:
        size = self.sizes[task]
        passes = range(start // size, (start + count - 1) // size + 1) if count else range(0)
        orders = [self._generator(_EXAMPLES, task, number).permutation(size) for number in passes]
        flat = np.concatenate(orders) if orders else np.zeros(0, dtype=np.int64)
        return flat[start % size : start % size + count]

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, *key])))

"""Windows, units and steps: which examples are computed together, the same for every number of ranks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from t2t.data.encode import Encoded

Indices = NDArray[np.int64]
GRID = 8  # lengths are padded to multiples of it: few shapes, whose kernels are built once and found again
_UNITS = 3  # the stream of random numbers that shuffles units


class Order(Protocol):
    """Which example stands at which position of an epoch, as a mixture gives it."""

    seed: int

    def epoch(self, epoch: int) -> Indices: ...


@dataclass(frozen=True, slots=True)
class Step:
    """Step ``number`` (from 0) of an epoch: the units of all ranks, each a list of examples."""

    epoch: int
    number: int
    units: list[list[Encoded]]

    @property
    def examples(self) -> int:
        """How many examples all units have together."""
        return sum(len(unit) for unit in self.units)

    @property
    def target_tokens(self) -> int:
        """How many target tokens all units have together, EOS counted."""
        return sum(len(row.labels) for unit in self.units for row in unit)

    @property
    def tokens(self) -> int:
        """How many tokens all units have together, prompts and targets, no padding."""
        return self.target_tokens + sum(len(row.input_ids) for unit in self.units for row in unit)

    def of_rank(self, rank: int, world: int) -> list[list[Encoded]]:
        """Rank r's units: r, r + world, ...; an empty one where there is none, so that all ranks have equally many."""
        rows = -(-len(self.units) // world)
        return [self.units[place] if place < len(self.units) else [] for place in range(rank, rows * world, world)]


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps of ``units`` units of at most ``tokens`` positions each, cut inside windows of ``window`` examples.

    ``data`` gives the encoded examples of an epoch by task. Inside a window lengths alone decide the units, which are
    then shuffled by (seed, epoch, window). Nothing depends on the number of ranks.
    """

    data: Callable[[int], Sequence[Sequence[Encoded]]]
    order: Order
    tokens: int
    units: int
    window: int

    def steps(self, epoch: int, after: int = 0) -> Iterator[Step]:
        """The steps of an epoch without the first ``after``. Only the last one may have fewer than ``units`` units."""
        rows = self._rows(epoch)
        waiting: list[list[Encoded]] = []
        number = 0
        for place in self._units(rows, epoch):
            waiting.append([rows[position] for position in place.tolist()])
            if len(waiting) == self.units:
                if number >= after:
                    yield Step(epoch, number, waiting)
                waiting, number = [], number + 1
        if waiting and number >= after:
            yield Step(epoch, number, waiting)

    def count(self, epochs: float) -> int:
        """How many steps so many epochs have, at least one; of the last a part where they are no whole number."""
        whole = int(epochs)
        steps = sum(self._count(epoch) for epoch in range(whole))
        part = epochs - whole
        return max(1, steps + (math.ceil(part * self._count(whole)) if part else 0))

    def _count(self, epoch: int) -> int:
        return -(-sum(1 for _ in self._units(self._rows(epoch), epoch)) // self.units)

    def taken(self, epoch: int, steps: int) -> Counter[int]:
        """How many examples of each task, by its index, the first ``steps`` steps of an epoch hold."""
        rows = (row for step in islice(self.steps(epoch), steps) for unit in step.units for row in unit)
        return Counter(row.task_index for row in rows)

    def _rows(self, epoch: int) -> list[Encoded]:
        data = self.data(epoch)
        return [data[task][index] for task, index in self.order.epoch(epoch).tolist()]

    def _units(self, rows: Sequence[Encoded], epoch: int) -> Iterator[Indices]:
        prompts = np.fromiter((len(row.input_ids) for row in rows), dtype=np.int64)
        targets = np.fromiter((len(row.labels) for row in rows), dtype=np.int64)
        for number, start in enumerate(range(0, len(rows), self.window)):
            inside = slice(start, start + self.window)
            units = cut_units(prompts[inside], targets[inside], self.tokens)
            sequence = np.random.SeedSequence([self.order.seed, _UNITS, epoch, number])
            for place in np.random.Generator(np.random.Philox(sequence)).permutation(len(units)):
                yield units[place] + start


def cut_units(prompts: Indices, targets: Indices, tokens: int) -> list[Indices]:
    """The units (micro-batches) of one window, as places in it; every place stands in one unit.

    ``prompts`` and ``targets`` are lengths. A unit of b rows costs b x (longest prompt + longest target) <= ``tokens``
    positions, padding to GRID counted; an example that is longer is a unit of its own. Lengths alone decide: examples
    are taken by target length, by prompt length among those of one, up for one target length and down for the next.
    """
    prompts, targets = on_grid(prompts), on_grid(targets)
    order = np.lexsort((np.arange(len(prompts)), np.where(targets // GRID % 2 == 0, prompts, -prompts), targets))
    units: list[Indices] = []
    start, prompt, target = 0, 0, 0
    for place, index in enumerate(order):
        wider, longer = max(prompt, int(prompts[index])), max(target, int(targets[index]))
        if place > start and (place - start + 1) * (wider + longer) > tokens:
            units.append(order[start:place])
            start, wider, longer = place, int(prompts[index]), int(targets[index])
        prompt, target = wider, longer
    if len(order):
        units.append(order[start:])
    return units


def on_grid(lengths: Indices) -> Indices:
    """``lengths`` rounded up to multiples of GRID."""
    return -(-lengths // GRID) * GRID

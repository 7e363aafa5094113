"""Windows, micro-batches and steps: which examples are computed together, the same for every number of ranks."""

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
_MICRO_BATCHES = 3  # the stream of random numbers that shuffles micro-batches


class Order(Protocol):
    """Which example is at which position of an epoch, as a mixture gives it."""

    seed: int

    def epoch(self, epoch: int) -> Indices: ...


@dataclass(frozen=True, slots=True)
class Step:
    """Step ``number`` (from 0) of an epoch: the micro-batches of all ranks, each a list of examples."""

    epoch: int
    number: int
    micro_batches: list[list[Encoded]]

    @property
    def examples(self) -> int:
        """How many examples all micro-batches have together."""
        return sum(len(micro_batch) for micro_batch in self.micro_batches)

    @property
    def target_tokens(self) -> int:
        """How many target tokens all micro-batches have together, EOS counted."""
        return sum(len(row.labels) for micro_batch in self.micro_batches for row in micro_batch)

    @property
    def tokens(self) -> int:
        """How many tokens all micro-batches have together, prompts and targets, no padding."""
        return self.target_tokens + sum(len(row.input_ids) for micro_batch in self.micro_batches for row in micro_batch)

    def of_rank(self, rank: int, world: int) -> list[list[Encoded]]:
        """Rank r's micro-batches: r, r + world, ...; an empty one where there is none: all ranks have equally many."""
        rows = -(-len(self.micro_batches) // world)
        return [
            self.micro_batches[place] if place < len(self.micro_batches) else []
            for place in range(rank, rows * world, world)
        ]


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps of ``micro_batches`` micro-batches of at most ``tokens`` positions each, cut inside windows of ``window``
    examples; each is cut in two ``halvings`` times, which leaves a step its examples.

    ``data`` gives the encoded examples of an epoch by task. Inside a window lengths alone decide the micro-batches,
    which are then shuffled by (seed, epoch, window). Nothing depends on the number of ranks.
    """

    data: Callable[[int], Sequence[Sequence[Encoded]]]
    order: Order
    tokens: int
    micro_batches: int
    window: int
    halvings: int = 0

    def steps(self, epoch: int, after: int = 0) -> Iterator[Step]:
        """The steps of an epoch without the first ``after``. Only the last one may have fewer micro-batches."""
        rows = self._rows(epoch)
        waiting: list[list[Encoded]] = []
        number = 0
        for place in self._micro_batches(rows, epoch):
            waiting.append([rows[position] for position in place.tolist()])
            if len(waiting) == self.micro_batches:
                if number >= after:
                    yield Step(epoch, number, halved(waiting, self.halvings))
                waiting, number = [], number + 1
        if waiting and number >= after:
            yield Step(epoch, number, halved(waiting, self.halvings))

    def count(self, epochs: float) -> int:
        """How many steps so many epochs have, at least one; of the last a part where they are no whole number."""
        whole = int(epochs)
        steps = sum(self._count(epoch) for epoch in range(whole))
        part = epochs - whole
        return max(1, steps + (math.ceil(part * self._count(whole)) if part else 0))

    def _count(self, epoch: int) -> int:
        return -(-sum(1 for _ in self._micro_batches(self._rows(epoch), epoch)) // self.micro_batches)

    def taken(self, epoch: int, steps: int) -> Counter[int]:
        """How many examples of each task, by its index, the first ``steps`` steps of an epoch hold."""
        rows = (
            row
            for step in islice(self.steps(epoch), steps)
            for micro_batch in step.micro_batches
            for row in micro_batch
        )
        return Counter(row.task_index for row in rows)

    def _rows(self, epoch: int) -> list[Encoded]:
        data = self.data(epoch)
        return [data[task][index] for task, index in self.order.epoch(epoch).tolist()]

    def _micro_batches(self, rows: Sequence[Encoded], epoch: int) -> Iterator[Indices]:
        prompts = np.fromiter((len(row.input_ids) for row in rows), dtype=np.int64)
        targets = np.fromiter((len(row.labels) for row in rows), dtype=np.int64)
        for number, start in enumerate(range(0, len(rows), self.window)):
            inside = slice(start, start + self.window)
            micro_batches = cut_micro_batches(prompts[inside], targets[inside], self.tokens)
            sequence = np.random.SeedSequence([self.order.seed, _MICRO_BATCHES, epoch, number])
            for place in np.random.Generator(np.random.Philox(sequence)).permutation(len(micro_batches)):
                yield micro_batches[place] + start


def halved(micro_batches: Sequence[list[Encoded]], times: int) -> list[list[Encoded]]:
    """``micro_batches`` cut in two so many times, in their order; one of a single example stays as it is."""
    found = list(micro_batches)
    for _ in range(times):
        halves = ((rows[: (len(rows) + 1) // 2], rows[(len(rows) + 1) // 2 :]) for rows in found)
        found = [half for two in halves for half in two if half]
    return found


def cut_micro_batches(prompts: Indices, targets: Indices, tokens: int) -> list[Indices]:
    """The micro-batches of one window, as places in it; every place is in one micro-batch.

    ``prompts`` and ``targets`` are lengths. A micro-batch of b rows costs b x (longest prompt + longest target) <=
    ``tokens`` positions, padding to GRID counted; an example that is longer is a micro-batch of its own. Lengths alone
    decide: examples are taken by target length, by prompt length among those of one, up for one target length and down
    for the next.
    """
    prompts, targets = on_grid(prompts), on_grid(targets)
    order = np.lexsort((np.arange(len(prompts)), np.where(targets // GRID % 2 == 0, prompts, -prompts), targets))
    micro_batches: list[Indices] = []
    start, prompt, target = 0, 0, 0
    for place, index in enumerate(order):
        wider, longer = max(prompt, int(prompts[index])), max(target, int(targets[index]))
        if place > start and (place - start + 1) * (wider + longer) > tokens:
            micro_batches.append(order[start:place])
            start, wider, longer = place, int(prompts[index]), int(targets[index])
        prompt, target = wider, longer
    if len(order):
        micro_batches.append(order[start:])
    return micro_batches


def on_grid(lengths: Indices) -> Indices:
    """``lengths`` rounded up to multiples of GRID."""
    return -(-lengths // GRID) * GRID

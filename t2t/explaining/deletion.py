"""Whether attributions hold up: without the tokens that they name, the output must lose more than without others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from t2t.draws import random_of
from t2t.explaining.scoring import Scorer
from t2t.explaining.source_pieces import Piece

SIZES = (1, 2, 4, 8)  # pieces that are deleted together
DRAWS = 10  # of pieces at random, for each size


@dataclass(frozen=True, slots=True)
class Fall:
    """By how many nats the score of one item falls without the ``size`` pieces of the highest attribution (``top``),
    and without as many at random, on average over DRAWS draws."""

    size: int
    top: float
    random: float


@dataclass(frozen=True, slots=True)
class Falls:
    """The mean over ``items``, and the share of them whose score falls more without the top pieces (``ahead``)."""

    size: int
    items: int
    top: float
    random: float
    ahead: float


def falls_without(
    scorer: Scorer, ids: Sequence[int], pieces: Sequence[Piece], weights: Sequence[float], *key: object
) -> tuple[Fall, ...]:
    """The falls for each of SIZES that leaves a piece. The tokens are really taken out, so that this is another
    measure than what attributions are made of. ``key``: decides the draws."""
    order = sorted(range(len(pieces)), key=lambda place: -weights[place])
    sizes = [size for size in SIZES if size < len(pieces)]
    if not sizes:
        return ()
    drawn = random_of("deletion", *key)
    chosen = [places for size in sizes for places in (order[:size], *_draws(drawn, len(pieces), size))]
    whole, *rest = scorer.of_rows([ids, *(_without(ids, [pieces[place] for place in one]) for one in chosen)])
    fallen = whole - np.asarray(rest).reshape(len(sizes), 1 + DRAWS)
    return tuple(Fall(size, float(row[0]), float(row[1:].mean())) for size, row in zip(sizes, fallen, strict=True))


def _draws(drawn: Random, count: int, size: int) -> list[list[int]]:
    return [drawn.sample(range(count), size) for _ in range(DRAWS)]


def _without(ids: Sequence[int], pieces: Sequence[Piece]) -> list[int]:
    deleted = {token for piece in pieces for token in piece.tokens}
    return [id_ for place, id_ in enumerate(ids) if place not in deleted]


def summed_up(each: Iterable[Sequence[Fall]]) -> list[Falls]:
    """The falls of all items, size by size; no line for a size that no text was long enough for."""
    by_size: dict[int, list[Fall]] = {size: [] for size in SIZES}
    for falls in each:
        for fall in falls:
            by_size[fall.size].append(fall)
    return [
        Falls(
            size,
            len(some),
            sum(one.top for one in some) / len(some),
            sum(one.random for one in some) / len(some),
            sum(one.top > one.random for one in some) / len(some),
        )
        for size, some in by_size.items()
        if some
    ]


def holds(check: Sequence[Falls]) -> bool:
    """True if the scores fall more without the top pieces, for each size."""
    return all(one.top > one.random for one in check)

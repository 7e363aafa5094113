"""How far two samples of a number are apart, from their counts: the statistic of Kolmogorov and Smirnov."""

from __future__ import annotations

import math
from collections.abc import Mapping

Counts = Mapping[float, int]  # how often each value was seen
_ONE_IN_A_HUNDRED = math.sqrt(-math.log(0.01 / 2) / 2)  # of the statistic by chance alone (Smirnov 1948), large samples


def distance(one: Counts, other: Counts, *, below: bool = False) -> float:
    """The largest difference between the shares of both samples that are at most some value, from 0 to 1.

    ``below``: only how far ``other`` lies below ``one``. ValueError for an empty sample.
    """
    sizes = sum(one.values()), sum(other.values())
    if not all(sizes):
        raise ValueError("a sample is empty")
    largest = seen_one = seen_other = 0.0
    for value in sorted({*one, *other}):
        seen_one += one.get(value, 0) / sizes[0]
        seen_other += other.get(value, 0) / sizes[1]
        gap = seen_other - seen_one
        largest = max(largest, gap if below else abs(gap))
    return min(1.0, largest)


def bound_by_chance(one: int, other: int) -> float:
    """The distance that two samples of these sizes from one distribution exceed about once in a hundred times; more
    rarely where values coincide."""
    return min(1.0, _ONE_IN_A_HUNDRED * math.sqrt((one + other) / (one * other)))


def mean(counts: Counts) -> float:
    """The mean of a sample that is not empty."""
    return sum(value * count for value, count in counts.items()) / sum(counts.values())

"""Numbers: mean absolute error, Pearson and Spearman correlation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from t2t.errors import TemplateError
from t2t.linear.parsed import Parsed
from t2t.metrics.labels import Share
from t2t.metrics.metric import METRICS, RESAMPLES, Metric, MetricArguments, Stats
from t2t.metrics.values import Missing, gold_at, parsed_at
from t2t.structures import Value


def _number(value: Value | Missing) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _gold(references: Sequence[Value], path: str, where: str) -> float:
    gold = _number(gold_at(references[0], path, where))
    if gold is None:
        raise TemplateError(where, f"the gold at {path or 'the root'!r} is not a number", "use another metric")
    return gold


@dataclass(frozen=True, slots=True)
class AbsoluteError(Share):
    """Mean absolute error; an output that could not be read errs by ``worst``."""

    worst: float = 1.0

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        gold, found = _gold(references, self.path, self.where), _number(parsed_at(parsed, self.path))
        return np.array([self.worst if found is None else abs(found - gold), 1.0])


@dataclass(frozen=True, slots=True)
class Pearson:
    """Pearson correlation over the readable outputs, times their share (Pearson's r has no value for the others).

    Statistics: examples, readable ones, and the sums of x, y, x squared, y squared, x times y over these.
    """

    name: str
    path: str
    where: str
    best: float = 1.0
    detail: str = ""

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        x, y = _gold(references, self.path, self.where), _number(parsed_at(parsed, self.path))
        return np.array([1.0, 0, 0, 0, 0, 0, 0] if y is None else [1.0, 1.0, x, y, x * x, y * y, x * y])

    def total(self, stats: Stats) -> float:
        n, readable, x, y, xx, yy, xy = stats
        spread = _spread(readable, x, xx) * _spread(readable, y, yy)
        return float((readable * xy - x * y) / math.sqrt(spread) * readable / n) if spread > 0 else 0.0


def _spread(n: float, total: float, squares: float) -> float:
    """n squared times the variance; 0 where only rounding is left of it."""
    spread = n * squares - total * total
    return spread if spread > 1e-12 * n * squares else 0.0


@dataclass(frozen=True, slots=True)
class Spearman:
    """Spearman correlation (Pearson's of the average ranks) over the readable outputs, times their share.

    Statistics: readable, x, y. Ranks do not add up, so each resample ranks its own values: a value that was drawn
    twice is a tie, and ties share their mean rank.
    """

    name: str
    path: str
    where: str
    resamples: int = RESAMPLES
    best: float = 1.0
    detail: str = ""

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        x, y = _gold(references, self.path, self.where), _number(parsed_at(parsed, self.path))
        return np.array([0.0, 0.0, 0.0] if y is None else [1.0, x, y])

    def bind(self, stats: Stats) -> Callable[[Stats], float]:
        readable = stats[:, 0] > 0
        (_, x), (_, y) = (np.unique(stats[readable, column], return_inverse=True) for column in (1, 2))

        def value_of(counts: Stats) -> float:
            drawn = counts[readable]
            share = float(drawn.sum() / counts.sum())
            return _correlation(_ranks(x, drawn), _ranks(y, drawn), drawn) * share

        return value_of


def _ranks(levels: npt.NDArray[np.intp], counts: Stats) -> Stats:
    """The mean rank of each value, given as its place among the values that differ and how often it counts."""
    sizes = np.bincount(levels, weights=counts)
    return np.asarray((np.cumsum(sizes) - sizes / 2)[levels])


def _correlation(x: Stats, y: Stats, counts: Stats) -> float:
    if not counts.sum():
        return 0.0
    x, y = (column - np.average(column, weights=counts) for column in (x, y))
    spread = float((counts @ (x * x)) * (counts @ (y * y)))
    return float(counts @ (x * y)) / math.sqrt(spread) if spread > 0 else 0.0


@METRICS.register("mae")
def mae(arguments: MetricArguments) -> Metric:
    """``mae: {of: PATH, worst: NUMBER}``: mean absolute error; an unreadable output counts as an error of ``worst``."""
    arguments.only("of", "worst")
    worst = _number(arguments.given.get("worst"))
    if worst is None:
        found = "metric mae does not say what an unreadable output counts"
        raise TemplateError(arguments.where, found, "add worst: NUMBER, the width of the scale")
    return AbsoluteError(arguments.name, arguments.word("of", ""), arguments.where, best=0.0, worst=worst)


@METRICS.register("pearson")
def pearson(arguments: MetricArguments) -> Metric:
    """``pearson: {of: PATH}``: correlation of predicted and gold numbers."""
    arguments.only("of")
    return Pearson(arguments.name, arguments.word("of", ""), arguments.where)


@METRICS.register("spearman")
def spearman(arguments: MetricArguments) -> Metric:
    """``spearman: {of: PATH}``: correlation of the ranks of predicted and gold numbers."""
    arguments.only("of")
    return Spearman(arguments.name, arguments.word("of", ""), arguments.where)

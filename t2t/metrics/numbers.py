"""Numbers: mean absolute error and Pearson correlation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2t.errors import TemplateError
from t2t.linear.parsed import Parsed
from t2t.metrics.base import METRICS, Arguments, Metric, Stats
from t2t.metrics.labels import Share
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
        spread = (readable * xx - x * x) * (readable * yy - y * y)
        return float((readable * xy - x * y) / np.sqrt(spread) * readable / n) if spread > 0 else 0.0


@METRICS.register("mae")
def mae(arguments: Arguments) -> Metric:
    """``mae: {of: PATH, worst: NUMBER}``: mean absolute error; an unreadable output counts as an error of ``worst``."""
    arguments.only("of", "worst")
    worst = _number(arguments.given.get("worst"))
    if worst is None:
        found = "metric mae does not say what an unreadable output counts"
        raise TemplateError(arguments.where, found, "add worst: NUMBER, the width of the scale")
    return AbsoluteError(arguments.name, arguments.word("of", ""), arguments.where, best=0.0, worst=worst)


@METRICS.register("pearson")
def pearson(arguments: Arguments) -> Metric:
    """``pearson: {of: PATH}``: correlation of predicted and gold numbers."""
    arguments.only("of")
    return Pearson(arguments.name, arguments.word("of", ""), arguments.where)

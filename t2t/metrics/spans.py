"""Micro F1 over multisets of tuples, and mentions by offset or by string."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from t2t.linear.parsed import Parsed
from t2t.metrics.metric import METRICS, Metric, MetricArguments, Stats
from t2t.metrics.values import OUTPUT, Key, Look, Missing, Surface, parsed_at, place, plain
from t2t.structures import Value


@dataclass(frozen=True, slots=True)
class MicroF1:
    """F1 over all tuples of all examples; an example without tuples counts nothing, a duplicate counts again.

    ``tuples`` turns one item of the list ``over``, read through a Look, into the tuples it stands for. Statistics are
    (right, predicted, gold). Of several references the one with the highest F1 counts. With no tuple at all on either
    side F1 is 1.
    """

    name: str
    over: str
    where: str
    tuples: Callable[[Value, Look], list[Key]]
    best: float = 1.0
    detail: str = ""

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        gold = Look(self.where)
        found = self._keys(parsed_at(parsed, ""), OUTPUT)
        candidates = [_compare(self._keys(reference, gold), found) for reference in references]
        return candidates[0] if len(candidates) == 1 else max(candidates, key=self.total)

    def _keys(self, value: Value | Missing, look: Look) -> list[Key]:
        return [key for item in look.items(value, self.over) for key in self.tuples(item, look)]

    def total(self, stats: Stats) -> float:
        return float(2 * stats[0] / (stats[1] + stats[2])) if stats[1] + stats[2] else 1.0


def _compare(gold: list[Key], found: list[Key]) -> Stats:
    different = set(gold)
    alone = len(different) == len(gold)  # then nothing needs to be counted
    right = len(different.intersection(found)) if alone else (Counter(gold) & Counter(found)).total()
    return np.array([right, len(found), len(gold)], dtype=np.float64)


def _mentions(arguments: MetricArguments, surface: Surface) -> Metric:
    arguments.only("over", "span", "type")
    span, kind = arguments.word("span", "text"), arguments.optional("type")

    def tuples(item: Value, look: Look) -> list[Key]:
        mention = item if not isinstance(item, dict) else look.at(item, span)
        return [(surface(mention), plain(look.at(item, kind)) if kind else None)]

    return MicroF1(arguments.name, arguments.word("over", ""), arguments.where, tuples)


@METRICS.register("span_f1")
def span_f1(arguments: MetricArguments) -> Metric:
    """``span_f1: {over: LIST, span: KEY, type: KEY}``: mentions by (start, end, type); ``type`` may be left out."""
    return _mentions(arguments, place)


@METRICS.register("span_f1_string")
def span_f1_string(arguments: MetricArguments) -> Metric:
    """``span_f1_string: {over: LIST, span: KEY, type: KEY}``: mentions by (text, type)."""
    return _mentions(arguments, plain)

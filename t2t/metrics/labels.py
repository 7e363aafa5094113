"""Metrics of one answer per example, or of a set of labels: accuracy, exact match, F1 over classes, MCC."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from t2t.linear.parsed import Parsed
from t2t.metrics.metric import METRICS, Metric, MetricArguments, Stats
from t2t.metrics.values import MISSING, Key, Missing, clean, gold_at, parsed_at, plain, unordered
from t2t.structures import Value


@dataclass(frozen=True, slots=True)
class Share:
    """Metrics whose value is a mean over examples: statistics (sum, n)."""

    name: str
    path: str
    where: str
    best: float = 1.0
    detail: str = ""

    def total(self, stats: Stats) -> float:
        return float(stats[0] / stats[1]) if stats[1] else 0.0


def _constant(*numbers: float) -> Stats:
    stats = np.array(numbers)
    stats.setflags(write=False)
    return stats


# The statistics of one example of a share, which all examples have in common.
RIGHT, WRONG = _constant(1.0, 1.0), _constant(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Accuracy(Share):
    """Share of examples whose value at a path equals a reference; ``whole`` also wants every part of it parseable.

    Lists are equal if their items are, in the same order; without ``ordered`` in any order.
    """

    whole: bool = False
    ordered: bool = True

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        golds = [self._key(gold_at(reference, self.path, self.where)) for reference in references]
        found = parsed_at(parsed, self.path)
        right = found is not MISSING and self._key(found) in golds and (not self.whole or clean(parsed, self.path))
        return RIGHT if right else WRONG

    def _key(self, value: Value | Missing) -> Key:
        return plain(value) if self.ordered else unordered(value)


_Labels: TypeAlias = tuple[Key, ...]  # a set whose order is the same in every process


@dataclass(frozen=True, slots=True)
class Classes:
    """A measure of examples and of (right, predicted, gold) for each class, which are the columns of its statistics.

    A value that is a list is a set of labels (unless ``sets`` is off), any other value a set of one. An output that
    could not be read is predicted as no class. Of several references the one that shares most labels with the output
    counts. Classes are in the order in which this metric first saw them; a later class only adds columns at the end.
    ``ignored`` classes (no relation, other) count neither as predicted nor as gold. Examples of the same gold and
    predicted labels share one row of statistics, kept in ``rows``.
    """

    name: str
    path: str
    where: str
    measure: Callable[[Stats, float], float]
    ignored: frozenset[Key] = frozenset()
    sets: bool = True
    best: float = 1.0
    detail: str = ""
    classes: dict[Key, int] = field(default_factory=dict)
    rows: dict[tuple[_Labels, _Labels], Stats] = field(default_factory=dict)

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        value = parsed_at(parsed, self.path)
        found: _Labels = () if value is MISSING else self._labels(value)
        golds = [self._labels(gold_at(reference, self.path, self.where)) for reference in references]
        gold = golds[0] if len(golds) == 1 else max(golds, key=lambda labels: _overlap(labels, found))
        if (gold, found) not in self.rows:
            self.rows[gold, found] = self._row(gold, found)
        return self.rows[gold, found]

    def _row(self, gold: _Labels, found: _Labels) -> Stats:
        places = {label: self.classes.setdefault(label, len(self.classes)) for label in (*gold, *found)}
        stats = np.zeros(1 + 3 * len(self.classes))
        stats[0] = 1.0
        for label in found:
            stats[3 * places[label] + 2] = 1.0
        for label in gold:
            stats[3 * places[label] + 3] = 1.0
            stats[3 * places[label] + 1] = float(label in found)
        stats.setflags(write=False)
        return stats

    def _labels(self, value: Value | Missing) -> _Labels:
        values = value if self.sets and isinstance(value, list) else [value]
        return tuple(dict.fromkeys(label for label in map(plain, values) if label not in self.ignored))

    def total(self, stats: Stats) -> float:
        return self.measure(stats[1:].reshape(-1, 3).T, float(stats[0]))


def _overlap(gold: _Labels, found: _Labels) -> float:
    return 2 * len({*gold} & {*found}) / (len(gold) + len(found)) if gold or found else 1.0


def macro_average(counts: Stats, n: float) -> float:
    """F1 of each class, averaged over the classes that are in gold or predictions (as scikit-learn does)."""
    right, predicted, gold = counts
    present = predicted + gold > 0
    return float(np.mean(2 * right[present] / (predicted + gold)[present])) if present.any() else 1.0


def micro_average(counts: Stats, n: float) -> float:
    """F1 over all classes together; 1 where nothing was there to find and nothing was found."""
    right, predicted, gold = counts.sum(axis=1)
    return float(2 * right / (predicted + gold)) if predicted + gold else 1.0


def matthews(counts: Stats, n: float) -> float:
    """Matthews correlation for any number of classes (Gorodkin 2004, R_K); 0 where one side holds one class only.

    Outputs that could not be read are a class of their own, which no gold has. Gold and predictions that are all of
    one class, the same, have no correlation, and score 0 as in scikit-learn.
    """
    right, predicted, gold = counts
    unread = n - predicted.sum()
    spread_predicted = n * n - float(predicted @ predicted) - unread * unread
    spread_gold = n * n - float(gold @ gold)
    if spread_predicted <= 0 or spread_gold <= 0:
        return 0.0
    return float((right.sum() * n - predicted @ gold) / math.sqrt(spread_predicted * spread_gold))


def _path(arguments: MetricArguments) -> str:
    arguments.only("of")
    return arguments.word("of", "")


@METRICS.register("accuracy")
def accuracy(arguments: MetricArguments) -> Metric:
    """``accuracy: {of: PATH, ordered: true}``: the value at the path equals a reference."""
    return _accuracy(arguments, whole=False)


@METRICS.register("exact_match")
def exact_match(arguments: MetricArguments) -> Metric:
    """``exact_match: {of: PATH, ordered: true}``: the same, and no part of the value was unparseable."""
    return _accuracy(arguments, whole=True)


def _accuracy(arguments: MetricArguments, whole: bool) -> Metric:
    arguments.only("of", "ordered")
    path, ordered = arguments.word("of", ""), arguments.flag("ordered", True)
    detail = "" if ordered else "ordered:false"
    return Accuracy(arguments.name, path, arguments.where, detail=detail, whole=whole, ordered=ordered)


def _classes(arguments: MetricArguments, measure: Callable[[Stats, float], float]) -> Metric:
    arguments.only("of", "ignore")
    ignored = arguments.words("ignore")
    detail = f"ignore:{','.join(ignored)}" if ignored else ""
    path = arguments.word("of", "")
    return Classes(arguments.name, path, arguments.where, measure, frozenset(ignored), detail=detail)


@METRICS.register("macro_f1")
def macro_f1(arguments: MetricArguments) -> Metric:
    """``macro_f1: {of: PATH, ignore: LABELS}``: unweighted mean of the classes' F1; of one label or a set of them."""
    return _classes(arguments, macro_average)


@METRICS.register("micro_f1")
def micro_f1(arguments: MetricArguments) -> Metric:
    """``micro_f1: {of: PATH, ignore: LABELS}``: F1 over all classes together; of one label or a set of them."""
    return _classes(arguments, micro_average)


@METRICS.register("mcc")
def mcc(arguments: MetricArguments) -> Metric:
    """``mcc: {of: PATH}``: Matthews correlation of one label an example; 0 where the gold has one class only."""
    return Classes(arguments.name, _path(arguments), arguments.where, matthews, sets=False)

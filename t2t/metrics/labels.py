"""Metrics of one answer per example: accuracy, exact match, macro F1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from t2t.linear.parsed import Parsed
from t2t.metrics.base import METRICS, Arguments, Metric, Stats
from t2t.metrics.values import MISSING, Key, clean, gold_at, parsed_at, plain
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


@dataclass(frozen=True, slots=True)
class Accuracy(Share):
    """Share of examples whose value at a path equals a reference; ``whole`` also wants every part of it parseable."""

    whole: bool = False

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        golds = {plain(gold_at(reference, self.path, self.where)) for reference in references}
        found = parsed_at(parsed, self.path)
        right = found is not MISSING and plain(found) in golds and (not self.whole or clean(parsed, self.path))
        return np.array([float(right), 1.0])


@dataclass(frozen=True, slots=True)
class MacroF1:
    """F1 of each class, averaged over the classes that stand in the gold or in the predictions (as scikit-learn does).

    Statistics are (right, predicted, gold) for each class, in the order in which this metric first saw the classes;
    a later class only adds columns at the end. An output that could not be read is predicted as no class.
    """

    name: str
    path: str
    where: str
    best: float = 1.0
    detail: str = ""
    classes: dict[Key, int] = field(default_factory=dict)

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        golds = [plain(gold_at(reference, self.path, self.where)) for reference in references]
        value = parsed_at(parsed, self.path)
        found = None if value is MISSING else plain(value)
        right = value is not MISSING and found in golds
        gold = self._index(found if right else golds[0])
        predicted = None if value is MISSING else self._index(found)
        stats = np.zeros(3 * len(self.classes))
        stats[3 * gold + 2] = 1.0
        if predicted is not None:
            stats[3 * predicted + 1] = 1.0
            stats[3 * predicted] = float(right)
        return stats

    def _index(self, label: Key) -> int:
        return self.classes.setdefault(label, len(self.classes))

    def total(self, stats: Stats) -> float:
        right, predicted, gold = stats.reshape(-1, 3).T
        present = predicted + gold > 0
        return float(np.mean(2 * right[present] / (predicted + gold)[present])) if present.any() else 0.0


def _path(arguments: Arguments) -> str:
    arguments.only("of")
    return arguments.word("of", "")


@METRICS.register("accuracy")
def accuracy(arguments: Arguments) -> Metric:
    """``accuracy: {of: PATH}``: the value at the path equals a reference."""
    return Accuracy(arguments.name, _path(arguments), arguments.where)


@METRICS.register("exact_match")
def exact_match(arguments: Arguments) -> Metric:
    """``exact_match: {of: PATH}``: the same, and no part of the value was unparseable."""
    return Accuracy(arguments.name, _path(arguments), arguments.where, whole=True)


@METRICS.register("macro_f1")
def macro_f1(arguments: Arguments) -> Metric:
    """``macro_f1: {of: PATH}``: unweighted mean of the classes' F1."""
    return MacroF1(arguments.name, _path(arguments), arguments.where)

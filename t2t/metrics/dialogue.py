"""Items as a whole: slot F1 and joint goal accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from t2t.linear.parsed import Parsed
from t2t.metrics.labels import RIGHT, WRONG, Share
from t2t.metrics.metric import METRICS, Metric, MetricArguments, Stats
from t2t.metrics.spans import MicroF1
from t2t.metrics.values import OUTPUT, Look, clean, parsed_at, plain
from t2t.structures import Value


@dataclass(frozen=True, slots=True)
class JointAccuracy(Share):
    """Share of examples whose set of items equals a reference's, with no item that could not be parsed."""

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        gold = Look(self.where)
        golds = [set(map(plain, gold.items(reference, self.path))) for reference in references]
        found = set(map(plain, OUTPUT.items(parsed_at(parsed, ""), self.path)))
        path = self.path if isinstance(parsed.value, dict) else ""  # issues of a root list do not name the list
        return RIGHT if found in golds and clean(parsed, path) else WRONG


@METRICS.register("joint_accuracy")
def joint_accuracy(arguments: MetricArguments) -> Metric:
    """``joint_accuracy: {over: LIST}``: joint goal accuracy of dialogue state tracking; order does not matter."""
    arguments.only("over")
    return JointAccuracy(arguments.name, arguments.word("over", ""), arguments.where)


@METRICS.register("item_f1")
def item_f1(arguments: MetricArguments) -> Metric:
    """``item_f1: {over: LIST}``: micro F1 over whole items by string: slots, state entries, labels of a label set."""
    arguments.only("over")
    return MicroF1(arguments.name, arguments.word("over", ""), arguments.where, lambda item, look: [plain(item)])

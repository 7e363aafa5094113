"""How well outputs could be read: measured for every task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2t.linear.parsed import Parsed
from t2t.metrics.labels import RIGHT, WRONG, Share
from t2t.metrics.metric import METRICS, Metric, MetricArguments, Stats
from t2t.structures import Span, Value


def spans_of(value: Value) -> list[Span]:
    """Every span of a value tree, in order."""
    if isinstance(value, Span):
        return [value]
    if not isinstance(value, (list, dict)):
        return []
    spans: list[Span] = []
    for item in value.values() if isinstance(value, dict) else value:
        if not isinstance(item, str):
            spans += spans_of(item)
    return spans


@dataclass(frozen=True, slots=True)
class Unparseable(Share):
    """Share of outputs of which any part could not be parsed."""

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        return WRONG if parsed.ok else RIGHT


@dataclass(frozen=True, slots=True)
class Ungrounded(Share):
    """Share of generated spans that are not in the source; 0 where none were generated."""

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        found = [span.found == "absent" for span in spans_of(parsed.value)]
        return np.array([float(sum(found)), float(len(found))])


@METRICS.register("unparseable")
def unparseable(arguments: MetricArguments) -> Metric:
    """``unparseable``: share of outputs that are not in the target language as a whole."""
    arguments.only()
    return Unparseable(arguments.name, "", arguments.where, best=0.0)


@METRICS.register("ungrounded")
def ungrounded(arguments: MetricArguments) -> Metric:
    """``ungrounded``: share of generated spans that are not in the source."""
    arguments.only()
    return Ungrounded(arguments.name, "", arguments.where, best=0.0)


def health_metrics() -> list[Metric]:
    """The two metrics that every task is measured by."""
    return [Unparseable("unparseable", "", "", best=0.0), Ungrounded("ungrounded", "", "", best=0.0)]

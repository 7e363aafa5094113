"""What a metric can reach at most: its value when the gold's own target is the prediction (law 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from t2t.linear.parsed import Parsed
from t2t.metrics.metric import Columnar, Metric, segments, value
from t2t.structures import Value

SCORED = 500  # examples that an additive metric is tried on
_CLOSE = 1e-6


class Ceiling:
    """Gathers golds that were rendered and parsed again, as certain as can be, and scores them.

    Less than the best comes from what a target cannot say (rounding, lost offsets), or from the metric itself (BLEU of
    one-word references, how diverse the gold is). Columnar metrics see all examples, as their value may depend on how
    many there are; the others the first 500.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self._pairs: list[tuple[Sequence[Value], Parsed]] = []
        self._most = None if any(isinstance(metric, Columnar) for metric in metrics) else SCORED

    @property
    def full(self) -> bool:
        """True if no more golds are wanted."""
        return len(self._pairs) == self._most

    def add(self, references: Sequence[Value], parsed: Parsed) -> None:
        """``parsed``: what the target of the gold says."""
        if not self.full:
            self._pairs.append((references, Parsed(parsed.value, parsed.issues, score=0.0)))

    def values(self) -> Mapping[str, float]:
        """The ceiling of each metric by name; its best where no gold was added."""
        return {metric.name: self._value(metric) for metric in self._metrics}

    def _value(self, metric: Metric) -> float:
        pairs = self._pairs if isinstance(metric, Columnar) else self._pairs[:SCORED]
        found = value(metric, segments(metric, pairs)) if pairs else metric.best
        return metric.best if abs(found - metric.best) < _CLOSE else found


def missed(metrics: Iterable[Metric], ceilings: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """Name, ceiling and best of each metric whose best is out of reach."""
    rows = [(metric.name, ceilings[metric.name], metric.best) for metric in metrics]
    return [row for row in rows if row[1] != row[2]]

"""What metrics say when the gold itself is the prediction (law 4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from t2t.linear.parsed import Parsed
from t2t.metrics.base import Metric, Stats
from t2t.structures import Value

_SCORED = 200  # examples a split; the sums of all would say the same


class Ceiling:
    """The sums of each metric's statistics over the first examples."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.rows: list[tuple[Metric, list[Stats]]] = [(metric, []) for metric in metrics]

    def add(self, references: list[Value], gold: Value) -> None:
        for metric, rows in self.rows:
            if len(rows) < _SCORED:
                rows.append(metric.segment(references, Parsed(gold)))

    def missed(self) -> list[tuple[str, float, float]]:
        """Name, value and best of each metric that does not reach its best."""
        values = [(metric, metric.total(_sum(rows))) for metric, rows in self.rows if rows]
        return [(m.name, value, m.best) for m, value in values if abs(value - m.best) > 1e-6]


def _sum(rows: list[Stats]) -> Stats:
    """The sum of rows, of which the earlier may be shorter."""
    total = np.zeros(max(map(len, rows)))
    for row in rows:
        total[: len(row)] += row
    return total

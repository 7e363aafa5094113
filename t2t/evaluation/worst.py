"""The worst examples of a split: what a user looks at first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from t2t.evaluation.pairs import Judged, Scorable
from t2t.metrics import Metric
from t2t.metrics.metric import Additive, Columnar, Stats, each_alone, stacked
from t2t.structures import Json

WORST = 10


class Ranked(NamedTuple):
    """An example with its value by a metric, and how far that is from the metric's best."""

    distance: float
    value: float
    judged: Judged


class Ranking:
    """The ten examples furthest from the best of a metric, worst first; those that reach it are not among them.

    ``place``: which of the metrics it is.
    """

    def __init__(self, place: int, metric: Additive) -> None:
        self.place = place
        self.metric = metric
        self.worst: list[Ranked] = []
        self._values: set[float] = set()

    @property
    def distinguishes(self) -> bool:
        """True if not all examples have the same value."""
        return len(self._values) > 1

    def add(self, judged: Sequence[Judged], stats: Stats) -> None:
        """More examples, whose statistics are the rows of ``stats``, shape (n, k)."""
        values = each_alone(self.metric, stats)
        if not self.distinguishes:
            self._values.update(values.tolist())
        distance = np.abs(values - self.metric.best)
        order = np.argsort(-distance, kind="stable")[:WORST]
        more = [Ranked(float(distance[i]), float(values[i]), judged[i]) for i in order if distance[i] > 1e-9]
        self.worst = sorted([*self.worst, *more], key=lambda one: -one.distance)[:WORST]


class Worst:
    """Gathers the worst examples of a split part by part, so that the others need not be kept.

    They are ranked by the first metric that tells single examples apart: a correlation does not.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._rankings = [
            Ranking(place, metric) for place, metric in enumerate(metrics) if not isinstance(metric, Columnar)
        ]

    def add(self, judged: Sequence[Judged], rows: Sequence[Sequence[Stats]]) -> None:
        """More examples; ``rows``: for each of the metrics, the statistics of each of them."""
        for index, ranking in enumerate(self._rankings):
            ranking.add(judged, stacked(rows[ranking.place]))
            if ranking.distinguishes:
                del self._rankings[index + 1 :]  # none of these can be the first any more

    def entries(self, task: Scorable) -> list[Json]:
        """The worst examples as worst.json has them."""
        chosen = next((one for one in self._rankings if one.distinguishes), None) or next(iter(self._rankings), None)
        return [] if chosen is None else [_entry(task, chosen.metric.name, one) for one in chosen.worst]


def _entry(task: Scorable, metric: str, ranked: Ranked) -> Json:
    judged = ranked.judged
    issues = [asdict(issue) for issue in judged.parsed.issues]
    line = {"id": judged.example.id, "prompt": judged.line.get("prompt", ""), "gold": task.target_text(judged.example)}
    return {**line, "text": judged.line["text"], "issues": issues, "metric": metric, "value": ranked.value}

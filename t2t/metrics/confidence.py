"""How sure the model was of what it wrote: perplexity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2t.errors import DataError
from t2t.linear.parsed import Parsed
from t2t.metrics.labels import Share
from t2t.metrics.metric import METRICS, Metric, MetricArguments, Stats
from t2t.structures import Value

_LARGEST = 700.0  # nats: exp of more is no float


@dataclass(frozen=True, slots=True)
class Perplexity(Share):
    """The exponential of the mean over outputs of their negative score, the mean log-probability of an output's tokens.

    So every output weighs the same, however long, and it is the model's perplexity on its own outputs, not on the
    gold. 1 is best. DataError for a prediction without a score.
    """

    @property
    def less_is_better(self) -> bool:
        return True

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        if parsed.score is None:
            todo = "generate with an engine that scores, or leave perplexity out"
            raise DataError(self.where, f"metric {self.name}: a prediction has no score", todo)
        return np.array([-parsed.score, 1.0])

    def total(self, stats: Stats) -> float:
        return math.exp(min(float(stats[0] / stats[1]), _LARGEST)) if stats[1] else 1.0


@METRICS.register("perplexity")
def perplexity(arguments: MetricArguments) -> Metric:
    """``perplexity``: from the ``score`` of the prediction lines."""
    arguments.only()
    return Perplexity(arguments.name, "", arguments.where, best=1.0)

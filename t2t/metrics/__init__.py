"""Metrics: additive statistics per example, a total over them, and a bootstrap interval that comes free."""

from t2t.metrics import (
    dialogue,
    events,
    labels,
    numbers,
    overlap,
    parse_health,
    relations,
    spans,
    squad,
)
from t2t.metrics.base import METRICS, Metric, Score, build_metrics, score, segments
from t2t.metrics.parse_health import health_metrics

__all__ = [
    "METRICS",
    "Metric",
    "Score",
    "build_metrics",
    "dialogue",
    "events",
    "health_metrics",
    "labels",
    "numbers",
    "overlap",
    "parse_health",
    "relations",
    "score",
    "segments",
    "spans",
    "squad",
]

"""Metrics: additive statistics per example, a total over them, and a bootstrap interval that comes free."""

from t2t.metrics import (
    confidence,
    dialogue,
    diversity,
    evaluate_package,
    events,
    labels,
    numbers,
    overlap,
    parse_health,
    relations,
    spans,
    squad,
    syntax,
)
from t2t.metrics.evaluate_package import as_evaluate
from t2t.metrics.metric import METRICS, Metric, Score, build_metrics, score, segments, value
from t2t.metrics.parse_health import health_metrics

__all__ = [
    "METRICS",
    "Metric",
    "Score",
    "as_evaluate",
    "build_metrics",
    "confidence",
    "dialogue",
    "diversity",
    "evaluate_package",
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
    "syntax",
    "value",
]

"""Score lists of golds and predictions with one metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from t2t.linear.parsed import Parsed
from t2t.metrics import build_metrics, segments
from t2t.structures import Json, Value


def _value_of(spec: Json, pairs: Iterable[tuple[Value, Value | Parsed]], language: str = "en") -> float:
    (metric,) = build_metrics([spec], "t.yaml:1", language)
    parsed = [([gold], found if isinstance(found, Parsed) else Parsed(found)) for gold, found in pairs]
    return metric.total(segments(metric, parsed).sum(axis=0))


@pytest.fixture(scope="session")
def value_of() -> Callable[..., float]:
    """The value of a metric's spec over (gold, prediction) pairs, one reference each."""
    return _value_of

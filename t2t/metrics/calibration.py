"""How far a model's confidence in its outputs can be trusted: a temperature that calibrates it, its expected
calibration error, and what is gained by setting aside what is unsure.

The confidence in an output is exp(total / T), ``total`` being the log-probability of the whole output in nats: the
model's own probability at T = 1. T is fitted on outputs of which is known whether they are right (Guo et al. 2017, of
whole outputs in place of classes).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from t2t.linear.parsed import Parsed
from t2t.metrics.values import unordered
from t2t.structures import Value

_LEAST, _MOST = math.log(0.02), math.log(50.0)  # of a temperature
_PRIOR = 10.0  # outputs that a task's own temperature is worth before it has any
_SURE = 1e-6  # no output is surer than 1 - this when a temperature is fitted: one that is wrong would cost everything
_ROUNDS = 80
_POINTS = 100  # of a curve


@dataclass(frozen=True, slots=True)
class Outputs:
    """``totals``: the log-probabilities [n] of outputs, at most 0. ``right``: [n], whether each is as it should."""

    totals: NDArray[np.float64]
    right: NDArray[np.bool_]

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, bool]]) -> Outputs:
        totals = np.array([min(0.0, total) for total, _ in pairs], dtype=np.float64)
        return cls(totals, np.array([right for _, right in pairs], dtype=np.bool_))


def confidence(total: float, temperature: float = 1.0) -> float:
    """Of an output, 0 to 1."""
    return math.exp(min(0.0, total) / temperature)


def fit_temperatures(tasks: Mapping[str, Outputs]) -> tuple[float, dict[str, float]]:
    """The temperature of all outputs together, and one of each task.

    Each makes the right outputs likely and the wrong ones unlikely (the log-loss of "it is right" is least). A task
    with few outputs is drawn to the temperature of all. 1 where there are none.
    """
    known = [one for one in tasks.values() if len(one.totals)]
    if not known:
        return 1.0, dict.fromkeys(tasks, 1.0)
    together = Outputs(np.concatenate([one.totals for one in known]), np.concatenate([one.right for one in known]))
    shared = _fitted(together, 0.0, weight=1.0)
    return math.exp(shared), {name: math.exp(_fitted(one, shared, _PRIOR)) for name, one in tasks.items()}


def _fitted(outputs: Outputs, expected: float, weight: float) -> float:
    """The log of a temperature; golden-section search, the loss having one valley in it."""

    def loss(log_temperature: float) -> float:
        sure = np.clip(np.exp(outputs.totals / math.exp(log_temperature)), _SURE, 1 - _SURE)
        nats = -np.where(outputs.right, np.log(sure), np.log1p(-sure)).sum()
        return float(nats) + weight * (log_temperature - expected) ** 2

    ratio = (math.sqrt(5) - 1) / 2
    low, high = _LEAST, _MOST
    for _ in range(_ROUNDS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) <= loss(right):
            high = right
        else:
            low = left
    return (low + high) / 2


def expected_calibration_error(confidences: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15) -> float:
    """The mean over outputs of |confidence - share that is right| of the outputs with about that confidence, in
    ``bins`` of equal width (Naeini et al. 2015). 0 is best; 0 where there are no outputs."""
    if not len(right):
        return 0.0
    place = np.minimum((confidences * bins).astype(np.int64), bins - 1)
    sure = np.bincount(place, weights=confidences, minlength=bins)
    good = np.bincount(place, weights=right.astype(np.float64), minlength=bins)
    return float(np.abs(sure - good).sum() / len(right))


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """What share of the outputs is wrong (``risk``) where only the surest are kept (``coverage``: their share).

    ``area``: the mean risk over all coverages (AURC, Geifman et al. 2019), by which 0 is best; ``threshold``: the
    confidence that an output must have at each point.
    """

    coverage: list[float]
    risk: list[float]
    threshold: list[float]
    area: float


def risk_coverage(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> RiskCoverage:
    """The curve, at 100 points at most. Outputs of one confidence are kept or set aside together."""
    count = len(right)
    if not count:
        return RiskCoverage([], [], [], 0.0)
    order = np.argsort(-confidences, kind="stable")
    sure, wrong = confidences[order], np.cumsum(~right[order])
    last = np.append(np.flatnonzero(np.diff(sure)), count - 1)  # of each run of equal ones
    run = np.searchsorted(last, np.arange(count))
    risk = (wrong[last] / (last + 1))[run]  # of each output: where it and all as sure are kept
    points = np.unique(last[np.linspace(0, len(last) - 1, min(_POINTS, len(last))).round().astype(np.int64)])
    return RiskCoverage(
        ((points + 1) / count).tolist(), risk[points].tolist(), sure[points].tolist(), float(risk.mean())
    )


def is_right(parsed: Parsed, references: Sequence[Value]) -> bool:
    """True if an output says just what one of the references says, lists in any order, spans by their text."""
    return parsed.ok and unordered(parsed.value) in {unordered(one) for one in references}


def cross_fitted_error(tasks: Mapping[str, Outputs]) -> dict[str, float]:
    """The expected calibration error of each task at temperatures that were fitted on other outputs: those of even
    places by the odd ones, and the other way round."""
    halves = [{name: _every_second(one, half) for name, one in tasks.items()} for half in (0, 1)]
    fitted = [fit_temperatures(half)[1] for half in halves]
    errors = {}
    for name, whole in tasks.items():
        sure = np.empty(len(whole.totals))
        for half in (0, 1):
            sure[half::2] = np.exp(halves[half][name].totals / fitted[1 - half][name])
        errors[name] = expected_calibration_error(sure, whole.right)
    return errors


def _every_second(outputs: Outputs, first: int) -> Outputs:
    return Outputs(outputs.totals[first::2], outputs.right[first::2])

"""Temperatures, calibration errors and risk-coverage curves with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from t2t.linear.parsed import Issue, Parsed
from t2t.metrics.calibration import (
    Outputs,
    confidence,
    cross_fitted_error,
    expected_calibration_error,
    fit_temperatures,
    is_right,
    risk_coverage,
)
from t2t.structures import Span


def drawn(temperature: float, count: int, seed: int) -> Outputs:
    """Outputs that are right as often as exp(total / temperature) says."""
    generator = np.random.default_rng(seed)
    chances = generator.uniform(0.01, 0.999, count)
    return Outputs(np.log(chances) * temperature, generator.random(count) < chances)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 8.0])
def test_the_temperature_that_outputs_were_drawn_with_is_found(temperature: float) -> None:
    outputs = drawn(temperature, 20_000, 1)
    shared, own = fit_temperatures({"a": outputs})
    assert shared == pytest.approx(temperature, rel=0.05)
    assert own["a"] == pytest.approx(temperature, rel=0.05)
    sure = np.exp(outputs.totals / own["a"])
    assert expected_calibration_error(sure, outputs.right) < 0.02
    if temperature > 2:
        assert expected_calibration_error(np.exp(outputs.totals), outputs.right) > 0.2


def test_a_task_with_few_outputs_is_drawn_to_all_and_one_without_any_has_theirs() -> None:
    many = drawn(4.0, 5000, 2)
    few = Outputs(np.array([-0.1, -0.2]), np.array([True, True]))
    shared, own = fit_temperatures({"many": many, "few": few, "none": Outputs.of([])})
    assert own["many"] == pytest.approx(4.0, rel=0.1)
    assert own["few"] == pytest.approx(shared, rel=0.15)
    assert own["none"] == pytest.approx(shared, rel=1e-3)
    assert fit_temperatures({"none": Outputs.of([])}) == (1.0, {"none": 1.0})


def test_all_right_or_all_wrong_outputs_give_a_temperature_all_the_same() -> None:
    for right in (True, False):
        shared, _ = fit_temperatures({"a": Outputs.of([(-0.5, right)] * 50)})
        assert 0.02 <= shared <= 50
    certain = Outputs.of([(0.0, False), (0.0, True), (-math.inf, False)])
    assert math.isfinite(fit_temperatures({"a": certain})[0])


def test_confidence() -> None:
    assert confidence(math.log(0.25)) == pytest.approx(0.25)
    assert confidence(math.log(0.25), 2.0) == pytest.approx(0.5)
    assert confidence(-math.inf, 3.0) == 0.0
    assert confidence(1e-9) == 1.0  # sums of logarithms may pass 0 by a rounding


def test_the_calibration_error_of_known_bins() -> None:
    sure = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    right = np.array([True, True, True, False, True, False])
    # four at 0.95, of which 0.75 are right; two at 0.55, of which half are
    assert expected_calibration_error(sure, right, bins=10) == pytest.approx((4 * 0.2 + 2 * 0.05) / 6)
    assert expected_calibration_error(np.array([1.0]), np.array([True])) == 0.0
    assert expected_calibration_error(np.array([]), np.array([], dtype=bool)) == 0.0


def test_the_curve_of_risk_over_coverage() -> None:
    found = risk_coverage(np.array([0.9, 0.1, 0.8, 0.5]), np.array([True, False, True, False]))
    assert found.coverage == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found.risk == pytest.approx([0.0, 0.0, 1 / 3, 0.5])
    assert found.threshold == pytest.approx([0.9, 0.8, 0.5, 0.1])
    assert found.area == pytest.approx((0 + 0 + 1 / 3 + 0.5) / 4)


def test_outputs_of_one_confidence_are_kept_together() -> None:
    found = risk_coverage(np.array([0.5, 0.5, 0.5, 0.9]), np.array([True, False, False, True]))
    assert found.coverage == pytest.approx([0.25, 1.0])
    assert found.risk == pytest.approx([0.0, 0.5])
    assert len(risk_coverage(np.linspace(0, 1, 5000), np.arange(5000) % 2 == 0).coverage) == 100
    assert risk_coverage(np.array([]), np.array([], dtype=bool)).area == 0.0


def test_the_error_after_is_measured_on_outputs_that_were_not_fitted() -> None:
    outputs = drawn(5.0, 20_000, 3)
    assert cross_fitted_error({"a": outputs})["a"] < 0.03
    # Two outputs: each half is fitted on the other one alone.
    alone = Outputs(np.array([-3.0, -3.0]), np.array([True, False]))
    assert 0 <= cross_fitted_error({"a": alone})["a"] <= 1
    assert cross_fitted_error({"a": Outputs.of([])}) == {"a": 0.0}


def test_an_output_is_right_that_says_what_a_reference_says() -> None:
    gold = [{"text": Span("Oslo", 3, 7), "type": "city"}, {"text": Span("Ada", 0, 3), "type": "person"}]
    assert is_right(Parsed(gold[::-1]), [gold])
    assert not is_right(Parsed(gold[:1]), [gold])
    assert not is_right(Parsed(gold, (Issue("cut", "", ""),)), [gold])
    assert is_right(Parsed(1), ["a", "1"])

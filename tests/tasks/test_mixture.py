import math

import numpy as np
import pytest

from t2t.tasks.mixture import Mixture, log_rate, relative


@pytest.mark.parametrize(
    ("n", "scale", "maximum", "temperature", "expected"),
    [(3, 1, None, 1, 3), (3, 27, None, 1, 81), (3, 27, None, 2, 9), (3, 27, 50.5, 0.5, 2550.25)],
)
def test_rates_are_those_of_t5(
    n: int, scale: float, maximum: float | None, temperature: float, expected: float
) -> None:
    assert math.exp(log_rate(n, scale, maximum, temperature)) == pytest.approx(expected, rel=1e-12)


def test_rates_that_no_float_holds_are_still_compared() -> None:
    assert relative([log_rate(n, temperature=0.001) for n in (10_000, 9_990)]) == [1.0, pytest.approx(0.999**1000)]
    assert relative([log_rate(n, temperature=1e-6) for n in (10_000, 100)]) == [1.0, 0.0]


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    early, late = Mixture([50, 30], [1, 1], seed=4), Mixture([50, 30], [1, 1], seed=4)
    orders = [early.epoch(epoch) for epoch in range(4)]
    assert np.array_equal(late.epoch(3), orders[3])  # without the epochs before it
    assert np.array_equal(early.epoch(1), orders[1])  # and after later ones
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(Mixture([50, 30], [1, 1], seed=5).epoch(0), orders[0])


def test_an_epoch_has_as_many_positions_as_there_are_examples() -> None:
    order = Mixture([5, 3], [1, 1], seed=1).epoch(0)
    assert order.shape == (8, 2)
    assert all(index < [5, 3][task] for task, index in order.tolist())


def test_no_example_comes_again_before_all_others_of_its_task() -> None:
    mixture = Mixture([7, 11], [1, 3], seed=2)
    order = np.concatenate([mixture.epoch(epoch) for epoch in range(30)])
    for task, size in enumerate(mixture.sizes):
        indices = order[order[:, 0] == task, 1]
        whole = indices[: len(indices) // size * size].reshape(-1, size)
        assert len(whole) > 10
        assert (np.sort(whole, axis=1) == np.arange(size)).all()


def test_tasks_come_at_their_rates() -> None:
    mixture = Mixture([2000, 2000, 4000], [5, 3, 2], seed=3)
    assert mixture.shares == pytest.approx([0.5, 0.3, 0.2])
    realised = np.bincount(mixture.epoch(0)[:, 0]) / len(mixture)
    assert realised == pytest.approx(mixture.shares, abs=0.025)


def test_a_mixture_needs_examples_and_rates() -> None:
    for sizes, rates in (([0], [1.0]), ([1], [0.0]), ([1, 2], [1.0]), ([], [])):
        with pytest.raises(ValueError, match="positive rates"):
            Mixture(sizes, rates, seed=0)

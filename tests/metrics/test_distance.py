"""The distance of two samples: known answers, and what it is by chance."""

import math
from collections import Counter
from random import Random

import pytest

from t2t.metrics.distance import bound_by_chance, distance, mean


def test_known_answers() -> None:
    assert distance({1: 3, 2: 3}, {1: 1, 2: 1}) == 0
    assert distance({1: 2}, {2: 5}) == 1
    assert distance({1: 1, 2: 1, 3: 1, 4: 1}, {3: 1, 4: 1}) == 0.5
    assert distance({1: 1, 2: 2, 3: 1}, {0: 1, 2: 3}) == pytest.approx(0.25)
    assert mean({1: 1, 4: 2}) == 3


def test_below_counts_only_what_has_fallen() -> None:
    assert distance({5: 4}, {1: 1, 5: 3}, below=True) == 0.25
    assert distance({5: 4}, {5: 3, 9: 1}, below=True) == 0
    assert distance({5: 4}, {5: 3, 9: 1}) == 0.25


def test_chance_exceeds_its_bound_once_in_a_hundred_times() -> None:
    assert bound_by_chance(100, 100) == pytest.approx(1.6276 * math.sqrt(0.02), abs=1e-4)
    assert bound_by_chance(1, 1) == 1
    drawn = Random(0)
    samples = [[Counter(drawn.random() for _ in range(60)) for _ in range(2)] for _ in range(1000)]
    beyond = sum(distance(*pair) > bound_by_chance(60, 60) for pair in samples)
    assert 1 <= beyond <= 18


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        distance({}, {1: 1})

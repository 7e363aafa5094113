"""Known answers of what is read off a matrix of scores."""

import json

import pytest

from t2t.continual.matrix import Matrix, Summary, intransigence

# After each of three stages the scores of three tasks, one a stage.
MATRIX = Matrix(
    ("a", "b", "c"), ("one", "two", "three"), (0, 1, 2),
    ((0.9, 0.2, 0.1), (0.6, 0.8, 0.3), (0.7, 0.5, 1.0)),
    (0.1, 0.0, 0.05),
)  # fmt: skip


def test_formulas() -> None:
    assert MATRIX.summary() == Summary(
        accuracy=pytest.approx((0.7 + 0.5 + 1.0) / 3),
        backward=pytest.approx(((0.7 - 0.9) + (0.5 - 0.8)) / 2),
        forward=pytest.approx(((0.2 - 0.0) + (0.3 - 0.05)) / 2),
        forgetting=pytest.approx(((0.9 - 0.7) + (0.8 - 0.5)) / 2),
    )


def test_forgetting_is_measured_from_the_best_stage_and_may_be_negative() -> None:
    better = Matrix(("a", "b"), ("one", "two", "three"), (0, 1), ((0.5, 0.1), (0.8, 0.4), (0.7, 0.6)))
    assert better.forgetting_of(0) == pytest.approx(0.1)
    assert better.forgetting_of(1) == pytest.approx(-0.2)
    assert better.summary().forward is None  # the start was not scored
    assert better.summary().backward == pytest.approx(((0.7 - 0.5) + (0.6 - 0.4)) / 2)


def test_a_stage_that_has_not_ended_counts_not_and_the_first_has_nothing_to_forget() -> None:
    first = Matrix(MATRIX.tasks, MATRIX.stages, MATRIX.came, MATRIX.scores[:1], MATRIX.start)
    assert first.summary() == Summary(0.9, None, None, None)
    with pytest.raises(ValueError, match="no stage has ended"):
        Matrix(("a",), ("one",), (0,), ()).summary()


def test_several_tasks_of_a_stage_are_seen_together() -> None:
    both = Matrix(("a", "b", "c"), ("one", "two"), (0, 0, 1), ((0.9, 0.5, 0.2), (0.7, 0.6, 0.4)))
    assert both.summary() == Summary(
        pytest.approx(1.7 / 3), pytest.approx((-0.2 + 0.1) / 2), None, pytest.approx((0.2 - 0.1) / 2)
    )


def test_intransigence() -> None:
    assert intransigence([0.9, 0.8], [0.7, 0.9]) == pytest.approx(0.05)


def test_it_is_written_and_read_back() -> None:
    assert Matrix.from_json(json.loads(json.dumps(MATRIX.to_json()))) == MATRIX
    with pytest.raises(ValueError, match="every task in every row"):
        Matrix(("a", "b"), ("one",), (0, 0), ((0.5,),))
    lines = MATRIX.lines()
    assert lines[0].split() == ["after", "a", "b", "c"]
    assert lines[2].split() == ["start", "0.100", "0.000", "0.050"]
    assert lines[5].split() == ["three", "0.700", "0.500", "1.000"]
    assert "forgetting 0.2500" in lines

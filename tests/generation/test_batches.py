from hypothesis import given
from hypothesis import strategies as st

from t2t.generation.batches import plan_batches


@given(st.lists(st.integers(0, 40)), st.integers(1, 100), st.integers(1, 12))
def test_every_position_once_within_the_budget_and_its_window(lengths: list[int], budget: int, window: int) -> None:
    batches = list(plan_batches(lengths, budget, window))
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[position] for position in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget
        assert len({position // window for position in batch}) == 1


def test_like_lengths_go_together_longest_first() -> None:
    assert list(plan_batches([3, 9, 4, 10, 3], 20)) == [[3, 1], [2, 0, 4]]

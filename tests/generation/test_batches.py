from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from t2t.errors import InputError
from t2t.generation.batches import Room, in_batches, in_batches_ahead, plan_batches
from t2t.generation.engine import Decoded, usual_tokens
from t2t.generation.generator import Decoding, Generator, Request
from t2t.model.seq2seq import SpecialIds
from t2t.model.tokenizer import train_tokenizer


@given(st.lists(st.integers(0, 40)), st.integers(1, 100), st.integers(1, 12))
def test_every_position_once_within_the_budget_and_its_window(lengths: list[int], budget: int, window: int) -> None:
    batches = list(plan_batches(lengths, lambda: budget, window))
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[position] for position in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget
        assert len({position // window for position in batch}) == 1


def test_like_lengths_go_together_longest_first() -> None:
    assert list(plan_batches([3, 9, 4, 10, 3], lambda: 20)) == [[3, 1], [2, 0, 4]]


class Device:
    """One that has room for so many tokens, and says what it was given."""

    def __init__(self, most: int, error: Exception) -> None:
        self.most, self.error, self.given = most, error, list[list[int]]()

    def __call__(self, batch: Sequence[int]) -> list[int]:
        self.given.append(list(batch))
        if sum(batch) > self.most:
            raise self.error
        return [10 * one for one in batch]


ALLOCATOR = RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError(), ALLOCATOR])
def test_where_memory_runs_out_halves_are_given_and_later_batches_are_smaller(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    room, device = Room(), Device(7, error)
    assert room.tokens(100) == 100
    assert room.run([3] * 8, sum, device) == [30] * 8
    assert [len(part) for part in device.given] == [8, 4, 2, 2, 2, 2]  # the second half of the 8 is not tried whole
    told = capsys.readouterr().err.splitlines()
    said = "memory ran out with a batch of 8 rows, 24 tokens; it is halved, as are those after it"
    assert told[0] == f"t2t: {said} (generate.tokens: 12)"
    assert (len(told), room.tokens(100), room.tokens(4)) == (2, 6, 4)
    assert list(plan_batches([3] * 4, lambda: room.tokens(100))) == [[0, 1], [2, 3]]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(9, 60))
def test_what_is_given_is_the_same_however_much_fits(batch: list[int], most: int) -> None:
    device = Device(most, torch.OutOfMemoryError("CUDA out of memory."))
    with patch("t2t.generation.batches.free_memory"):  # which looks through all objects there are, each time
        assert Room().run(batch, sum, device) == [10 * one for one in batch]


def test_one_that_finds_no_memory_alone_is_told_and_other_errors_are_left_alone() -> None:
    with pytest.raises(InputError, match="a single input of 9 tokens, prompt and output together; use precision: bf16"):
        Room().run([1, 9], sum, Device(8, torch.OutOfMemoryError("CUDA out of memory.")))
    with pytest.raises(RuntimeError, match="shapes"):
        Room().run([1, 9], sum, Device(8, RuntimeError("shapes differ")))


def test_where_memory_runs_out_among_many_those_that_are_not_done_are_tried_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    room, tried = Room(), list[list[int]]()

    def work(waiting: list[int]) -> Iterator[list[tuple[int, int]]]:
        tried.append(waiting)
        for number, place in enumerate(waiting):
            if (len(tried), place) in ((1, 3), (2, 4)):
                raise torch.OutOfMemoryError("CUDA out of memory.")
            yield [(number, 10 * place)]

    found = [one for several in room.stream([9, 9, 8, 8, 7, 7], 30, work) for one in several]
    assert found == [(place, 10 * place) for place in range(6)]
    assert tried == [[0, 1, 2, 3, 4, 5], [3, 4, 5], [4, 5]]
    told = "memory ran out with a batch of 3 rows, 24 tokens; it is halved, as are those after it"
    assert capsys.readouterr().err == f"t2t: {told} (generate.tokens: 12)\n"  # at the second only one row has room


def test_one_that_is_left_alone_is_tried_alone_and_then_is_told() -> None:
    tried: list[list[int]] = []

    def work(waiting: list[int]) -> Iterator[list[tuple[int, int]]]:
        tried.append(waiting)
        if len(waiting) == 2:
            yield [(0, 1)]
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(InputError, match="with a single input of 50 tokens"):
        list(Room().stream([50, 50], 100, work))
    assert tried == [[0, 1], [1]]


def test_an_engine_that_forgets_a_prompt_is_at_fault() -> None:
    with pytest.raises(RuntimeError, match="no output for 1 of 2 prompts"):
        list(Room().stream([5, 5], 100, lambda waiting: iter([[(0, "one")]])))


def test_batches_begin_ahead_and_come_in_order() -> None:
    prompts, events = [[7] * length for length in (3, 9, 5, 8, 2)], list[str]()

    def begin(batch: list[Any]) -> Callable[[], list[Decoded]]:
        events.append(f"begin {[len(one) for one in batch]}")

        def outputs() -> list[Decoded]:
            events.append(f"wait {[len(one) for one in batch]}")
            return [Decoded((len(one),), 0.0) for one in batch]

        return outputs

    found = list(in_batches_ahead(begin, prompts, lambda: 22, 1, 2))
    assert [[(place, one.ids) for place, one in several] for several in found] == [
        [(1, (9,)), (3, (8,))], [(2, (5,)), (0, (3,)), (4, (2,))],
    ]  # fmt: skip
    assert events == ["begin [9, 8]", "begin [5, 3, 2]", "wait [9, 8]", "wait [5, 3, 2]"]


def test_what_has_begun_beside_a_batch_that_fails_is_given_before_its_error() -> None:
    def begin(batch: list[Any]) -> Callable[[], list[Decoded]]:
        def outputs() -> list[Decoded]:
            if len(batch[0]) in (9, 5):
                raise RuntimeError(f"std::bad_alloc {len(batch[0])}")
            return [Decoded((len(one),), 0.0) for one in batch]

        return outputs

    given = in_batches_ahead(begin, [[7] * length for length in (9, 8, 5, 3)], lambda: 1, 0, 3)
    assert [(place, one.ids) for place, one in next(given)] == [(1, (8,))]
    with pytest.raises(RuntimeError, match="bad_alloc 9"):
        list(given)


def test_without_a_size_batches_are_as_large_as_the_engine_says() -> None:
    asked: list[int] = []

    class Counting:
        ids, batch_tokens = SpecialIds(start=0, end=1, pad=0), usual_tokens("cpu")

        def decode(self, prompts: Any, search: Any, guides: Any = None) -> list[Decoded]:
            asked.append(len(prompts))
            return [Decoded((1,), 0.0) for _ in prompts]

        stream = in_batches

    generator = Generator(Counting(), train_tokenizer(["words of a text"] * 20, 600))  # type: ignore[arg-type]
    requests = [Request(str(number), [5] * 54 + [1]) for number in range(300)]
    generator.generate(requests, Decoding(9))
    generator.generate(requests, Decoding(9, 64 * 100))
    assert asked == [256, 44, 100, 100, 100]
    assert usual_tokens("cuda") == 32768

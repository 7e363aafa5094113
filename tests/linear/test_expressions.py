"""What an expression of a template makes of a record is bounded, in time and in memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from t2t.errors import DataError
from t2t.linear.scope import Expression

SECONDS, BYTES = 10.0, 1 << 30


def doubled(text: str, times: int) -> str:
    """An expression whose value is twice as long with each step."""
    for _ in range(times):
        text = f"join('', [{text}, {text}])"
    return text


EXPLODING = [
    ("@" + " | [@, @][]" * 24, [1], "a step of it gives more than 1,000,000 items"),
    ("text" + " | join('', [@, @])" * 30, {"text": "abc"}, "a step of it gives more than 67,108,864 characters"),
    ("[@]" + " | [@, @]" * 24 + " | to_string(@)", "x", "to_string() would write more than 1,000,000 parts"),
]


@pytest.mark.parametrize(("expression", "item", "words"), EXPLODING)
def test_what_explodes_is_stopped(expression: str, item: object, words: str) -> None:
    began = time.process_time()
    with pytest.raises(DataError) as caught:
        Expression(expression, "t.yaml:3").read(item, "a.jsonl:1")
    assert time.process_time() - began < SECONDS
    assert words in str(caught.value)
    assert str(caught.value).startswith("a.jsonl:1: ")


@pytest.mark.parametrize(("expression", "item", "words"), EXPLODING[1:])
def test_what_explodes_holds_little_memory(expression: str, item: object, words: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            Expression(expression, "t.yaml:3").read(item, "a.jsonl:1")
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()


def test_what_is_large_without_growing_passes() -> None:
    assert Expression("@[?@ > `5`]", "t.yaml:3").read(list(range(100_000)), "a.jsonl:1") == list(range(6, 100_000))


def test_a_few_steps_that_double_pass() -> None:
    assert Expression(doubled("text", 5), "t.yaml:3").read({"text": "ab"}, "a.jsonl:1") == "ab" * 32

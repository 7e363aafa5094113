"""The tokens of a prompt that say a record's text, by characters of the record."""

from __future__ import annotations

import pytest

from t2t.explaining.source_pieces import Piece, source_pieces
from t2t.model.byte_vocabulary import SENTINELS, byte_backend
from t2t.model.tokenizer import train_tokenizer, wrap
from t2t.tasks.wording import PromptPlace

WORDS = train_tokenizer(["find names: Ada moved to Oslo and Ada wept"] * 20, 600)
BYTES = wrap(byte_backend(), SENTINELS)


def pieces_of(tokenizer: object, prompt: str, places: list[PromptPlace], **begins: int) -> list[Piece]:
    offsets = tokenizer(prompt, split_special_tokens=True, return_offsets_mapping=True)["offset_mapping"]  # type: ignore[operator]
    return source_pieces(prompt, offsets, places, begins)


def test_a_word_carries_its_space_and_nothing_else_is_lost() -> None:
    text = "Ada moved to Oslo"
    prompt = f"find names: {text}"
    found = pieces_of(WORDS, prompt, [PromptPlace("text", 12, 12 + len(text), 0)])
    assert "".join(one.text for one in found) == text.replace(" ", "")
    assert all(text[one.start : one.end] == one.text for one in found)
    tokens = [token for one in found for token in one.tokens]
    assert tokens == sorted(set(tokens))
    ids = WORDS(prompt, split_special_tokens=True)["input_ids"]
    assert max(tokens) == len(ids) - 2  # EOS is no piece of the text


@pytest.mark.parametrize("tokenizer", [WORDS, BYTES], ids=["pieces", "bytes"])
def test_chinese_and_bytes(tokenizer: object) -> None:
    text = "你 é☃"
    found = pieces_of(tokenizer, f"x: {text}", [PromptPlace("text", 3, 3 + len(text), 0)])
    assert [(one.text, one.start, one.end) for one in found] == [("你", 0, 1), ("é", 2, 3), ("☃", 3, 4)]
    assert len(found[2].tokens) == 3  # its bytes


def test_places_are_those_of_the_record() -> None:
    prompt = "a b c d"
    found = pieces_of(BYTES, prompt, [PromptPlace("first", 0, 3, 0), PromptPlace("second", 4, 7, 10)], second=100)
    assert [(one.field, one.text, one.start) for one in found] == [
        ("first", "a", 0), ("first", "b", 2), ("second", "c", 110), ("second", "d", 112),
    ]  # fmt: skip
    assert pieces_of(BYTES, prompt, [PromptPlace("empty", 2, 2, 0)]) == []
    last = pieces_of(BYTES, "a b \n", [PromptPlace("text", 0, 5, 0)])[-1]
    assert (last.text, last.start, last.end, last.tokens) == ("b", 2, 3, (1, 2, 3, 4))
    (space,) = pieces_of(BYTES, "a   ", [PromptPlace("text", 1, 4, 0)])
    assert (space.text, space.start, len(space.tokens)) == ("   ", 0, 3)


def test_a_token_in_two_fields_is_one_of_the_first() -> None:
    found = source_pieces(
        "abcd", [(0, 1), (1, 3), (3, 4), (0, 0)], [PromptPlace("l", 0, 2, 0), PromptPlace("r", 2, 4, 0)], {}
    )
    assert [(one.field, one.text, one.tokens) for one in found] == [
        ("l", "a", (0,)), ("l", "b", (1,)), ("r", "d", (2,)),
    ]  # fmt: skip

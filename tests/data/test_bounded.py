"""Memory follows what is kept of texts, not how long they are; what is kept is the same."""

from __future__ import annotations

import random

import numpy as np
import pytest

from t2t.data.bounded import length, windows
from t2t.data.encode import Encoder
from t2t.structures import Example
from tests.data.test_encode import TOKENIZER, Storms


def words(count: int, seed: int = 0) -> str:
    return " ".join(random.Random(seed).choices(["storm", "port", "London", "北京", "closed", "xyzzy"], k=count))


def test_windows_hold_so_many_examples_or_characters() -> None:
    sizes = [3, 3, 3, 9, 1, 20, 1, 1, 1, 1]
    rows = [Example(str(place), {"t": "a" * size}, None) for place, size in enumerate(sizes)]
    found = [[len(row.fields["t"]) for row in window] for window in windows(rows, 3, 10)]
    assert found == [[3, 3, 3], [9, 1], [20], [1, 1, 1], [1]]
    assert list(windows([], 3, 10)) == []


def test_length_counts_the_texts_inside() -> None:
    assert length({"a": "北京", "b": [{"c": "x"}, 3, None, ("yz",)]}) == 5


@pytest.mark.parametrize("keep_end", [False, True])
@pytest.mark.parametrize("count", [40, 3_000, 60_000])
def test_a_long_text_is_cut_before_it_is_tokenized(count: int, keep_end: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Storms([(words(count), "x"), ("", "y")], keep_end=keep_end)
    rows = list(task.examples("train"))
    whole = Encoder(TOKENIZER, 32, 16)
    whole._most_characters = 1 << 60
    wanted, asked = [whole.encode(task, row) for row in rows], whole.prompts(task, rows)
    seen: list[int] = []
    ids_of = Encoder._ids
    monkeypatch.setattr(Encoder, "_ids", lambda self, texts: (seen.extend(map(len, texts)), ids_of(self, texts))[1])
    encoder = Encoder(TOKENIZER, 32, 16)
    for row, one in zip(rows, wanted, strict=True):
        encoded, cut = encoder.encode(task, row)
        assert np.array_equal(encoded.input_ids, one[0].input_ids)
        assert cut == one[1]
    for (text, ids), (other, others) in zip(encoder.prompts(task, rows), asked, strict=True):  # type: ignore[misc]
        assert text == other
        assert np.array_equal(ids, others)
    longest = 32 * max(map(len, TOKENIZER.get_vocab())) + 40
    assert max(size for size in seen if size > 0) <= longest


def test_characters_that_share_a_token_are_kept_all_the_same() -> None:
    from t2t.model.tokenizer import load_tokenizer
    from t2t.tasks.data_files import data_dir

    path = data_dir() / "sentencepiece_models" / "t5" / "spiece.model"
    if not path.is_file():
        pytest.skip(f"no {path}")
    tokenizer = load_tokenizer(path)
    task = Storms([("京" * 200_000, "x")])
    encoder = Encoder(tokenizer, 32, 16)
    (row,) = task.examples("train")
    ((text, ids),) = encoder.prompts(task, [row])  # type: ignore[misc]
    assert len(ids) <= 32
    assert text.count("京") == 200_000

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytest

from t2t.data import cache
from t2t.data.cache import encode_split
from t2t.data.counts import Counts, Cut
from t2t.data.encode import Encoder
from t2t.errors import DataError
from t2t.model.tokenizer import decode_text, encode_texts, train_tokenizer
from t2t.structures import Example

TOKENIZER = train_tokenizer(["find the storm in: closed port ; 北京 London Paris"] * 20, 600)


@dataclass
class Storms:
    """A task over examples made here: a passage that may be shortened, and its answer."""

    rows: list[tuple[str, str]]
    keep_end: bool = False
    shortens: bool = True
    prompts_vary: bool = False
    token_task: None = None
    on_bad: Literal["stop", "skip"] = "stop"
    fingerprint: str = "1"
    name: str = "storms/find"
    read: list[str] = field(default_factory=list)

    def examples(self, split: str) -> Iterator[Example]:
        self.read.append(split)
        for number, (text, answer) in enumerate(self.rows):
            yield Example(str(number), {"text": text}, answer, f"storms.txt:{number + 1}")

    def prompt(self, example: Example, *, seed: int = 0, epoch: int | None = None, keep: int | None = None) -> str:
        text = example.fields["text"]
        if keep is not None:
            text = text[len(text) - keep :] if self.keep_end else text[:keep]
        wording = f"{seed}/{epoch}" if self.prompts_vary else "find"
        return f"{wording} in: {text} ; answer"

    def windowed(self, examples: Iterable[Example]) -> Iterator[Example]:
        return iter(examples)

    def drawn(self, example: Example, *, seed: int = 0, epoch: int | None = None) -> Example:
        return example

    def shorten_length(self, example: Example) -> int | None:
        return len(example.fields["text"]) if self.shortens else None

    def target_text(self, example: Example, *, seed: int = 0, epoch: int | None = None) -> str:
        return str(example.gold)


def one(task: Storms) -> Example:
    return next(task.examples("train"))


LONG = "the storm closed the port " * 40


def test_a_short_example_is_encoded_whole() -> None:
    task = Storms([("the storm", "London <pad>")])
    encoded, cut = Encoder(TOKENIZER, 64, 32).encode(task, one(task), task_index=3)
    assert cut is None
    assert (encoded.id, encoded.task_index) == ("0", 3)
    assert encoded.input_ids.dtype == encoded.labels.dtype == np.int32
    assert encoded.input_ids[-1] == encoded.labels[-1] == 1
    assert decode_text(TOKENIZER, encoded.input_ids) == "find in: the storm ; answer"
    assert decode_text(TOKENIZER, encoded.labels) == "London <pad>"


@pytest.mark.parametrize("keep_end", [False, True])
def test_a_long_prompt_keeps_as_much_of_its_field_as_fits(keep_end: bool) -> None:
    task = Storms([(LONG, "x")], keep_end=keep_end)
    encoded, cut = Encoder(TOKENIZER, 50, 32).encode(task, one(task))
    assert cut is not None
    assert cut.target_tokens == 0
    kept = len(LONG) - cut.characters
    assert len(encoded.input_ids) <= 50
    assert encoded.input_ids[-1] == 1
    assert decode_text(TOKENIZER, encoded.input_ids) == task.prompt(one(task), keep=kept)
    assert len(encode_texts(TOKENIZER, [task.prompt(one(task), keep=kept + 1)])[0]) > 50


def test_a_prompt_that_fits_only_without_its_field() -> None:
    task = Storms([(LONG, "x")])
    bare = len(encode_texts(TOKENIZER, [task.prompt(one(task), keep=0)])[0])
    encoded, cut = Encoder(TOKENIZER, bare, 32).encode(task, one(task))
    assert len(encoded.input_ids) <= bare
    assert cut is not None
    with pytest.raises(DataError, match=r"storms\.txt:1: storms/find: the prompt is longer than \d+ tokens"):
        Encoder(TOKENIZER, bare - 1, 32).encode(task, one(task))


def test_a_prompt_without_a_field_to_shorten_is_refused() -> None:
    task = Storms([(LONG, "x")], shortens=False)
    with pytest.raises(DataError, match="nothing left to shorten"):
        Encoder(TOKENIZER, 50, 32).encode(task, one(task))


def test_a_long_target_is_cut_and_keeps_eos() -> None:
    task = Storms([("x", LONG)])
    encoded, cut = Encoder(TOKENIZER, 64, 10).encode(task, one(task))
    whole = encode_texts(TOKENIZER, [LONG])[0]
    assert encoded.labels.tolist() == [*whole[:9], 1]
    assert cut == Cut(0, len(whole) - 10)


def test_a_target_that_just_fits_is_not_cut() -> None:
    task = Storms([("x", "the storm")])
    length = len(encode_texts(TOKENIZER, ["the storm"])[0])
    assert Encoder(TOKENIZER, 64, length).encode(task, one(task))[1] is None


def test_cuts_are_counted_by_task() -> None:
    task = Storms([("a", "b"), (LONG, "b"), (LONG, LONG), ("a", LONG)])
    encoder = Encoder(TOKENIZER, 50, 10)
    rows = list(encoder.encode_many(task, task.examples("train")))
    cuts = [Encoder(TOKENIZER, 50, 10).encode(task, example)[1] for example in task.examples("train")]
    characters = sum(cut.characters for cut in cuts if cut)
    assert [row.id for row in rows] == ["0", "1", "2", "3"]
    assert encoder.counts == {task.name: Counts(n=4, prompts_cut=2, characters_cut=characters, targets_cut=2)}
    assert characters > 2 * (len(LONG) - 300)


def test_many_at_once_equal_one_by_one() -> None:
    task = Storms([(LONG[: 7 * n], "x" * n) for n in range(40)])
    encoder = Encoder(TOKENIZER, 50, 10)
    for row, example in zip(encoder.encode_many(task, task.examples("train")), task.examples("train"), strict=True):
        single, _ = encoder.encode(task, example)
        assert (row.input_ids.tolist(), row.labels.tolist()) == (single.input_ids.tolist(), single.labels.tolist())


def test_prompts_for_evaluation_are_shortened_and_not_counted() -> None:
    task = Storms([("a", "b"), (LONG, "b")])
    encoder = Encoder(TOKENIZER, 50, 10)
    (short, _), (long, ids) = encoder.prompts(task, list(task.examples("test")))
    assert short == "find in: a ; answer"
    assert decode_text(TOKENIZER, ids) == long
    assert len(ids) <= 50
    assert encoder.counts == {}


def same(left: list, right: list) -> bool:
    return [(r.id, r.task_index, r.input_ids.tolist(), r.labels.tolist()) for r in left] == [
        (r.id, r.task_index, r.input_ids.tolist(), r.labels.tolist()) for r in right
    ]


def test_a_cached_split_is_read_back_with_its_counts(tmp_path) -> None:
    task = Storms([("a", "b"), (LONG, LONG)])
    first, second = Encoder(TOKENIZER, 50, 10), Encoder(TOKENIZER, 50, 10)
    rows = encode_split(first, task, "train", folder=tmp_path)
    again = encode_split(second, task, "train", folder=tmp_path)
    assert task.read == ["train"]
    assert same(rows, again)
    assert first.counts == second.counts
    assert again[0].input_ids.dtype == np.int32
    assert [row.task_index for row in encode_split(second, task, "train", task_index=5, folder=tmp_path)] == [5, 5]
    assert second.counts[task.name].n == 4


def test_an_empty_split_is_cached_too(tmp_path) -> None:
    task = Storms([])
    assert encode_split(Encoder(TOKENIZER, 50, 10), task, "train", folder=tmp_path) == []
    assert encode_split(Encoder(TOKENIZER, 50, 10), task, "train", folder=tmp_path) == []
    assert len(task.read) == 1


OTHER = train_tokenizer(["other words entirely"] * 20, 550)


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({}, 1), ({"fingerprint": "2"}, 2), ({"name": "storms/other"}, 2), ({"split": "test"}, 2), ({"limit": 1}, 2),
        ({"prompt_limit": 49}, 2), ({"target_limit": 9}, 2), ({"tokenizer": OTHER}, 2), ({"epoch": 1, "seed": 4}, 1),
        ({"epoch": 1, "seed": 4, "prompts_vary": True}, 2),
    ],
)  # fmt: skip
def test_the_cache_is_named_by_all_that_decides_it(tmp_path, change: dict, read: int) -> None:
    def run(change: dict) -> int:
        task = Storms([("a", "b")], prompts_vary=bool(change.get("prompts_vary")))
        task.name, task.fingerprint = change.get("name", task.name), change.get("fingerprint", "1")
        limits = change.get("prompt_limit", 50), change.get("target_limit", 10)
        encode_split(
            Encoder(change.get("tokenizer", TOKENIZER), *limits), task, change.get("split", "train"),
            seed=change.get("seed", 0), epoch=change.get("epoch"), limit=change.get("limit"), folder=tmp_path,
        )  # fmt: skip
        return len(task.read)

    assert run({}) == 1
    assert 1 + run(change) == read
    assert run(change) == 0


def test_prompts_that_vary_differ_by_epoch(tmp_path) -> None:
    task = Storms([("a", "b")], prompts_vary=True)
    encoder = Encoder(TOKENIZER, 50, 10)
    texts = {
        decode_text(TOKENIZER, encode_split(encoder, task, "train", seed=2, epoch=epoch, folder=tmp_path)[0].input_ids)
        for epoch in (None, 0, 1)
    }
    assert texts == {f"2/{epoch} in: a ; answer" for epoch in (None, 0, 1)}


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.95])
def test_a_damaged_cache_file_is_written_anew(tmp_path, keep: float) -> None:
    task = Storms([("a", "b")])
    rows = encode_split(Encoder(TOKENIZER, 50, 10), task, "train", folder=tmp_path)
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    file.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    assert same(encode_split(Encoder(TOKENIZER, 50, 10), task, "train", folder=tmp_path), rows)
    assert task.read == ["train", "train"]
    encode_split(Encoder(TOKENIZER, 50, 10), task, "train", folder=tmp_path)
    assert len(task.read) == 2


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch) -> None:
    def full(*_args: object, **_more: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(cache.np, "savez", full)
    with pytest.raises(OSError, match="disk full"):
        encode_split(Encoder(TOKENIZER, 50, 10), Storms([("a", "b")]), "train", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_left_out_and_kept_where_bad_records_are_skipped(tmp_path) -> None:
    task = Storms([("a", "b"), (LONG, "b"), ("c", "d")], shortens=False, on_bad="skip")
    first, second = Encoder(TOKENIZER, 50, 10), Encoder(TOKENIZER, 50, 10)
    rows = encode_split(first, task, "train", folder=tmp_path)
    assert same(rows, encode_split(second, task, "train", folder=tmp_path))
    assert [row.id for row in rows] == ["0", "2"]
    for encoder in (first, second):
        (error,) = encoder.bad[task.name]
        assert error.where == "storms.txt:2"
        assert "nothing left to shorten" in error.found
        assert encoder.counts[task.name].n == 2
    with pytest.raises(DataError, match="nothing left to shorten"):
        encode_split(first, Storms(task.rows, shortens=False), "train")


@pytest.mark.parametrize("on_bad", ["stop", "skip"])
def test_what_does_not_fit_as_an_epoch_draws_it_is_encoded_without(on_bad: Literal["stop", "skip"]) -> None:
    task = Storms([("a", "b"), ("c", "d")], shortens=False, on_bad=on_bad, prompts_vary=True)
    limit = len(encode_texts(TOKENIZER, [task.prompt(one(task))])[0])
    assert limit < len(encode_texts(TOKENIZER, [task.prompt(one(task), seed=10**30, epoch=1)])[0])
    encoder = Encoder(TOKENIZER, limit + 8, 10)
    without = encode_split(encoder, task, "train")
    rows = encode_split(encoder, task, "train", seed=0, epoch=10**60)
    assert [row.id for row in rows] == [row.id for row in without] == ["0", "1"]
    assert not encoder.bad[task.name]

"""Span corruption and prefix language modelling, by the values of T5's own tests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2t.config.template import read_template
from t2t.config.token_task import TokenTask
from t2t.data.cache import encode_split
from t2t.data.corrupt import Corrupter, corrupted_lengths, noise_mask, raw_length, replace_spans
from t2t.data.encode import Encoder
from t2t.errors import DataError, TemplateError, VocabularyError
from t2t.model.tokenizer import train_tokenizer
from t2t.tasks.task import Task

TOKENIZER = train_tokenizer(["the storm closed the port of London ; 北京"] * 20, 600)
SENTINELS = [len(TOKENIZER) - 1 - number for number in range(100)]
EOS = 1


@pytest.mark.parametrize(
    ("prompt", "noise", "mean_span", "raw", "target"),
    [
        (64, 0.2, 2.0, 70, 22),
        (64, 0.2, 1.0, 63, 27),
        (128, 0.15, 3, 141, 29),
        (256, 0.15, 3, 284, 58),
        (512, 0.15, 3, 568, 114),
        (1024, 0.15, 3, 1137, 229),
    ],
)
def test_raw_lengths_are_those_of_t5(prompt: int, noise: float, mean_span: float, raw: int, target: int) -> None:
    assert raw_length(prompt, noise, mean_span) == (raw, target)
    assert corrupted_lengths(raw, noise, mean_span)[0] <= prompt < corrupted_lengths(raw + 1, noise, mean_span)[0]


def test_half_noise_does_not_make_the_target_longer_than_the_prompt() -> None:
    for length in range(8, 200):
        raw, target = raw_length(length, 0.5, 1.5)
        assert target <= corrupted_lengths(raw, 0.5, 1.5)[0] + 1


@pytest.mark.parametrize(
    ("inverted", "sentinels", "expected"),
    [
        (False, [999, 998], [999, 12, 13, 998, 15]),
        (False, [999, 999], [999, 12, 13, 999, 15]),
        (True, [999, 999], [10, 11, 999, 14, 999]),
    ],
)
def test_spans_become_sentinels(inverted: bool, sentinels: list[int], expected: list[int]) -> None:
    mask = np.array([True, True, False, False, True, False])
    found = replace_spans(np.arange(10, 16), ~mask if inverted else mask, sentinels)
    assert found.tolist() == expected
    assert [token for token in found.tolist() if token < 900] == ([10, 11, 14] if inverted else [12, 13, 15])


def test_more_spans_than_sentinels_are_an_error() -> None:
    mask = np.array([False, True, False, True])
    with pytest.raises(ValueError, match="2 spans, 1 sentinels"):
        replace_spans(np.arange(4), mask, [999])
    with pytest.raises(VocabularyError, match="needs 28 sentinels, the tokenizer has 27"):
        Corrupter(TokenTask("span corruption", "text", 0.15, 3.0), SENTINELS[:27], 512, 256)


def test_thirty_two_tokens_hide_eight_in_four_spans() -> None:
    masks = set()
    for seed in range(50):
        mask = noise_mask(32, 0.25, 2.0, np.random.default_rng(seed))
        begins = mask & ~np.concatenate([[False], mask[:-1]])
        assert (len(mask), mask.sum(), begins.sum(), mask[0], mask[-1]) == (32, 8, 4, False, True)
        masks.add(mask.tobytes())
    assert len(masks) > 40


@given(st.integers(1, 400), st.floats(0.01, 0.99), st.floats(1, 10), st.integers(0, 2**32))
def test_every_mask_has_what_was_asked_for(length: int, noise: float, mean_span: float, seed: int) -> None:
    mask = noise_mask(length, noise, mean_span, np.random.default_rng(seed))
    assert len(mask) == length
    assert not mask[0]
    if length > 1:
        hidden = min(max(round(length * noise), 1), length - 1)
        begins = int((mask & ~np.concatenate([[False], mask[:-1]])).sum())
        assert mask.sum() == hidden
        assert begins == min(max(round(hidden / mean_span), 1), length - hidden)


def test_no_noise_hides_nothing() -> None:
    assert not noise_mask(9, 0.0, 3.0, np.random.default_rng(1)).any()


def test_the_only_span_of_a_short_text_is_at_its_end_or_anywhere() -> None:
    """As T5 has it, and as its ``random_roll`` is for."""
    ends = {noise_mask(8, 0.2, 2.0, np.random.default_rng(seed)).nonzero()[0].tolist()[-1] for seed in range(40)}
    assert ends == {7}
    masks = [noise_mask(8, 0.2, 2.0, np.random.default_rng(seed), anywhere=True) for seed in range(400)]
    places = [mask.nonzero()[0].tolist() for mask in masks]
    assert all(one == [one[0], one[0] + 1] for one in places)  # two tokens together
    counts = [sum(one[0] == start for one in places) for start in range(7)]
    assert counts[0] == 0
    assert min(counts[1:]) > 40  # of 67 each


@given(st.integers(2, 300), st.sampled_from([0.15, 0.3, 0.5]), st.sampled_from([1.0, 2.0, 3.0]), st.integers(0, 99))
def test_spans_anywhere_are_as_many_and_as_long(length: int, noise: float, mean_span: float, seed: int) -> None:
    ending, free = (noise_mask(length, noise, mean_span, np.random.default_rng(seed), way) for way in (False, True))
    assert ending.sum() == free.sum()
    assert not free[0]
    for mask in (ending, free):
        begins = int((mask & ~np.concatenate([[False], mask[:-1]])).sum())
        hidden = int(mask.sum())
        assert begins == min(max(round(hidden / mean_span), 1), length - hidden)


@given(st.integers(1, 900), st.integers(8, 128), st.integers(8, 64), st.integers(0, 99))
def test_span_corruption_hides_each_token_once_and_fits(length: int, prompt: int, target: int, key: int) -> None:
    corrupter = Corrupter(TokenTask("span corruption", "text", 0.15, 3.0), SENTINELS, prompt, target)
    asked, answered, used = corrupter.row(list(range(1000, 1000 + length)), str(key))
    assert len(asked) < prompt
    assert len(answered) < target
    assert _filled(asked.tolist(), answered.tolist()) == used.tolist()
    assert len(used) == min(length, corrupter.longest)


def _filled(prompt: list[int], target: list[int]) -> list[int]:
    """The text again: each sentinel of the prompt replaced by what follows it in the target."""
    hidden: dict[int, list[int]] = {}
    for token in target:
        if token in SENTINELS:
            hidden[token] = last = []
        else:
            last.append(token)
    assert list(hidden) == SENTINELS[: len(hidden)]
    return [token for asked in prompt for token in hidden.get(asked, [asked])]


@given(st.integers(1, 300), st.integers(2, 64), st.integers(2, 64), st.integers(0, 99))
def test_a_prefix_and_its_rest_are_the_text_and_fit(length: int, prompt: int, target: int, key: int) -> None:
    corrupter = Corrupter(TokenTask("prefix language modelling", "text", 0.0, 0.0), [], prompt, target)
    head, rest, used = corrupter.row(list(range(length)), str(key))
    assert [*head.tolist(), *rest.tolist()] == used.tolist()
    assert len(head) < prompt
    assert len(rest) < target
    assert len(used) == min(length, prompt + target - 2)
    assert len(rest) > 0
    assert len(head) > 0 or len(used) == 1


TEMPLATE = """\
task: raw/text
version: 1
source: {format: jsonl, train: text.jsonl}
token_task: {span_corruption: {of: line, noise: 0.15, mean_span: 3}}
"""


def make(
    folder: Path, template: str = TEMPLATE, lines: tuple[str, ...] = ("the storm closed the port " * 30, "北京")
) -> Task:
    path = folder / "raw" / "text.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(template)
    (path.parent / "text.jsonl").write_text("".join(json.dumps({"line": line}) + "\n" for line in lines))
    return Task(read_template(path))


def test_rows_are_a_function_of_seed_epoch_and_id(tmp_path: Path) -> None:
    task = make(tmp_path)

    def rows(seed: int, epoch: int | None, limit: int | None = None) -> list[tuple[list[int], list[int]]]:
        found = encode_split(Encoder(TOKENIZER, 64, 32), task, "train", seed=seed, epoch=epoch, limit=limit)
        return [(row.input_ids.tolist(), row.labels.tolist()) for row in found]

    assert rows(1, 0) == rows(1, 0)
    assert rows(1, 0, limit=1) == rows(1, 0)[:1]
    assert rows(1, 0)[0] != rows(1, 1)[0]
    assert rows(1, 0)[0] != rows(2, 0)[0]
    for prompt, target in rows(1, 0):
        assert (prompt[-1], target[-1]) == (EOS, EOS)
        assert len(prompt) <= 64
        assert len(target) <= 32
    assert len(rows(1, 0)[0][0]) == 64


def test_what_of_a_long_text_is_not_used_is_counted(tmp_path: Path) -> None:
    task = make(tmp_path)
    encoder = Encoder(TOKENIZER, 64, 32)
    rows = list(encoder.encode_many(task, task.examples("train"), epoch=0))
    counts = encoder.counts["raw/text"]
    assert (counts.n, counts.prompts_cut, counts.targets_cut) == (2, 1, 0)
    said = TOKENIZER.backend_tokenizer.decode(_filled(rows[0].input_ids.tolist()[:-1], rows[0].labels.tolist()[:-1]))
    assert counts.characters_cut == len("the storm closed the port " * 30) - len(said)


def test_a_text_without_tokens_is_named(tmp_path: Path) -> None:
    task = make(tmp_path, lines=("",))
    with pytest.raises(DataError, match="field 'line' has no token; leave it out with where:"):
        list(Encoder(TOKENIZER, 64, 32).encode_many(task, task.examples("train")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("prompt: x\n", "text.yaml:5: a token task has no prompt:; leave it out"),
        ("target: {text: line}\n", "a token task has no target:"),
        ("metrics: [chrf]\n", "a token task has no metrics:"),
        ("shorten: {field: line}\n", "a token task has no shorten:"),
    ],
)
def test_keys_of_string_tasks_are_refused(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        make(tmp_path, TEMPLATE + change)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{}", "names not exactly one task"),
        ("{span_corruption: {}, prefix_lm: {}}", "names not exactly one task"),
        ("{spans: {}}", "unknown key 'spans'"),
        ("{span_corruption: {noise: 1.5}}", "noise"),
        ("{span_corruption: {mean_span: 0}}", "mean_span"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, settings: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        make(tmp_path, TEMPLATE.replace("{span_corruption: {of: line, noise: 0.15, mean_span: 3}}", settings))


def test_a_prefix_stands_before_every_prompt_and_counts_against_its_limit() -> None:
    for kind, noise in (("span corruption", 0.5), ("prefix language modelling", 0.0)):
        settings = TokenTask(kind, "text", noise, 3.0, "[X]")  # type: ignore[arg-type]
        corrupter = Corrupter(settings, SENTINELS, 32, 32, [7, 8])
        for length in (1, 2, 9, 200):
            prompt, _, used = corrupter.row(range(1000, 1000 + length), "drawn")
            assert prompt[:2].tolist() == [7, 8]
            assert len(prompt) < 32
            assert not {7, 8} & set(used.tolist())
    with pytest.raises(VocabularyError, match=r"the prefix '\[X\]' has 30 tokens, a prompt 32"):
        Corrupter(settings, SENTINELS, 32, 32, list(range(30)))

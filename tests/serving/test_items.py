"""How sure a model is of each item of an output: by its tokens, as one pass over the output gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from t2t.data.encode import Encoder
from t2t.generation.generator import Decoding, Generator, Output, Request
from t2t.generation.torch_engine import TorchEngine
from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import encode_texts, train_tokenizer
from t2t.serving.answers import Answered
from t2t.serving.item_scores import item_totals
from t2t.serving.model_calibration import Calibration, calibrate
from t2t.structures import Example, Span, Value
from t2t.tasks.task import Task, load_task

TEXTS = ["Ada moved to Oslo", "Rome fell; Bo wept", "Oslo, Oslo and Oslo"]
TOKENIZER = train_tokenizer([f"find names: {text} = city ; person | none" for text in TEXTS] * 9, 600)
SHAPE = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(1)
    return Generator(TorchEngine(build_from_scratch(SHAPE, len(TOKENIZER))), TOKENIZER)


def said(text: str, logs: Sequence[float] | None = None) -> Output:
    """An output whose n-th token has the log-probability -n, from 1."""
    (ids,) = encode_texts(TOKENIZER, [text])
    return Output("a", tuple(ids), text, -1.0, False, logs=tuple(logs or [-float(n + 1) for n in range(len(ids))]))


def totals(task: Task, text: str, source: str, output: Output | None = None) -> object:
    found = Answered(Example("a", {"text": source}, None), ("p",), (output or said(text),))
    return item_totals(task, found, task.parse(text, found.example).value, TOKENIZER)


def test_one_pass_gives_what_greedy_search_summed(generator: Generator) -> None:
    requests = [Request(str(n), ids) for n, ids in enumerate(encode_texts(TOKENIZER, TEXTS * 3))]
    found = generator.generate(requests, Decoding(12, 60, logs=True))
    for output, plain in zip(found, generator.generate(requests, Decoding(12, 60)), strict=True):
        assert replace(output, logs=()) == plain
        assert len(output.logs) == len(output.ids)
        assert sum(output.logs) == pytest.approx(output.score * len(output.ids), abs=1e-3)


def test_the_tokens_of_an_item_are_its_own() -> None:
    task = load_task("atlas/ner_en")
    text = "Oslo = city ; Rome = city"
    pieces = TOKENIZER.convert_ids_to_tokens(said(text).ids)
    mark = pieces.index("▁;")
    numbers = [number + 1 for number in range(len(pieces))]
    # Behind the mark stands a space of its own, which belongs to no item; at the end stands EOS.
    assert (pieces[mark + 1], pieces[-1]) == ("▁", "</s>")
    wanted = [-sum(numbers[:mark]), -sum(numbers[mark + 2 : -1])]
    assert totals(task, text, "Oslo and Rome") == pytest.approx(wanted)


def test_tokens_that_are_spelled_otherwise_have_their_places_too() -> None:
    task, text = load_task("atlas/ner_en"), "Oslo = city ; Rome = city"
    found = said(text)
    pieces = [*TOKENIZER.convert_ids_to_tokens(found.ids)]
    place = pieces.index("me")
    ids = [*found.ids[:place], *TOKENIZER.convert_tokens_to_ids(["m", "e"]), *found.ids[place + 1 :]]
    assert TOKENIZER.unk_token_id not in ids
    other = replace(found, ids=tuple(ids), logs=(-1.0,) * len(ids))
    # A token more in the second item; the space of its own at the beginning says nothing by itself.
    assert totals(task, text, "Oslo and Rome", replace(found, logs=(-1.0,) * len(found.ids))) == [-11.0, -9.0]
    assert totals(task, text, "Oslo and Rome", other) == [-10.0, -10.0]


def test_an_item_that_is_not_told_apart_is_null_and_an_empty_list_has_none() -> None:
    task = load_task("atlas/ner_en")
    assert totals(task, "none", "nothing here") is None
    assert totals(task, "Oslo = city", "Oslo", replace(said("Oslo = city"), logs=())) is None
    gap = totals(task, "Oslo = city ; ; Rome = city", "Oslo and Rome")  # what is empty is no item and no part
    assert isinstance(gap, list)
    assert len(gap) == 2
    assert None not in gap
    assert totals(task, "Oslo = city ; Rome = nothing", "Oslo and Rome") is None  # two parts, one item


def test_of_several_windows_the_likeliest_counts() -> None:
    task = load_task("atlas/ner_en")

    class Windowed:
        def windows(self, example: Example) -> list[Example]:
            return [example, example]

        parts, parse = task.parts, task.parse

    sure = [-0.01] * len(said("Oslo = city").ids)
    unsure = [-2.0] * len(sure)
    outputs = (said("Oslo = city", unsure), said("Oslo = city", sure))
    value: Value = [{"text": Span("Oslo", 40, 44), "type": "city"}, {"text": Span("Rome", 1, 5), "type": "city"}]
    found = Answered(Example("a", {"text": "Oslo"}, None), ("p", "p"), outputs)
    first, second = item_totals(Windowed(), found, value, TOKENIZER)  # type: ignore[arg-type, misc]
    assert -1.0 < first < 0
    assert second is None


def test_confidences_by_the_temperature_of_items() -> None:
    known = Calibration(1.0, {"a": 2.0}, {"b": 4.0})
    assert known.item_confidences("b", [math.log(0.5) * 4, None]) == [pytest.approx(0.5), None]
    assert known.item_confidences("a", {"x": math.log(0.5) * 2}) == {"x": pytest.approx(0.5)}
    assert known.item_confidences("a", None) is None


def test_items_are_calibrated_beside_outputs(generator: Generator, tmp_path: Path) -> None:
    task = load_task("atlas/ner_en")
    examples = [one for one, _ in zip(task.examples("valid"), range(12), strict=False)]
    encoder = Encoder(TOKENIZER, 128, 48)
    found = calibrate(
        [(task, examples, lambda some: generator.generate(some, Decoding(48, 4000, logs=True)))], encoder, True
    )
    known = found["tasks"]["atlas/ner_en"]
    assert known["outputs"] == 12
    assert known["items"]["outputs"] > 0
    assert known["items"]["right"] <= 0.5  # of a model of random weights
    assert known["items"]["temperature"] > 0

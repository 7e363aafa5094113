"""Rows that begin where others have ended: every output is what its prompt gives alone."""

from __future__ import annotations

import pytest
import torch

from t2t.config.run import SampleSettings
from t2t.generation import stepwise
from t2t.generation.batches import in_batches
from t2t.generation.engine import Decoded, Search
from t2t.generation.generator import Decoding, Generator, Request
from t2t.generation.torch_engine import TorchEngine
from t2t.model.backbone import build_from_scratch
from t2t.model.peft import METHODS
from t2t.model.seq2seq import FAMILIES, Seq2Seq, SpecialIds
from tests.generation.test_torch_engine import LIMIT, TOKENIZER, countdown, requests

SPEC = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 3, "init": "t5"}
PROMPTS = [tuple(range(5 + n % 40, 5 + n % 40 + 30 - n // 3)) for n in range(80)]  # the longest first


def lively(model: Seq2Seq) -> TorchEngine:
    """An engine whose outputs end after few or many tokens, by chance of its weights."""
    head = model.module.lm_head.weight
    with torch.no_grad():
        generator = torch.Generator().manual_seed(1)
        for parameter in model.parameters().values():
            if parameter.ndim == 2:
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
        head[model.ids.end] *= 2.0
    return TorchEngine(model)


def streamed(engine: TorchEngine, search: Search, room: int, reserved: int = 16) -> list[Decoded]:
    found = [one for several in engine.stream(PROMPTS, search, lambda: room, reserved) for one in several]
    assert sorted(place for place, _ in found) == list(range(len(PROMPTS)))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def one_by_one(engine: TorchEngine, search: Search) -> list[Decoded]:
    keys = search.keys or (0,) * len(PROMPTS)
    return [
        engine.decode([prompt], Search(search.max_tokens, sample=search.sample, keys=(key,) if search.keys else ()))[0]
        for prompt, key in zip(PROMPTS, keys, strict=True)
    ]


def assert_same(found: list[Decoded], expected: list[Decoded]) -> None:
    assert [one.ids for one in found] == [one.ids for one in expected]
    assert [one.total for one in found] == pytest.approx([one.total for one in expected], abs=2e-4)


@pytest.mark.parametrize("family", ["t5", "mt5", "umt5"])
@pytest.mark.parametrize("room", [1, 200, 500, 10_000])
def test_of_every_family_each_output_is_that_of_its_prompt_alone(family: str, room: int) -> None:
    ids = SpecialIds.of(TOKENIZER)
    engine = lively(FAMILIES.get(family, family).build(SPEC, len(TOKENIZER), ids, 3))
    expected = one_by_one(engine, Search(16))
    assert len({len(one.ids) for one in expected}) > 3
    assert_same(streamed(engine, Search(16), room), expected)


@pytest.mark.parametrize("method", ["prompt", "prefix", "lora"])
def test_with_what_peft_puts_before_a_prompt(method: str) -> None:
    model = build_from_scratch(SPEC, len(TOKENIZER))
    METHODS.get(method, "peft")(**({} if method == "lora" else {"length": 3})).apply(model)
    engine = lively(model)
    assert_same(streamed(engine, Search(16), 500), one_by_one(engine, Search(16)))


def test_draws_are_those_of_each_alone() -> None:
    engine = lively(build_from_scratch(SPEC, len(TOKENIZER)))
    search = Search(16, sample=SampleSettings(temperature=1.3, top_p=0.9), keys=tuple(range(1, 81)))
    assert_same(streamed(engine, search, 400), one_by_one(engine, search))


def count_steps(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each step of the decoder from here on, as they come."""
    rows: list[int] = []
    face = type(generator.engine.model)  # type: ignore[attr-defined]
    step = face.step

    def counted(self: Seq2Seq, last_b: torch.Tensor, *given: object) -> torch.Tensor:
        rows.append(len(last_b))
        found: torch.Tensor = step(self, last_b, *given)
        return found

    monkeypatch.setattr(face, "step", counted)
    return rows


def test_it_takes_fewer_steps_than_batches_that_wait_for_their_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = countdown(True)
    rows = count_steps(generator, monkeypatch)
    asked = [Request(f"{n}", one.prompt_ids) for n, one in enumerate(requests() * 5)]
    outputs = generator.generate(asked, Decoding(LIMIT, 1000))
    refilled = len(rows)
    rows.clear()
    monkeypatch.setattr(TorchEngine, "stream", in_batches)
    generator.generate(asked, Decoding(LIMIT, 1000))
    assert sum(len(output.ids) for output in outputs) < sum(rows)
    assert refilled < 0.9 * len(rows)


@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
def test_when_rows_are_replaced_changes_nothing(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = lively(build_from_scratch(SPEC, len(TOKENIZER)))
    expected = one_by_one(engine, Search(16))
    monkeypatch.setattr(stepwise, "ENDED_SHARE", share)
    assert_same(streamed(engine, Search(16), 600), expected)


def test_nothing_gives_nothing() -> None:
    engine = TorchEngine(build_from_scratch(SPEC, len(TOKENIZER)))
    assert list(engine.stream([], Search(4), lambda: 100, 4)) == []
    assert Generator(engine, TOKENIZER).generate([], Decoding(4)) == []

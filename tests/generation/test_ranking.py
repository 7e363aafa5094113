"""All texts of a closed set are weighed as transformers weighs each by itself."""

from __future__ import annotations

import math

import pytest
import torch

from t2t.generation import generator as generating
from t2t.generation.generator import Decoding, Generator, Request
from t2t.generation.torch_engine import TorchEngine
from t2t.model.backbone import build_from_scratch
from t2t.model.seq2seq import Seq2Seq
from t2t.model.tokenizer import encode_texts, train_tokenizer
from tests.models import token_nll

TEXTS = ("red", "green", "greenish blue", "greenish grey", "blue", "红色", "a")
TOKENIZER = train_tokenizer([f"the {text} house" for text in TEXTS] * 20, 540)
SPEC = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4}


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    torch.manual_seed(3)
    return build_from_scratch({**SPEC, "tied": request.param}, len(TOKENIZER))


def by_itself(model: Seq2Seq, prompt: list[int], text: list[int]) -> float:
    batch = {"input_ids": torch.tensor([prompt]), "labels": torch.tensor([text])}
    with torch.no_grad():
        nll, _, _ = token_nll(model, {**batch, "attention_mask": torch.ones_like(batch["input_ids"])})
    return -float(nll)


def prompts(count: int) -> list[list[int]]:
    return encode_texts(TOKENIZER, [f"the {TEXTS[n % 7]} {'house ' * (n % 5)}" for n in range(count)])


@pytest.mark.parametrize("budget", [10, 300, 100_000])
def test_every_text_has_its_own_probability_in_whatever_batches(model: Seq2Seq, budget: int) -> None:
    generator = Generator(TorchEngine(model), TOKENIZER)
    asked = [Request(f"r{n}", ids, texts=TEXTS if n % 3 else (TEXTS[2], TEXTS[0])) for n, ids in enumerate(prompts(11))]
    told: list[int] = []
    found = generator.generate(asked, Decoding(16, budget), told.append)
    assert sum(told) == 11
    assert [one.id for one in found] == [one.id for one in asked]
    for request, output in zip(asked, found, strict=True):
        ids = encode_texts(TOKENIZER, request.texts)
        wanted = {text: by_itself(model, request.prompt_ids, one) for text, one in zip(request.texts, ids, strict=True)}
        assert dict(output.ranked) == pytest.approx(wanted, abs=1e-4)
        assert [total for _, total in output.ranked] == sorted((total for _, total in output.ranked), reverse=True)
        best = max(wanted, key=lambda text: wanted[text])
        assert (output.text, output.ranked[0][0], output.cut) == (best, best, False)
        assert output.total == pytest.approx(wanted[best], abs=1e-4)
        assert list(output.ids) == ids[request.texts.index(best)]


def test_ranked_and_searched_requests_go_together(model: Seq2Seq) -> None:
    generator = Generator(TorchEngine(model), TOKENIZER)
    mixed = [Request(f"r{n}", ids, texts=TEXTS if n % 2 else ()) for n, ids in enumerate(prompts(6))]
    found = generator.generate(mixed, Decoding(8))
    alone = generator.generate([one for one in mixed if not one.texts], Decoding(8))
    assert [one.ids for one in found if not one.ranked] == [one.ids for one in alone]
    assert [bool(one.ranked) for one in found] == [False, True] * 3


def test_texts_share_what_they_have_in_common(model: Seq2Seq, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, rows = TorchEngine(model), []
    step = model.step

    def counted(last_b: torch.Tensor, *rest: object) -> torch.Tensor:
        rows.append(len(last_b))
        return step(last_b, *rest)

    monkeypatch.setattr(model, "step", counted)
    ids = encode_texts(TOKENIZER, TEXTS)
    engine.rank(prompts(1), [ids])
    beginnings = {tuple(text[:length]) for text in ids for length in range(len(text))}
    assert sum(rows) == len(beginnings) < sum(map(len, ids))


def test_a_text_that_cannot_be_said_is_told(model: Seq2Seq) -> None:
    unknown = TOKENIZER.unk_token_id
    generator = Generator(TorchEngine(model), TOKENIZER)
    output = generator._likeliest(Request("a", [1], texts=("x",)), [[unknown, 1]], [-2.0])
    assert output.unsayable
    assert math.isclose(output.score, -1.0)
    assert generating._ranking_length(Request("a", [5, 1], texts=("x",)), [[7, 8, 1]]) == 5


def test_where_memory_runs_out_fewer_are_ranked_at_once(model: Seq2Seq, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [Request(f"r{n}", ids, texts=TEXTS) for n, ids in enumerate(prompts(11))]
    expected = Generator(TorchEngine(model), TOKENIZER).generate(asked, Decoding(16))
    rank = TorchEngine.rank

    def small(self: TorchEngine, given: list[list[int]], texts: list[list[list[int]]]) -> list[list[float]]:
        if len(given) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return rank(self, given, texts)

    monkeypatch.setattr(TorchEngine, "rank", small)
    found = Generator(TorchEngine(model), TOKENIZER).generate(asked, Decoding(16))
    assert [(one.id, one.text) for one in found] == [(one.id, one.text) for one in expected]
    assert [one.total for one in found] == pytest.approx([one.total for one in expected], abs=1e-4)

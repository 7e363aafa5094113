from typing import Any

import pytest
import torch
from torch.nn import functional

from t2t.config.run import SampleSettings
from t2t.generation import stepwise
from t2t.generation.generator import Decoding, Generator, Request
from t2t.generation.torch_engine import TorchEngine
from t2t.model.backbone import build_from_scratch
from t2t.model.families.t5 import T5
from t2t.model.tokenizer import train_tokenizer
from tests.models import token_nll

TOKENIZER = train_tokenizer(["the storm closed the port"] * 20, 520)
SPEC = {"d_model": 48, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 3}
LIMIT = 24
FIRST = 300  # the ids FIRST + 1 .. FIRST + LIMIT count down to the end


def countdown(tied: bool) -> Generator:
    """An engine that was taught to count down from the prompt's number, so that rows end at different lengths."""
    model = build_from_scratch({**SPEC, "gated": True, "tied": tied}, len(TOKENIZER))
    optimizer = torch.optim.AdamW(model.module.parameters(), lr=3e-3)
    starts = torch.arange(1, LIMIT)
    labels = torch.full((len(starts), LIMIT), -100)
    for row, start in enumerate(starts.tolist()):
        labels[row, :start] = torch.arange(FIRST + start, FIRST, -1)
        labels[row, start] = 1
    inputs = torch.stack([FIRST + starts, torch.full_like(starts, 290), torch.ones_like(starts)], dim=1)
    data = {"input_ids": inputs, "attention_mask": torch.ones_like(inputs), "labels": labels}
    for _ in range(60):
        nll, tokens, _ = token_nll(model, data)
        optimizer.zero_grad()
        (nll / tokens).backward()
        optimizer.step()
    return Generator(TorchEngine(model), TOKENIZER)


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def engine(request) -> Generator:
    return countdown(request.param)


def requests(count: int = 40) -> list[Request]:
    """Prompts of different lengths, in no order of length."""
    return [
        Request(f"r{number}", [FIRST + 1 + number * 7 % (LIMIT - 1), *[290] * (number * 5 % 11 + 1), 1])
        for number in range(count)
    ]


def by_generate(engine: Generator, request: Request, max_tokens: int) -> list[int]:
    ids = torch.tensor([list(request.prompt_ids)])
    row = engine.engine.model.module.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_tokens, num_beams=1, do_sample=False
    )[0, 1:].tolist()
    return row[: row.index(1) + 1] if 1 in row else row


@pytest.mark.parametrize("budget", [12, 400, 10_000])
def test_greedy_equals_transformers_row_by_row_in_the_order_of_the_input(engine: Generator, budget: int) -> None:
    asked = requests()
    outputs = engine.generate(asked, Decoding(LIMIT, budget))
    assert [output.id for output in outputs] == [request.id for request in asked]
    assert [list(output.ids) for output in outputs] == [by_generate(engine, request, LIMIT) for request in asked]
    assert len({len(output.ids) for output in outputs}) > 5


@pytest.mark.parametrize("share", [0.0001, 2.0])
def test_ended_rows_leave_the_batch_without_a_trace(engine: Generator, share: float, monkeypatch) -> None:
    expected = engine.generate(requests(), Decoding(LIMIT, 10_000))
    monkeypatch.setattr(stepwise, "ENDED_SHARE", share)
    outputs = engine.generate(requests(), Decoding(LIMIT, 10_000))
    assert [output.ids for output in outputs] == [output.ids for output in expected]
    assert [o.score for o in outputs] == pytest.approx([o.score for o in expected], abs=1e-5)


@pytest.mark.parametrize("beams", [1, 3])
def test_the_score_is_the_mean_log_probability_with_eos(engine: Generator, beams: int) -> None:
    for request, output in zip(requests(12), engine.generate(requests(12), Decoding(LIMIT, 600, beams)), strict=True):
        ids = torch.tensor([list(request.prompt_ids)])
        labels = torch.tensor([list(output.ids)])
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
        with torch.no_grad():
            nll, tokens, _ = token_nll(engine.engine.model, batch)
        assert int(tokens) == len(output.ids)
        assert output.score == pytest.approx(-float(nll / tokens), abs=1e-4)


def test_beams_find_what_is_at_least_as_likely(engine: Generator) -> None:
    greedy = engine.generate(requests(12), Decoding(LIMIT, 1000))
    beams = engine.generate(requests(12), Decoding(LIMIT, 1000, 4))
    assert [output.id for output in beams] == [output.id for output in greedy]
    assert sum(o.score for o in beams) >= sum(o.score for o in greedy) - 1e-4


@pytest.mark.parametrize("beams", [2, 4])
def test_beams_find_what_transformers_finds(engine: Generator, beams: int) -> None:
    asked = requests(12)
    for request, output in zip(asked, engine.generate(asked, Decoding(LIMIT, 1000, beams)), strict=True):
        ids = torch.tensor([list(request.prompt_ids)])
        found = engine.engine.model.module.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=LIMIT, num_beams=beams, do_sample=False
        )[0, 1:].tolist()
        assert list(output.ids) == found[: found.index(1) + 1 if 1 in found else None]


@pytest.mark.parametrize("penalty", [-1.0, 0.0, 0.6, 1.5])
def test_a_length_penalty_is_that_of_transformers(penalty: float) -> None:
    model, asked = build_from_scratch({**SPEC, "init": "t5", "tied": False}, len(TOKENIZER), 5), requests(8)
    with torch.no_grad():  # of random weights the end comes now and then, so that lengths differ
        model.parameters()["lm_head.weight"][1] *= 6
    decoding, compared = Decoding(8, 1000, 3, length_penalty=penalty), 0
    outputs = Generator(TorchEngine(model), TOKENIZER).generate(asked, decoding)
    for request, output in zip(asked, outputs, strict=True):
        ids = torch.tensor([list(request.prompt_ids)])
        found = model.module.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, num_beams=3, do_sample=False,
            length_penalty=penalty, return_dict_in_generate=True, output_scores=True,
        )  # fmt: skip
        row = found.sequences[0, 1:].tolist()
        if 1 not in row:
            continue  # transformers lets what was cut win over what has ended
        compared += 1
        assert list(output.ids) == row[: row.index(1) + 1]
        worth = output.score * len(output.ids) ** (1 - penalty)
        assert worth == pytest.approx(float(found.sequences_scores[0]), rel=1e-4)
    assert compared >= 3


def test_an_output_without_eos_is_cut(engine: Generator) -> None:
    whole = engine.generate(requests(), Decoding(LIMIT, 1000))
    short = engine.generate(requests(), Decoding(5, 1000))
    assert any(output.cut for output in short)
    for output, full in zip(short, whole, strict=True):
        assert output.ids == full.ids[:5]
        assert output.cut == (1 not in output.ids)


def test_what_ends_before_the_limit_is_the_same_with_it(engine: Generator) -> None:
    whole = engine.generate(requests(), Decoding(LIMIT, 200))
    short = engine.generate(requests(), Decoding(12, 200, reserve=LIMIT))
    ended = [pair for pair in zip(short, whole, strict=True) if not pair[0].cut]
    assert 0 < len(ended) < len(whole)
    assert all(output.ids == full.ids for output, full in ended)
    assert [output.score for output, _ in ended] == pytest.approx([full.score for _, full in ended], abs=1e-5)


def test_text_is_decoded_without_eos_and_with_unk(engine: Generator, monkeypatch) -> None:
    ids = [*TOKENIZER("the port")["input_ids"][:-1], 2, 1]
    steps = iter(ids)

    def next_token(last_b: torch.Tensor, *_rest: object) -> torch.Tensor:
        return functional.one_hot(torch.full_like(last_b, next(steps)), len(TOKENIZER)).float()

    monkeypatch.setattr(engine.engine.model, "step", next_token)
    (output,) = engine.generate([Request("a", [5, 1])], Decoding(LIMIT, 100))
    assert output.ids == tuple(ids)
    assert output.text == "the port<unk>"


def test_progress_counts_every_request_once(engine: Generator) -> None:
    done: list[int] = []
    engine.generate(requests(), Decoding(LIMIT, 50), advance=done.append)
    assert sum(done) == 40
    assert len(done) > 1
    assert engine.generate([], Decoding(LIMIT, 50)) == []


def test_bf16_runs() -> None:
    small = Generator(TorchEngine(build_from_scratch(SPEC, len(TOKENIZER)), dtype=torch.bfloat16), TOKENIZER)
    outputs = small.generate(requests(3), Decoding(4, 100))
    assert all(len(output.ids) <= 4 and output.score < 0 for output in outputs)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_what_the_cpu_gives() -> None:
    engine = countdown(True)
    expected = engine.generate(requests(), Decoding(LIMIT, 1000))
    outputs = Generator(TorchEngine(engine.engine.model, "cuda"), TOKENIZER).generate(requests(), Decoding(LIMIT, 1000))
    assert [output.ids for output in outputs] == [output.ids for output in expected]


@pytest.mark.parametrize("beams", [1, 2])
def test_rows_with_prompt_and_output_stay_within_the_budget(
    engine: Generator, beams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    step = T5.step

    def sized(self: T5, last_b: torch.Tensor, hidden: torch.Tensor, mask: torch.Tensor, cache: Any, *given: Any) -> Any:
        logits = step(self, last_b, hidden, mask, cache, *given)
        tokens = cache.kept.self_attention_cache.get_seq_length()
        sizes.append(len(last_b) * (hidden.shape[1] + tokens))
        return logits

    monkeypatch.setattr(T5, "step", sized)
    draws = SampleSettings(temperature=1.5) if beams == 1 else None  # outputs of other lengths than their neighbours'
    engine.generate(requests() * 3, Decoding(LIMIT, 600, beams, draws))
    assert 400 < max(sizes) <= 600


@pytest.mark.parametrize("settings", [{}, {"beams": 3}, {"sample": SampleSettings(temperature=2.0, n=3)}])
def test_a_device_that_runs_out_of_memory_gives_the_same_outputs(
    engine: Generator, settings: dict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decoding = Decoding(LIMIT, 2000, **settings)
    expected = engine.generate(requests(), decoding)
    rows: list[int] = []
    encode = type(engine.engine.model).encode

    def small(self: object, input_bs: torch.Tensor, mask_bs: torch.Tensor) -> torch.Tensor:
        rows.append(len(input_bs))
        if len(input_bs) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return encode(self, input_bs, mask_bs)

    monkeypatch.setattr(type(engine.engine.model), "encode", small)
    found = Generator(engine.engine, TOKENIZER).generate(requests(), decoding)
    assert [(one.id, one.ids, [each.ids for each in one.samples]) for one in found] == [
        (one.id, one.ids, [each.ids for each in one.samples]) for one in expected
    ]
    told = capsys.readouterr().err.splitlines()
    assert 1 <= len(told) == sum(size > 5 for size in rows) <= 5
    assert "it is halved, as are those after it" in told[0]

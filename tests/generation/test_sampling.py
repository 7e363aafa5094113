"""Draws: from the right tokens, in the right shares, the same in any batch, and inside the target language."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from transformers import TopKLogitsWarper, TopPLogitsWarper

from t2t.config.run import SampleSettings
from t2t.generation.generator import Decoding, Generator, Output, Request
from t2t.generation.sampling import _mixed, draw, gumbel, kept, signed
from t2t.linear.admission import admits
from t2t.model.backbone import T5_IDS
from tests.generation.test_constrained_decoding import ask, from_the_first_token, half_trained, random_engine
from tests.generation.test_torch_engine import LIMIT, countdown, requests
from tests.generation.trees import EOS, TREES, WHERE, constrainer, grammar
from tests.models import logits

GAMMA = 0x9E3779B97F4A7C15
LIKELY = 1e-4  # of chi-square tests; seeds are fixed


def logits_of(engine: Generator, request: Request, ids: Sequence[int]) -> torch.Tensor:
    """Logits [t, v] from which each of ``ids`` follows, by transformers' own forward."""
    started = torch.tensor([[T5_IDS.start, *ids[:-1]]])
    return logits(engine.engine.model, torch.tensor([list(request.prompt_ids)]), started)[0]


def by_transformers(logits_bv: torch.Tensor, sample: SampleSettings) -> torch.Tensor:
    """The same by transformers' own warpers, which do not look at the tokens before."""
    scores_bv = logits_bv / sample.temperature
    none = torch.zeros((len(logits_bv), 0), dtype=torch.long)
    if sample.top_k is not None:
        scores_bv = TopKLogitsWarper(sample.top_k)(none, scores_bv)
    if sample.top_p < 1:
        scores_bv = TopPLogitsWarper(sample.top_p)(none, scores_bv)
    return scores_bv.softmax(dim=-1)


def chi_square(counts: Sequence[int], shares: Sequence[float]) -> float:
    """The probability of counts that are as far from their shares, or farther (Pearson)."""
    observed, expected = torch.tensor(counts).double(), torch.tensor(shares).double()
    expected = expected / expected.sum() * observed.sum()
    statistic = ((observed - expected) ** 2 / expected).sum()
    return float(torch.special.gammaincc(torch.tensor((len(counts) - 1) / 2).double(), statistic / 2))


def in_place(logits_bv: torch.Tensor, sample: SampleSettings) -> torch.Tensor:
    scores_bk, tokens_bk = kept(logits_bv, sample)
    return torch.zeros_like(logits_bv).scatter(1, tokens_bk, scores_bk.softmax(dim=-1))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("top_k", [None, 1, 7, 50, 5000])
@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.95, 1.0])
def test_what_is_kept_is_what_the_warpers_of_transformers_keep(temperature: float, top_k: int, top_p: float) -> None:
    sample = SampleSettings(temperature=temperature, top_k=top_k, top_p=top_p)
    logits_bv = torch.randn(40, 1000, generator=torch.Generator().manual_seed(3)) * 4
    logits_bv[20:, 100:] = -torch.inf  # as masks leave them
    if top_p == 1:
        logits_bv = (logits_bv * 4).round() / 4  # of equals all are kept
    expected, found = by_transformers(logits_bv, sample), in_place(logits_bv, sample)
    assert torch.equal(found > 0, expected > 0)
    torch.testing.assert_close(found, expected)


def test_the_hash_is_splitmix64() -> None:
    numbers = _mixed(torch.tensor([signed(1234567 + step * GAMMA) for step in (1, 2, 3)]))
    assert [number % 2**64 for number in numbers.tolist()] == [
        6457827717110365317, 3203168211198807973, 9817491932198370423,
    ]  # fmt: skip


def test_noise_is_gumbel_and_of_each_key_step_and_token_its_own() -> None:
    keys, tokens = torch.arange(50), torch.arange(400).expand(50, 400)
    noise = torch.stack([gumbel(keys, torch.full_like(keys, step), tokens) for step in range(3)])
    below = (-(-noise.flatten().double()).exp()).exp().sort().values  # Gumbel's distribution function
    places = (torch.arange(len(below)) + 0.5) / len(below)
    assert float((below - places).abs().max()) * len(below) ** 0.5 < 1.95  # Kolmogorov and Smirnov: 1 in 1,000
    flat = noise.permute(1, 0, 2).reshape(50, -1)
    assert float(torch.corrcoef(flat).fill_diagonal_(0).abs().max()) < 0.15
    assert torch.equal(gumbel(keys, torch.full_like(keys, 2), tokens[:, 300:]), noise[2][:, 300:])


@pytest.mark.parametrize(
    "sample",
    [SampleSettings(), SampleSettings(temperature=0.7, top_k=9), SampleSettings(temperature=1.5, top_k=20, top_p=0.8)],
)
def test_tokens_come_in_the_shares_that_they_have(sample: SampleSettings) -> None:
    number = 20_000
    logits_v = torch.randn(40, generator=torch.Generator().manual_seed(1)) * 1.5
    keys = torch.arange(number)
    drawn = draw(logits_v.expand(number, 40), sample, keys, torch.full_like(keys, 5))
    expected = by_transformers(logits_v[None], sample)[0]
    counts = torch.bincount(drawn, minlength=40)
    assert int(counts[expected == 0].sum()) == 0
    assert chi_square(counts[expected > 0].tolist(), expected[expected > 0].tolist()) > LIKELY


@pytest.fixture(scope="module")
def engine() -> Generator:
    return countdown(True)


def sampled(engine: Generator, asked: list[Request], budget: int = 1000, **settings: float) -> list[Output]:
    return engine.generate(asked, Decoding(LIMIT, budget, sample=SampleSettings(**settings)))


def test_a_temperature_near_zero_is_greedy(engine: Generator) -> None:
    greedy = engine.generate(requests(), Decoding(LIMIT, 1000))
    assert [one.ids for one in sampled(engine, requests(), temperature=1e-6)] == [one.ids for one in greedy]


def test_draws_hang_on_prompt_and_seed_alone(engine: Generator) -> None:
    asked = requests(12)
    outputs = sampled(engine, asked, temperature=2.0, n=3)
    assert len({output.ids for output in outputs}) > 6
    again = sampled(engine, [Request("other", one.prompt_ids) for one in reversed(asked)], 200, temperature=2.0, n=3)
    alone = [sampled(engine, [one], temperature=2.0, n=3)[0] for one in asked]
    said = [[sample.ids for sample in output.samples] for output in outputs]
    assert said == [[sample.ids for sample in output.samples] for output in reversed(again)]
    assert said == [[sample.ids for sample in output.samples] for output in alone]
    assert [output.ids for output in sampled(engine, asked, temperature=2.0)] == [several[0] for several in said]
    assert [output.ids for output in sampled(engine, asked, temperature=2.0, seed=1)] != [one[0] for one in said]


def test_each_request_has_its_samples_the_first_of_which_it_is(engine: Generator) -> None:
    told: list[int] = []
    sample = SampleSettings(temperature=2.0, top_k=50, n=4)
    outputs = engine.generate(requests(20), Decoding(LIMIT, 500, sample=sample), told.append)
    assert sum(told) == 20
    for request, output in zip(requests(20), outputs, strict=True):
        assert {sample.id for sample in output.samples} == {request.id} == {output.id}
        assert len(output.samples) == 4
        assert (output.ids, output.score) == (output.samples[0].ids, output.samples[0].score)
    assert all(output.samples == () for output in sampled(engine, requests(3)))


def test_the_score_is_that_of_the_model_whatever_the_temperature(engine: Generator) -> None:
    for request, output in zip(requests(8), sampled(engine, requests(8), temperature=2.0, top_k=20), strict=True):
        scores = logits_of(engine, request, output.ids).log_softmax(dim=-1)
        expected = float(scores.gather(1, torch.tensor(output.ids)[:, None]).mean())
        assert output.score == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("settings", [{}, {"top_k": 5}, {"top_p": 0.9, "temperature": 3.0}])
@pytest.mark.parametrize("name", ["spans", "numbered", "chinese", "labels", "letter", "events"])
def test_every_sample_parses(name: str, settings: dict[str, float]) -> None:
    asked = [ask(f"find {number}", TREES[name], WHERE) for number in range(3)]
    outputs = random_engine().generate(asked, Decoding(60, 400, sample=SampleSettings(n=3, **settings)))
    for sample in (sample for output in outputs for sample in output.samples):
        assert not sample.cut
        assert admits(grammar(name), sample.text)
        assert TREES[name].parse(sample.text, WHERE).issues == ()
    assert len({sample.text for output in outputs for sample in output.samples}) > 1


def test_optimistic_draws_are_those_of_constraining_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, asked = half_trained()
    decoding = Decoding(40, 600, sample=SampleSettings(temperature=0.7, n=2))
    drawn = [sample for output in engine.generate(asked, decoding) for sample in output.samples]
    assert 0 < sum(sample.constrained for sample in drawn) < len(drawn)
    monkeypatch.setattr(Generator, "_accepted", lambda self, batch, outputs: [False] * len(batch))
    from_the_first_token(monkeypatch)
    always = [sample for output in engine.generate(asked, decoding) for sample in output.samples]
    assert [sample.ids for sample in drawn] == [sample.ids for sample in always]


@pytest.mark.parametrize("settings", [{"temperature": 1.3}, {"temperature": 2.0, "top_p": 0.8}, {"top_k": 3}])
def test_samples_under_masks_come_in_the_shares_of_the_allowed_tokens(settings: dict[str, float]) -> None:
    sample = SampleSettings(n=3000, **settings)
    asked, engine = ask("find 1", TREES["label"], WHERE), random_engine(4)
    (output,) = engine.generate([asked], Decoding(20, 40_000, sample=sample))
    (first_v,) = logits_of(engine, asked, [EOS])
    allowed = torch.from_numpy(constrainer().guide(grammar("label")).allowed(20))
    masked_v = torch.full_like(first_v, -torch.inf).index_copy(0, allowed, first_v[allowed])
    shares_v = by_transformers(masked_v[None], sample)[0]
    counts_v = torch.bincount(torch.tensor([one.ids[0] for one in output.samples]), minlength=len(shares_v))
    assert int(counts_v[shares_v == 0].sum()) == 0
    often = shares_v * sample.n > 5
    assert int(often.sum()) > 1
    rest = [(int(counts_v[~often].sum()), float(shares_v[~often].sum()))] if float(shares_v[~often].sum()) > 0 else []
    pairs = [*zip(counts_v[often].tolist(), shares_v[often].tolist(), strict=True), *rest]
    assert chi_square([count for count, _ in pairs], [share for _, share in pairs]) > LIKELY

"""No n-gram twice: as transformers has it, and never against the grammar."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from t2t.config.run import SampleSettings
from t2t.generation.generator import Decoding, Generator, Request
from t2t.generation.repeats import unrepeated
from t2t.linear.admission import admits
from t2t.linear.target import Target
from t2t.model.tokenizer import encode_texts
from tests.generation.test_constrained_decoding import ask, half_trained, random_engine
from tests.generation.trees import EOS, WHERE, spans, target, trained

LIMIT = 20


def asked(count: int = 6) -> list[Request]:
    return [Request(str(n), encode_texts(trained(), [f"find {n}"])[0]) for n in range(count)]


def by_transformers(engine: Generator, request: Request, size: int, beams: int) -> list[int]:
    ids = torch.tensor([list(request.prompt_ids)])
    found = engine.engine.model.module.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=LIMIT, num_beams=beams, do_sample=False,
        no_repeat_ngram_size=size,
    )[0, 1:].tolist()  # fmt: skip
    return found[: found.index(EOS) + 1 if EOS in found else None]


def repeats(ids: Sequence[int], size: int) -> bool:
    grams = [tuple(ids[start : start + size]) for start in range(len(ids) - size + 1)]
    return len(set(grams)) < len(grams)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_outputs_are_those_of_transformers(size: int, beams: int) -> None:
    engine = random_engine()
    assert any(repeats(one.ids, size) for one in engine.generate(asked(), Decoding(LIMIT, 1000, beams)))
    outputs = engine.generate(asked(), Decoding(LIMIT, 1000, beams, no_repeat_ngram=size))
    same = 0
    for request, output in zip(asked(), outputs, strict=True):
        assert not repeats(output.ids, size)
        expected = by_transformers(engine, request, size, beams)
        same += list(output.ids) == expected
        # At the limit transformers prefers a likelier beam that has not ended, ours one that has.
        assert list(output.ids) == expected or (not output.cut and expected[-1] != EOS)
    assert same >= len(outputs) - 1


def test_samples_say_nothing_again() -> None:
    decoding = Decoding(LIMIT, 1000, sample=SampleSettings(temperature=0.2, top_k=5, n=5), no_repeat_ngram=2)
    free = Decoding(LIMIT, 1000, sample=decoding.sample)
    assert any(repeats(one.ids, 2) for output in random_engine().generate(asked(), free) for one in output.samples)
    for output in random_engine().generate(asked(), decoding):
        assert not any(repeats(sample.ids, 2) for sample in output.samples)


def test_the_grammar_wins_where_it_leaves_only_what_was_said() -> None:
    no = -torch.inf
    scores = torch.tensor([[1.0, 2.0, 3.0, no], [no, no, 5.0, no]])
    assert unrepeated(scores, torch.tensor([[0, 2], [0, 2]]), 1).tolist() == [[no, 2.0, no, no], [no, no, 5.0, no]]
    twice = target({"as": "{a} ; {b}", "fields": {"a": {"label": {"x": "ab"}}, "b": {"label": {"x": "ab"}}}})
    requests = [ask(f"find {n}", twice, WHERE) for n in range(4)]
    for output in random_engine().generate(requests, Decoding(40, 1000, no_repeat_ngram=1)):
        assert output.text == "ab ; ab"
        assert output.ids[-1] == EOS


def test_constrained_outputs_say_an_n_gram_again_only_where_they_must() -> None:
    tree: Target = target({"text": None, "gold": "x", "absent": "none"})
    requests = [ask(f"find {n}", tree, WHERE) for n in range(6)]
    for output in random_engine().generate(requests, Decoding(LIMIT, 1000, no_repeat_ngram=2)):
        assert not repeats(output.ids, 2)
    mentions = target(spans("text"))
    requests = [ask(f"find {n}", mentions, WHERE) for n in range(6)]
    for output in random_engine().generate(requests, Decoding(60, 1000, no_repeat_ngram=2)):
        assert admits(mentions.grammar(WHERE), output.text)


def test_optimistic_decoding_gives_what_constraining_every_row_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, requests = half_trained()
    decoding = Decoding(40, 300, no_repeat_ngram=3)
    outputs = engine.generate(requests, decoding)
    assert 0 < sum(output.constrained for output in outputs) < len(outputs)
    monkeypatch.setattr(Generator, "_accepted", lambda self, batch, outputs: [False] * len(batch))
    assert [one.ids for one in outputs] == [one.ids for one in engine.generate(requests, decoding)]

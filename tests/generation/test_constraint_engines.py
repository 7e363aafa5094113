"""The benchmark of constraint engines at toy size: llguidance, where it is there, allows what our masks allow."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from t2t.linear.grammar import Copy, Literal, Sequence
from t2t.linear.grounding import Occurrence
from t2t.model.tokenizer import encode_texts, load_tokenizer
from tests.generation.trees import T5, TREES, WHERE, trained, with_t5
from tests.linear.grammar_samples import sample

pytest.importorskip("llguidance", reason="the peer of the benchmark is no dependency")
TRANSLATED = sorted(TREES)


@pytest.mark.parametrize("vocabulary", ["trained", pytest.param("t5", marks=with_t5)])
@pytest.mark.parametrize("name", TRANSLATED)
def test_masks_are_equal_step_by_step(name: str, vocabulary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from constraint_engines import Case, Ours, measure
    from llguidance_engine import Llguidance

    tokenizer = trained() if vocabulary == "trained" else load_tokenizer(str(T5))
    texts = [str(sample(TREES[name].grammar(WHERE), random.Random(seed))) for seed in range(20)]
    cases = [Case(TREES[name], WHERE, tuple(ids)) for ids in encode_texts(tokenizer, texts)]
    seen = measure({"ours": Ours(tokenizer), "theirs": Llguidance(tokenizer)}, cases, tokenizer, 2)
    assert seen.compared.keys() == {"equal"}
    assert not [end for end in seen.ends if "refused" in end or "dead end" in end]


def test_places_that_are_taken_are_equal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from constraint_engines import Ours, Row
    from llguidance_engine import Llguidance

    source = "Ada met Ada and Adam at Ada"
    copy = Copy(source, frozenset("|=;#"), True, True, frozenset({Occurrence(0, 3), Occurrence(8, 11)}))
    engines = [Ours(trained()), Llguidance(trained())]
    for text in ("Ada #3", "Ad #2", "Adam", "a"):
        grammar = Sequence((copy, Literal(" =")))
        rows = [Row(engine, grammar, len(trained())) for engine in engines]
        for token in encode_texts(trained(), [f"{text} ="])[0]:
            ours, theirs = (row.mask() for row in rows)
            assert (ours == theirs).all()
            assert ours[token]
            if token != trained().eos_token_id:
                [row.take(token) for row in rows]

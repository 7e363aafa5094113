"""Decoding under masks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

import pytest
import torch

from t2t.generation.engine import Decoded
from t2t.generation.generator import Decoding, Generator, Output, Request
from t2t.generation.torch_engine import TorchEngine
from t2t.linear.admission import admits
from t2t.linear.target import Target
from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import encode_texts
from t2t.structures import Json, Record
from tests.generation.test_stepwise import count_steps
from tests.generation.trees import (
    EOS,
    LABELS,
    TREES,
    WHERE,
    grammar,
    spans,
    strict,
    t5,
    target,
    trained,
    with_t5,
)
from tests.models import token_nll

SPEC = {"d_model": 32, "d_kv": 16, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}


def random_engine(seed: int = 0) -> Generator:
    torch.manual_seed(seed)
    model = build_from_scratch(SPEC, len(trained()))
    with torch.no_grad():
        for parameter in model.module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return Generator(TorchEngine(model), trained())


def ask(prompt: str, tree: Target, fields: Record) -> Request:
    return Request(prompt, encode_texts(trained(), [prompt])[0], lambda: tree.grammar(fields))


@pytest.mark.parametrize("name", TREES)
def test_outputs_of_random_weights_always_parse(name: str) -> None:
    requests = [ask(f"find {number}", TREES[name], WHERE) for number in range(6)]
    for output in random_engine().generate(requests, Decoding(60, 200)):
        assert output.constrained
        assert not output.cut
        assert output.ids[-1] == EOS
        assert admits(grammar(name), output.text)
        assert TREES[name].parse(output.text, WHERE).issues == ()


def test_what_the_limit_would_cut_is_closed_in_time_or_flagged() -> None:
    requests = [ask(f"find {number}", TREES["spans"], WHERE) for number in range(8)]
    outputs = random_engine(1).generate(requests, Decoding(40, 500))
    assert any(output.closed for output in outputs)
    assert all(len(output.ids) <= 40 and strict(TREES["spans"].parse(output.text, WHERE)) for output in outputs)
    assert all(output.cut and not output.closed for output in random_engine(1).generate(requests, Decoding(2, 500)))


def test_a_dead_end_ends_its_row_alone() -> None:
    nowhere = target({"span_of": "nothing", "gold": "x"})
    requests = [ask("one", nowhere, WHERE), ask("two", TREES["label"], WHERE), ask("three", nowhere, WHERE)]
    first, second, third = random_engine().generate(requests, Decoding(20, 500))
    assert first == Output("one", (), "", 0.0, cut=True, constrained=True)
    assert third.cut
    assert not second.cut


def t5_engine() -> Generator:
    torch.manual_seed(0)
    model = build_from_scratch({**SPEC, "d_model": 16}, 32128)
    with torch.no_grad():
        for parameter in model.module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return Generator(TorchEngine(model), t5(None)[0])


@with_t5
def test_what_t5_cannot_say_at_all_is_flagged() -> None:
    tree = target({"choice": "options", "by": "text", "gold": "x"})
    ids = encode_texts(t5(None)[0], ["one"])[0]
    fields = [{"options": ["二", "三"]}, {"options": ["二", "three"]}]
    requests = [Request(str(n), ids, partial(tree.grammar, record)) for n, record in enumerate(fields)]
    nothing, three = t5_engine().generate(requests, Decoding(20, 500))
    assert (nothing.text, nothing.unsayable, nothing.cut) == ("<unk>", True, False)
    assert (three.text, three.unsayable) == ("three", False)


@with_t5
def test_free_rows_with_unknown_are_accepted_where_the_masks_let_them_through(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, tokenizer = t5_engine(), t5(None)[0]
    rows = [encode_texts(tokenizer, [text])[0] for text in ("Dvořák = person", "北京 = person", "Dvořák = persons")]

    def said(*_given: object) -> Iterator[list[tuple[int, Decoded]]]:
        yield [(number, Decoded(tuple(row), 0.0)) for number, row in enumerate(rows)]

    monkeypatch.setattr(TorchEngine, "stream", said)
    tree, fields = target(spans("t")), {"t": "Dvořák in 北京"}
    batch = [Request(str(n), rows[0], lambda: tree.grammar(fields)) for n in range(3)]
    ((_, outputs),) = engine._freely(batch, range(3), Decoding(20))
    assert engine._accepted(batch, outputs) == [True, False, False]


def test_requests_without_a_constraint_are_left_alone() -> None:
    engine = random_engine()
    free = [Request(f"find {n}", encode_texts(trained(), [f"find {n}"])[0]) for n in range(4)]
    assert engine.generate(free, Decoding(8, 500)) == engine.generate([*free], Decoding(8, 500))
    assert "_constrainer" not in vars(engine)


def mentions(number: int) -> tuple[str, Record, Json]:
    names = ["Ada", "Lovelace", "Paris", "上海", "creative"]
    found = [names[(number + step * 2) % 5] for step in range(number % 3)]
    text = " met ".join(found) or "none"
    gold = [{"text": name, "type": list(LABELS)[names.index(name) % 3]} for name in found]
    return f"find {number} names in: {text}", {"text": text}, gold


@cache
def half_trained() -> tuple[Generator, list[Request]]:
    """An engine that was taught right outputs for most of its requests and a wrong one for the others."""
    tree = TREES["spans"]
    torch.manual_seed(0)
    model = build_from_scratch({**SPEC, "d_model": 48}, len(trained()))
    optimizer = torch.optim.AdamW(model.module.parameters(), lr=5e-3)
    asked = [mentions(number) for number in range(30)]
    said = [tree.render(gold, fields) if row % 3 else "Adam=persons" for row, (_, fields, gold) in enumerate(asked)]
    inputs = encode_texts(trained(), [prompt for prompt, _, _ in asked])
    labels = encode_texts(trained(), said)
    data = {
        "input_ids": padded(inputs, 0),
        "attention_mask": (padded(inputs, 0) != 0).long(),
        "labels": padded(labels, -100),
    }
    for _ in range(110):
        nll, tokens, _ = token_nll(model, data)
        optimizer.zero_grad()
        (nll / tokens).backward()
        optimizer.step()
    return Generator(TorchEngine(model), trained()), [ask(prompt, tree, fields) for prompt, fields, _ in asked]


def padded(rows: list[list[int]], value: int) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], True, value)


def test_accepted_rows_are_those_of_free_decoding() -> None:
    engine, requests = half_trained()
    free = engine.generate([Request(request.id, request.prompt_ids) for request in requests], Decoding(40, 300))
    outputs = engine.generate(requests, Decoding(40, 300))
    accepted = [(output, other) for output, other in zip(outputs, free, strict=True) if not output.constrained]
    assert 0 < len(accepted) < len(requests)
    assert all(output == other for output, other in accepted)


def test_optimistic_decoding_gives_what_constraining_every_row_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, requests = half_trained()
    outputs = engine.generate(requests, Decoding(40, 300))
    monkeypatch.setattr(Generator, "_accepted", lambda self, batch, outputs: [False] * len(batch))
    from_the_first_token(monkeypatch)
    always = engine.generate(requests, Decoding(40, 300))
    assert [output.ids for output in outputs] == [output.ids for output in always]
    assert [o.score for o in outputs] == pytest.approx([o.score for o in always], abs=1e-4)


def from_the_first_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decoded again is so from its beginning to its end, whatever was said before."""
    for name in ("follows", "chooses"):
        monkeypatch.setattr(Decoding, name, False)
    monkeypatch.setattr("t2t.generation.generator.repeats_for_good", lambda grammar, text: False)


@pytest.mark.parametrize("limit", [6, 12, 40])
@pytest.mark.parametrize("name", TREES)
def test_what_is_decoded_again_from_where_it_left_its_grammar_is_what_it_is_as_a_whole(
    name: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, words = random_engine(3), ("Ada", "Bo", "Oslo", "the", "in", "of a", "red", "none")
    requests = [ask(f"{name} {word}", TREES[name], WHERE) for word in words]
    steps = count_steps(engine, monkeypatch)
    outputs = engine.generate(requests, Decoding(limit, 3000))
    later = sum(steps)
    from_the_first_token(monkeypatch)
    steps.clear()
    whole = engine.generate(requests, Decoding(limit, 3000))
    assert [(one.ids, one.text, one.cut, one.closed, one.constrained, one.unsayable) for one in outputs] == [
        (one.ids, one.text, one.cut, one.closed, one.constrained, one.unsayable) for one in whole
    ]
    assert [one.score for one in outputs] == pytest.approx([one.score for one in whole], abs=1e-4)
    assert later < sum(steps) if limit == 40 and name in ("spans", "numbered", "events") else later <= sum(steps)


def test_progress_counts_each_request_once() -> None:
    engine, requests = half_trained()
    done: list[int] = []
    engine.generate(requests, Decoding(40, 300), advance=done.append)
    assert sum(done) == len(requests)

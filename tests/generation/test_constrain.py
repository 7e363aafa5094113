"""Masks: exact over the tokens of a tokenizer; and decoding under them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache, partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from t2t.errors import InputError
from t2t.generation.constrain import Constrainer, Guide, Trie
from t2t.generation.engine import Decoded
from t2t.generation.generator import Decoding, Generator, Output, Request
from t2t.generation.torch_engine import TorchEngine
from t2t.linear.admission import admits, without_repeats
from t2t.linear.grammar import Grammar
from t2t.linear.parsed import Parsed
from t2t.linear.target import Target
from t2t.model.backbone import T5_IDS, build_from_scratch
from t2t.model.tokenizer import decode_text, encode_texts, load_tokenizer, train_tokenizer
from t2t.structures import Json, Record
from t2t.tasks.sources import data_dir
from tests.generation.test_stepwise import count_steps
from tests.linear.grammar_samples import sample
from tests.models import token_nll

LABELS = {"per": "person", "loc": "location", "creative-work": "creative work"}
SENTENCE = "Ada Lovelace met Ada ; in  Paris = café | 北京 ．\u0301 İ \n \u2581 \ufdd0 #2 none 😀"
CHINESE = "北京大学的王明明去了上海；她很高兴。"
WHERE = {"text": SENTENCE, "zh": CHINESE, "options": ["a ; b", "二", "none", ""], "nothing": ""}


def strict(parsed: Parsed) -> bool:
    """True for what masks may let through: they do not know which places were said, so one may be said twice."""
    return {issue.kind for issue in parsed.issues} <= {"duplicate"}


def target(spec: Json) -> Target:
    return Target(spec, lambda path: "t.yaml:1")


def spans(field: str, **more: Json) -> Json:
    fields = {"text": {"span_of": field, **more}, "type": {"label": LABELS}}
    return {"each": "mentions", "as": "{text} = {type}", "between": " ; ", "fields": fields}


TREES = {
    "spans": target(spans("text")),
    "numbered": target(spans("text", repeat="number")),
    "chinese": target(spans("zh", repeat="number") | {"empty": "无"}),
    "label": target({"label": LABELS, "gold": "x", "absent": "unknown"}),
    "labels": target({"labels": LABELS, "gold": "x"}),
    "number": target({"number": 2, "gold": "x"}),
    "letter": target({"choice": "options", "gold": "x"}),
    "option": target({"choice": "options", "by": "text", "gold": "x"}),
    "text": target({"text": None, "gold": "x", "absent": "none"}),
    "events": target({
        "each": "events", "as": "{trigger} @ {type} @ {note} @ {args}", "between": " / ",
        "fields": {
            "trigger": {"span_of": "text"}, "type": {"label": LABELS}, "note": {"text": None},
            "args": {
                "each": "args", "as": "( {role} = {text} )", "between": " , ",
                "fields": {"role": {"label": LABELS}, "text": {"span_of": "zh", "absent": "unknown"}},
            },
        },
    }),
}  # fmt: skip
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
T5 = data_dir() / "sentencepiece_models" / "t5" / "spiece.model"


@cache
def trained() -> PreTrainedTokenizerFast:
    return train_tokenizer(
        ["find names in: Ada Lovelace met = person ; location", "北京 上海 creative work none"] * 5, 700
    )


@cache
def constrainer() -> Constrainer:
    return Constrainer(trained())


@cache
def grammar(name: str) -> Grammar:
    return TREES[name].grammar(WHERE)


@pytest.mark.parametrize("name", TREES)
def test_canonical_ids_of_every_text_are_admitted(name: str) -> None:
    @quick
    @given(st.integers(0, 2**32))
    def holds(seed: int) -> None:
        text = sample(grammar(name), random.Random(seed))
        assert constrainer().guide(grammar(name)).admits(encode_texts(trained(), [str(text)])[0])

    holds()


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=200, deadline=None)
@given(HOSTILE | st.text(st.sampled_from("a |;=\u2581\ufdd0\ufdd1ue  \u0301北<0x41>"), max_size=10))
def test_canonical_ids_of_hostile_values_are_admitted(value: str) -> None:
    tree = target({"as": "{a} = {b}", "fields": {"a": {"text": None}, "b": {"text": None}}})
    ids = encode_texts(trained(), [tree.render({"a": value, "b": value}, {})])[0]
    assert constrainer().guide(tree.grammar({})).admits(ids)


@settings(max_examples=60, deadline=None)
@given(HOSTILE.filter(bool), st.data())
def test_canonical_ids_of_hostile_copies_are_admitted(source: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(source) - 1))
    tree = target({"span_of": "t", "gold": "x", "repeat": "number"})
    mention = {"text": source[start : data.draw(st.integers(start + 1, len(source)))], "start": start}
    text = tree.render(tree.gold({"t": source, "x": mention}, "t"), {"t": source})
    assert Constrainer(trained()).guide(tree.grammar({"t": source})).admits(encode_texts(trained(), [text])[0])


def walk(guide: Guide, limit: int, seed: int) -> list[int]:
    """Ids drawn at random from those allowed."""
    ids: list[int] = []
    chance = random.Random(seed)
    while len(ids) < limit and EOS not in ids:
        allowed = guide.allowed(limit - len(ids))
        ids.append(int(chance.choice(allowed)))
        guide.take(ids[-1])
    return ids


@pytest.mark.parametrize("name", TREES)
def test_whatever_the_masks_let_through_is_strict(name: str) -> None:
    @quick
    @given(st.integers(0, 2**32))
    def holds(seed: int) -> None:
        ids = walk(constrainer().guide(grammar(name), closing=True), 80, seed)
        assert ids[-1] == EOS
        text = decode_text(trained(), ids)
        parsed = TREES[name].parse(text, WHERE)
        assert strict(parsed)
        # Where mentions are inside of others, a grammar does not count them.
        assert admits(grammar(name), text) == (strict(parsed) if name == "events" else parsed.issues == ())

    holds()


@pytest.mark.parametrize("name", ["spans", "numbered", "chinese"])
def test_masks_without_the_places_that_are_taken_let_through_what_that_grammar_admits(name: str) -> None:
    places = {"spans": "aba b", "numbered": "aba b", "chinese": "他他她 他"}
    fields = {"text": places[name], "zh": places[name]}
    tree, outer = TREES[name], TREES[name].grammar(fields)

    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(st.integers(0, 2**32))
    def holds(seed: int) -> None:
        text = decode_text(trained(), walk(constrainer().guide(outer, closing=True), 60, seed))
        rounds = 0
        while (instead := without_repeats(outer, text)) is not None:
            assert tree.parse(text, fields).issues
            ids = walk(constrainer().guide(instead, closing=True), 120, seed + rounds)
            assert ids[-1] == EOS
            said = decode_text(trained(), ids)
            # The masks of what may stand instead stop the places that were taken where it begins.
            assert admits(instead, said) == (without_repeats(outer, said) is None)
            text, rounds = said, rounds + 1
            assert rounds < 40
        assert tree.parse(text, fields).issues == ()

    holds()


def test_every_text_that_may_stand_instead_is_let_through() -> None:
    fields = {"text": "ab ab b"}
    tree = TREES["numbered"]
    instead = without_repeats(tree.grammar(fields), "ab = person ; b #2 = person ; ab #1 = person ; a = person")
    assert instead is not None
    for surface in ("a", "b", "ab", " ", "b ", "b a", "ab ab", "ab ab b", "b b"):
        for number in ("", " #1", " #2", " #3"):
            text = f"ab = person ; b #2 = person ; {surface.replace(' ', '|s')}{number} = person"
            ids = encode_texts(trained(), [text])[0]
            assert constrainer().guide(instead).admits(ids) == admits(instead, text), text


@pytest.mark.parametrize("text", ["Ada = persons", "Adam = person", "Ada = person ;", "Ada=person", "Ada #3 = person"])
def test_what_is_not_strict_is_stopped(text: str) -> None:
    assert not constrainer().guide(grammar("numbered")).admits(encode_texts(trained(), [text])[0])


@pytest.mark.parametrize("most", [1, 9, 10, 12, 200, 305])
def test_numbers_reach_to_the_number_of_places(most: int) -> None:
    tree = target({"span_of": "t", "gold": "x", "repeat": "number"})
    found = tree.grammar({"t": "a" * most + "b"})
    admitted = {n for n in range(most + 120) if constrainer().guide(found).admits(
        encode_texts(trained(), [f"a #{n}"])[0])}  # fmt: skip
    assert admitted == set(range(1, most + 1))


with_t5 = pytest.mark.skipif(not T5.exists(), reason=f"T5's vocabulary is not there: {T5}")
both_sizes = pytest.mark.parametrize("rows", [None, 32128])


@cache
def t5(rows: int | None) -> tuple[PreTrainedTokenizerFast, Constrainer]:
    tokenizer = load_tokenizer(T5, rows)
    return tokenizer, Constrainer(tokenizer)


def said_by_t5(rows: int | None, tree: Target, fields: Record, seed: int) -> str:
    """A text drawn under the masks of T5's vocabulary."""
    tokenizer, guides = t5(rows)
    guide = guides.guide(tree.grammar(fields), closing=True)
    assert not guide.lossy
    ids = walk(guide, 80, seed)
    assert ids[-1] == EOS
    return decode_text(tokenizer, ids)


@with_t5
@both_sizes
def test_t5s_own_vocabulary_copies_what_grounding_finds_again(rows: int | None) -> None:
    tokenizer, guides = t5(rows)
    source = "The ﬁrst café in Ｐaris {x} cost ½ of 北京 e\u0301t\u00e9 ; a  b"
    tree = target(spans("t"))
    found = tree.grammar({"t": source})
    for start in range(len(source)):
        for end in (start + 1, start + 5, start + 9):
            text = tree.render([{"text": source[start:end], "type": "per"}], {"t": source})
            if "\u0301" in (source[start : start + 1], source[end : end + 1]) or not source[start:end]:
                continue
            (ids,) = encode_texts(tokenizer, [text])
            issues = tree.parse(decode_text(tokenizer, ids), {"t": source}).issues
            assert guides.guide(found).admits(ids) == (issues == ()), text
    assert not guides.guide(found).admits(encode_texts(tokenizer, ["Berlin = person"])[0])


@with_t5
@both_sizes
@pytest.mark.parametrize("name", TREES)
def test_whatever_t5s_own_vocabulary_says_is_strict(name: str, rows: int | None) -> None:
    @quick
    @given(st.integers(0, 2**32))
    def holds(seed: int) -> None:
        text = said_by_t5(rows, TREES[name], WHERE, seed)
        assert strict(TREES[name].parse(text, WHERE))
        repeats = TREES[name].parse(text, WHERE).issues
        assert admits(grammar(name), text) or repeats or name in ("spans", "numbered", "chinese", "events")

    holds()


@with_t5
@settings(max_examples=200, deadline=None)
@given(
    st.text(st.sampled_from("ab A Ａéř北京 \u0301\u0335½ﬁ²…。；İß|#=<unk>\u2047"), min_size=1, max_size=30),
    st.integers(0, 99),
    st.sampled_from([None, 32128]),
)
def test_t5s_own_vocabulary_says_no_mention_that_is_not_found(source: str, seed: int, rows: int | None) -> None:
    tree = target(spans("t", repeat="number"))
    guide = t5(rows)[1].guide(tree.grammar({"t": source}))
    assume(guide.allowed(99).size and not guide.lossy)
    assert strict(tree.parse(said_by_t5(rows, tree, {"t": source}, seed), {"t": source}))


@with_t5
def test_a_name_with_a_character_that_t5_lacks_is_said_and_found() -> None:
    tokenizer, guides = t5(None)
    source = "Antonín Dvořák met Ada"
    tree = target(spans("t"))
    (ids,) = encode_texts(tokenizer, ["Antonín Dvořák = person"])
    assert guides.guide(tree.grammar({"t": source})).admits(ids)
    parsed = tree.parse(decode_text(tokenizer, ids), {"t": source})
    assert [item["text"].text for item in parsed.value] == ["Antonín Dvořák"]
    assert strict(parsed)


@with_t5
def test_unknown_is_no_text_where_it_would_hold_a_mark() -> None:
    tokenizer, guides = t5(32128)
    tree = target({"as": "{a} < {b}", "fields": {"a": {"text": None}, "b": {"span_of": "t"}}})
    unknown = tokenizer.unk_token_id
    guide = guides.guide(tree.grammar({"t": "Dvořák"}))
    assert unknown not in guide.allowed(9)
    for token in encode_texts(tokenizer, ["x < Dvo"])[0][:-1]:
        guide.take(token)
    assert unknown not in guide.allowed(9)


def test_a_trie_finds_pieces_by_their_bytes() -> None:
    trie = Trie({7: b"ab", 8: b"a", 9: b"b", 10: b"ab"})
    children, parents = trie.children(np.array([0]))
    assert [chr(byte) for byte in trie.byte[children]] == ["a", "b"]
    assert trie.token[children].tolist() == [8, 9]
    deeper, parents = trie.children(children)
    assert (trie.token[deeper].tolist(), parents.tolist()) == ([7], [0])


def test_a_tokenizer_of_another_kind_is_refused() -> None:
    words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0, "</s>": 1}, "a")), eos_token="</s>")
    with pytest.raises(InputError, match="constrain=false"):
        Constrainer(words)


EOS = T5_IDS.end
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

"""Masks: exact over the tokens of a tokenizer."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from t2t.errors import InputError
from t2t.generation.constrain import Constrainer, Guide, Trie
from t2t.linear.admission import admits, without_repeats
from t2t.linear.target import Target
from t2t.model.tokenizer import decode_text, encode_texts
from t2t.structures import Record
from tests.generation.trees import (
    EOS,
    TREES,
    WHERE,
    both_sizes,
    constrainer,
    grammar,
    quick,
    spans,
    strict,
    t5,
    target,
    trained,
    with_t5,
)
from tests.linear.grammar_samples import sample


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

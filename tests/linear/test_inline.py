"""The inline node: its laws on hostile values, and copies with errors."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from time import perf_counter

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from t2t.errors import DataError, TemplateError
from t2t.linear.parsed import Parsed, from_json, to_json
from t2t.linear.target import Target
from t2t.model.tokenizer import decode_texts, encode_texts, train_tokenizer
from t2t.structures import Json, Span

LABELS = {"per": "person", "loc": "location"}
SPEC = {
    "inline": "text", "gold": "mentions", "as": "[ {text} = {type} ]", "absent": "none",
    "fields": {"text": {"span_of": "text"}, "type": {"label": LABELS}},
}  # fmt: skip
TREE = Target(SPEC, lambda path: "t.yaml:1")
BARE = Target({**SPEC, "as": "< {text} >", "fields": {"text": {"span_of": "text"}}}, lambda path: "t.yaml:1")
NESTED = Target(
    {"as": "{mood} @ {marked}", "fields": {"mood": {"label": ["glad", "sad"]}, "marked": SPEC}}, lambda path: "t.yaml:1"
)
HOSTILE = ["Paris", "none", "Artland", " ", "  ", "；", "ab", "[", "]", "=", "|", "|.", "\n", "\u3000", "İ", "野", "é"]
HOSTILE += ["e\u0301", "\u200b", "½", "＝", "ﬁ", "<unk>", "。"]


def mention(text: str, start: int, kind: str = "per") -> dict[str, Json]:
    return {"text": Span(text, start, start + len(text)), "type": kind}


@st.composite
def marked(draw: st.DrawFn) -> tuple[str, list[Json]]:
    """A text that repeats itself, and spans in it that do not overlap."""
    pieces = draw(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=12))
    text = "".join(pieces)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pairs = [(start, end) for start, end in pairwise(cuts) if draw(st.booleans())]
    spans = [(start, end) for start, end in pairs if text[start:end].strip()]
    return text, [mention(text[start:end], start, draw(st.sampled_from(list(LABELS)))) for start, end in spans]


@settings(max_examples=200, deadline=None)
@given(marked())
def test_law_1_offsets_round_trip(drawn: tuple[str, list[Json]]) -> None:
    text, mentions = drawn
    assert TREE.parse(TREE.render(mentions, {"text": text}), {"text": text}) == Parsed(mentions)
    assert TREE.gold({"text": text, "mentions": mentions[::-1]}, "data:1") == mentions


@settings(max_examples=200, deadline=None)
@given(marked())
def test_law_1_without_a_type_and_inside_a_record(drawn: tuple[str, list[Json]]) -> None:
    text, mentions = drawn
    bare = [{"text": item["text"]} for item in mentions]
    assert BARE.parse(BARE.render(bare, {"text": text}), {"text": text}) == Parsed(bare)
    value = {"mood": "sad", "marked": mentions}
    assert NESTED.parse(NESTED.render(value, {"text": text}), {"text": text}) == Parsed(value)


@cache
def tokenizer():  # type: ignore[no-untyped-def]
    return train_tokenizer(["mark names in: [ Ada = person ] lived in [ London = location ]", "北京 野 none"] * 5, 700)


@settings(max_examples=200, deadline=None)
@given(marked())
def test_law_3_through_a_tokenizer(drawn: tuple[str, list[Json]]) -> None:
    text, mentions = drawn
    decoded = decode_texts(tokenizer(), encode_texts(tokenizer(), [TREE.render(mentions, {"text": text})]))[0]
    assert TREE.parse(decoded, {"text": text}) == Parsed(mentions)


def test_law_2_parse_is_total() -> None:
    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.sampled_from([*HOSTILE, "person", " = person ]", "[ Paris = location ]"])).map("".join))
    def holds(text: str) -> None:
        parsed = TREE.parse(text, {"text": "Ada met Paris in Paris"})
        assert from_json(to_json(parsed.value)) == parsed.value

    holds()


SOURCE = {"text": "Paris met Ada in Paris ; Paris left."}


@pytest.mark.parametrize(
    ("copy", "places", "issues"),
    [
        ("Paris met Ada in [ Paris = location ] |m Paris left.", [(17, 22, "exact")], []),
        ("Paris met Ada in [Paris=location]; Paris left.", [(17, 22, "exact")], []),
        ("PARIS met ada in [ paris = location ] ; Paris left.", [(17, 22, "folded")], []),
        ("Paris met in [ Paris = location ] ; Paris left.", [(17, 22, "exact")], []),
        ("Paris met Ada in Paris and then [ Paris = location ] left.", [(25, 30, "exact")], []),
        (
            "Paris met [ Adda = person ] in [ Pariss = location ] ; Paris left.",
            [(10, 13, "fuzzy"), (17, 22, "fuzzy")],
            ["fuzzy"] * 2,
        ),
        ("[ Paris = location ]", [(0, 5, "exact")], []),
        ("Paris met [ Bob = person ] in Paris", [(None, None, "absent")], ["not_in_source"]),
        ("Paris met Ada in [ Paris = city ] ; [ Paris = location ] left", [(25, 30, "exact")], ["unknown_label"]),
        ("Paris met [ Ada = person in [ Paris = location ]", [(17, 22, "exact")], ["missing_mark"]),
        ("Paris ] met [ Ada = person ]", [(10, 13, "exact")], ["extra_mark"]),
        ("Paris [ = person ] met [ Ada = person ]", [(10, 13, "exact")], ["empty_value"]),
    ],
)
def test_noisy_copies(copy: str, places: list[Json], issues: list[str]) -> None:
    tree = Target({**SPEC, "absent": None}, lambda path: "t.yaml:1")
    parsed = tree.parse(copy, SOURCE)
    found = [(item["text"].start, item["text"].end, item["text"].found) for item in parsed.value]
    assert found == places
    assert [issue.kind for issue in parsed.issues] == issues


def test_what_is_written() -> None:
    fields = {"text": "Ada lived  in London.\nYes [x]"}
    value = [mention("Ada", 0), mention("London", 14, "loc")]
    assert TREE.render(value, fields) == "[ Ada = person ] lived in [ London = location ] . Yes |bx|d"
    assert TREE.render([], {"text": " none "}) == "|.none"
    assert TREE.render([], {"text": " "}) == "|0"
    assert TREE.parse("none", fields) == Parsed(None)


@pytest.mark.parametrize(
    ("mentions", "message"),
    [
        ([{"text": "Ada", "type": "per"}], "has a span without a place"),
        ([mention("Ada", 0), mention("da lived", 1)], "has spans that overlap"),
        ([mention("Bob", 0)], "says that 'Bob' stands at 0 of 'text', where 'Ada' stands; correct the start"),
        ([mention(" ", 3)], "has a span without a place or a text"),
        (None, "is null"),
        ("Ada", "inline wants a list"),
    ],
)
def test_gold_that_cannot_be_marked_is_told(mentions: Json, message: str) -> None:
    tree = Target({**SPEC, "absent": None}, lambda path: "t.yaml:1")
    with pytest.raises(DataError, match=r"data:3: gold of '(mentions|text)'") as error:
        tree.gold({"text": "Ada lived", "mentions": mentions}, "data:3")
    assert message in str(error.value)


def test_a_value_that_stands_elsewhere_is_not_written() -> None:
    tree = Target(SPEC, lambda path: "t.yaml:1")
    with pytest.raises(DataError, match="'Bob' stands at 0; correct its start"):
        tree.render([{"text": Span("Bob", 0, 3), "type": "per"}], {"text": "Ada lived"}, "data:3")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{inline: text, gold: m, as: '[ {t}', fields: {t: {span_of: text}}}", "does not begin with one mark"),
        ("{inline: text, gold: m, as: '/ {t} /', fields: {t: {span_of: text}}}", "does not begin with one mark"),
        ("{inline: text, gold: m, as: '[ {t} ]', fields: {t: {text: }}}", "no place for its spans"),
        ("{inline: text, gold: m, as: '[ {t} ]', fields: {t: {span_of: other}}}", "exactly one field {span_of: text}"),
        ("{inline: text, gold: m, as: '[ {t} ]', fields: {t: {span_of: text, repeat: number}}}", "without repeat:"),
        ("{inline: 3, gold: m, as: '[ {t} ]', fields: {t: {span_of: text}}}", "write inline: FIELD"),
        ("{inline: text, each: m, as: '[ {t} ]', fields: {t: {span_of: text}}}", "a node is both inline and each"),
    ],
)
def test_law_5_refused(spec: str, message: str) -> None:
    with pytest.raises(TemplateError) as error:
        Target(yaml.safe_load(spec), lambda path: "x.yaml:5")
    assert message in str(error.value)


def test_a_long_copy_takes_bounded_time() -> None:
    source = "Paris is nice. " * 1000
    started = perf_counter()
    parsed = TREE.parse("Rome is nice. [ Paris = location ] " * 1000, {"text": source})
    assert len(parsed.value) == 1000
    assert perf_counter() - started < 20

"""The laws of the target language, on hostile values, for every node."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2t.errors import DataError
from t2t.linear.parsed import Parsed, from_json, to_json
from t2t.linear.target import Target
from t2t.structures import Json, Span

LABELS = {"per": "person", "loc": "location", "creative-work": "creative work"}
HOSTILE = "ab |;=:,#@/；＝｜  \n\u00a0\u2581…⑴½éİß野none0.p"
TEXTS = st.text(st.sampled_from(HOSTILE), max_size=10) | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
WORDS = st.sampled_from(["none", "unknown", "None", "ｎｏｎｅ", "|0", "|.", "|.none", "#2", "Paris #2", ""])
VALUES = TEXTS | WORDS
LABEL = st.sampled_from(list(LABELS))


def target(spec: Json) -> Target:
    return Target(spec, lambda path: "t.yaml:1")


TEXT = target({"text": None, "gold": "x", "absent": "none"})
CHOICES = ["one", "two ; three", "four = 4", "none"]
RECORD = target({
    "as": "{intent} @ {slots} @ {note}",
    "fields": {
        "intent": {"label": LABELS},
        "slots": {
            "each": "slots", "as": "{type} = {text}", "between": " ; ",
            "fields": {"type": {"label": LABELS}, "text": {"text": None, "absent": "unknown"}},
        },
        "note": {"text": None, "absent": "unknown"},
    },
})  # fmt: skip
EVENTS = target({
    "each": "events", "as": "{trigger} @ {type} @ {args}", "between": " / ",
    "fields": {
        "trigger": {"text": None},
        "type": {"label": LABELS},
        "args": {
            "each": "args", "as": "{role} = {text}", "between": " , ",
            "fields": {"role": {"label": LABELS}, "text": {"text": None}},
        },
    },
})  # fmt: skip
PLAIN = target({"each": "words", "as": "{word}", "fields": {"word": {"text": "@"}}, "between": " ; "})
LEAVES = target({
    "as": "{many} / {number} / {pick} / {option}",
    "fields": {
        "many": {"labels": LABELS, "between": " ; ", "absent": "null"},
        "number": {"number": 2, "absent": "unknown"},
        "pick": {"choice": "options", "by": "letter", "absent": "unknown"},
        "option": {"choice": "options", "by": "text", "absent": "unknown"},
    },
})  # fmt: skip
SPANS = target({
    "each": "mentions", "as": "{text} = {type}", "between": " ; ",
    "fields": {"text": {"span_of": "text", "repeat": "number"}, "type": {"label": LABELS}},
})  # fmt: skip

slot = st.fixed_dictionaries({"type": LABEL, "text": st.none() | VALUES})
record = st.fixed_dictionaries({"intent": LABEL, "slots": st.lists(slot, max_size=3), "note": st.none() | VALUES})
argument = st.fixed_dictionaries({"role": LABEL, "text": VALUES})
event = st.fixed_dictionaries({"trigger": VALUES, "type": LABEL, "args": st.lists(argument, max_size=3)})
leaves = st.fixed_dictionaries({
    "many": st.none() | st.sets(LABEL).map(lambda found: [label for label in LABELS if label in found]),
    "number": st.none() | st.integers(-(10**9), 10**9).map(lambda n: n / 100 + 0.0),
    "pick": st.none() | st.sampled_from(CHOICES),
    "option": st.none() | st.sampled_from(CHOICES),
})  # fmt: skip

CASES = [
    pytest.param(TEXT, st.none() | VALUES, id="text"),
    pytest.param(RECORD, record, id="record"),
    pytest.param(EVENTS, st.lists(event, max_size=3), id="nested each"),
    pytest.param(PLAIN, st.lists(VALUES, max_size=4), id="plain each"),
    pytest.param(LEAVES, leaves, id="leaves"),
]
FIELDS = {"options": CHOICES}


@pytest.mark.parametrize(("tree", "values"), CASES)
def test_law_1_parse_inverts_render(tree: Target, values: st.SearchStrategy[Json]) -> None:
    @settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(values)
    def holds(value: Json) -> None:
        assert tree.parse(tree.render(value, FIELDS), FIELDS) == Parsed(value)

    holds()


@pytest.mark.parametrize("value", [None, 3, "x", {}, [{"trigger": "a"}], [{"trigger": 1, "type": "per", "args": []}]])
def test_what_is_no_value_of_the_tree_is_refused(value: Json) -> None:
    with pytest.raises(DataError):
        EVENTS.render(value, FIELDS)


@st.composite
def texts_with_spans(draw: st.DrawFn) -> tuple[str, list[Json]]:
    """A text that repeats itself and mentions that are in it, at their offsets."""
    pieces = draw(
        st.lists(st.sampled_from(["Paris", "art", "Artland", " ", "；", "ab", "#2", "=", "\n", "İ", "野"]), min_size=1)
    )
    text = "".join(pieces)
    mentions = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        mentions.append({"text": Span(text[start:end], start, end), "type": draw(LABEL)})
    return text, once(mentions)


def once(mentions: list[Json]) -> list[Json]:
    """A list without ``reuse`` holds a place once."""
    return list({item["text"]: item for item in reversed(mentions)}.values())[::-1]


def test_a_place_that_is_taken_is_offered_no_second_time() -> None:
    fields = {"text": "Paris saw Paris and Rome"}
    said = "Paris = person ; Paris = person ; Paris = person ; Rome = person ; Rome = location"
    parsed = SPANS.parse(said, fields)
    places = [(item["text"].text, item["text"].start) for item in parsed.value]
    assert places == [("Paris", 0), ("Paris", 10), ("Rome", 20)]
    assert [issue.kind for issue in parsed.issues] == ["duplicate", "duplicate"]
    doubled = [{"text": {"text": "Rome", "start": 20}, "type": "per"}] * 2
    assert SPANS.gold({**fields, "mentions": doubled}, "a:1") == [{"text": Span("Rome", 20, 24), "type": "per"}]


@settings(max_examples=500, deadline=None)
@given(texts_with_spans())
def test_law_1b_numbered_spans_keep_their_offsets(drawn: tuple[str, list[Json]]) -> None:
    text, mentions = drawn
    fields = {"text": text}
    assert SPANS.parse(SPANS.render(mentions, fields), fields).value == mentions


@st.composite
def nested_mentions(draw: st.DrawFn) -> tuple[str, list[Json]]:
    """A text that repeats itself and mentions inside one another, four deep, in the order of the text."""
    text = "".join(draw(st.lists(st.sampled_from(["IL-2", " ", "gene", "IL", "；", "基因", "= "]), min_size=3)))
    start, end = 0, len(text)
    places = []
    for _ in range(draw(st.integers(2, 4))):
        start = draw(st.integers(start, end - 1))
        end = draw(st.integers(start + 1, end))
        places.append((start, end))
    return text, [{"text": Span(text[a:b], a, b), "type": draw(LABEL)} for a, b in dict.fromkeys(places)]


@pytest.mark.parametrize("reuse", [False, True])
def test_law_1b_nested_mentions_round_trip(reuse: bool) -> None:
    tree = target({
        "each": "mentions", "as": "{text} = {type}", "order": "source", "reuse": reuse,
        "fields": {"text": {"span_of": "text", "repeat": "number"}, "type": {"label": LABELS}},
    })  # fmt: skip

    @settings(max_examples=300, deadline=None)
    @given(nested_mentions())
    def holds(drawn: tuple[str, list[Json]]) -> None:
        text, mentions = drawn
        gold = tree.gold({"text": text, "mentions": mentions}, "here")
        parsed = tree.parse(tree.render(gold, {"text": text}), {"text": text})
        assert parsed.ok
        assert parsed.value == gold
        assert sorted(map(repr, gold)) == sorted(map(repr, mentions))

    holds()


@pytest.mark.parametrize("mention", [["IL", "2"], {"text": ["IL", "2"], "start": [0, 8]}])
def test_a_discontinuous_mention_is_refused_with_a_reason(mention: Json) -> None:
    with pytest.raises(DataError, match=r"several pieces \(discontinuous\); a span is one piece of its text"):
        SPANS.render([{"text": mention, "type": "per"}], {"text": "IL or NF 2"})


@settings(max_examples=300, deadline=None)
@given(texts_with_spans())
def test_law_1b_the_surface_round_trips_without_numbers(drawn: tuple[str, list[Json]]) -> None:
    text, mentions = drawn
    tree = target({
        "each": "mentions", "as": "{text} = {type}", "fields": {"text": {"span_of": "text"}, "type": {"label": LABELS}},
    })  # fmt: skip
    parsed = tree.parse(tree.render(mentions, {"text": text}), {"text": text})
    assert [item["text"].text for item in parsed.value] == [item["text"].text for item in mentions]
    assert parsed.ok


@pytest.mark.parametrize("tree", [TEXT, RECORD, EVENTS, PLAIN, LEAVES, SPANS])
def test_law_2_parse_is_total(tree: Target) -> None:
    fields = {"options": CHOICES, "text": "Ada Lovelace met nobody ; 4 = 4"}

    @settings(max_examples=300, deadline=None)
    @given(TEXTS | st.text(st.sampled_from("person = loc;@,/#2| none"), max_size=40))
    def holds(text: str) -> None:
        parsed = tree.parse(text, fields)
        assert from_json(to_json(parsed.value)) == parsed.value

    holds()


def test_law_2_one_bad_item_never_drops_a_good_one() -> None:
    parsed = SPANS.parse("Ada = person ; Paris = place ; ; Bob ; x = y = z ; Rome = location", {"text": "Ada saw Rome"})
    assert parsed.value == [
        {"text": Span("Ada", 0, 3), "type": "per"},
        {"text": Span("Rome", 8, 12), "type": "loc"},
    ]
    kinds = [issue.kind for issue in parsed.issues]
    assert kinds == ["not_in_source", "unknown_label", "empty_value", "missing_mark", "extra_mark"]
    assert not parsed.ok


def test_a_field_of_a_record_that_cannot_be_read_leaves_the_others() -> None:
    parsed = RECORD.parse("persn @ person = x @ unknown", {})
    assert parsed.value == {"slots": [{"type": "per", "text": "x"}], "note": None}
    assert [issue.kind for issue in parsed.issues] == ["unknown_label"]


def test_missing_spaces_around_marks_are_tolerated() -> None:
    assert RECORD.parse("person@person=x;location=y@z", {}).value == {
        "intent": "per",
        "slots": [{"type": "per", "text": "x"}, {"type": "loc", "text": "y"}],
        "note": "z",
    }


def test_two_hundred_thousand_marks_take_bounded_time() -> None:
    parsed = SPANS.parse("= ; " * 50_000, {"text": "x"})
    assert parsed.value == []


@settings(max_examples=200, deadline=None)
@given(record)
def test_nfkc_between_render_and_parse_changes_only_what_it_changes_in_the_value(value: Json) -> None:
    """Law 3 without a tokenizer: a vocabulary's normaliser may rewrite the target before it is read."""

    def normal(item: Json) -> Json:
        if isinstance(item, str) and item not in LABELS:
            return unicodedata.normalize("NFKC", item)
        if isinstance(item, list):
            return [normal(i) for i in item]
        return {k: normal(v) for k, v in item.items()} if isinstance(item, dict) else item

    if any(unicodedata.combining(c) for c in str(value)):
        return
    text = unicodedata.normalize("NFKC", RECORD.render(value, {}))
    assert normal(RECORD.parse(text, {}).value) == normal(value)


@pytest.mark.parametrize(
    ("number", "found"),
    [(float("nan"), "is nan"), (float("-inf"), "is -inf"), (1e26, "is 1e+26"), (10**26, "larger whole number")],
)
def test_a_number_that_cannot_be_written_out_is_a_data_error(number: float, found: str) -> None:
    with pytest.raises(DataError, match="at most 26 digits before the point") as caught:
        target({"number": 2, "gold": "x"}).gold({"x": number}, "data:3")
    assert found in str(caught.value)


def test_the_largest_numbers_round_trip() -> None:
    whole = target({"number": 0, "gold": "x"})
    assert whole.parse(whole.render(10**28 - 1, {}), {}).value == 10**28 - 1


@pytest.mark.parametrize(
    ("mention", "message"),
    [
        (
            {"text": "cd", "start": 2},
            "gold of 't' says that 'cd' stands at 2 of 't', where 'd' stands; correct",
        ),
        ({"text": "cd", "start": 70}, "says that 'cd' stands at 70 of 't', where '' stands"),
        (Span("cd", 2, 4), "says that 'cd' stands at 2 of 't', where 'd' stands"),
        ({"text": "b", "start": "1"}, "gold of 't' has the start '1'; give it a number of characters, from 0"),
        ({"text": "b", "start": -2}, "has the start -2; give"),
        ({"text": "b", "start": True}, "has the start True; give"),
        (
            {"txt": "b", "start": 1},
            "is a mapping with txt, start, which has no text; span_of wants a text",
        ),
        ({"text": None}, "is a mapping with text, which has no text; span_of"),
        (1, "is a number; span_of wants"),
    ],
)
def test_a_mention_stands_where_it_says(mention: Json, message: str) -> None:
    repeats: list[dict[str, Json]] = [{}, {"repeat": "number"}]
    for repeat in repeats:
        node = target({"as": "{t}", "fields": {"t": {"span_of": "t", "gold": "x", **repeat}}})
        with pytest.raises(DataError) as error:
            node.gold({"t": "abd", "x": mention}, "data:3")
        assert str(error.value).startswith("data:3: ")
        assert message in str(error.value)


def test_a_mention_without_text_has_no_place() -> None:
    node = target({"span_of": "t", "gold": "x", "repeat": "number"})
    with pytest.raises(DataError, match="an empty text with a start"):
        node.gold({"t": "abc", "x": {"text": "", "start": 3}}, "data:3")
    with pytest.raises(DataError, match="an empty text with a start"):
        node.render(Span("", 3, 3), {"t": "abc"})
    assert [issue.kind for issue in node.parse("#2", {"t": "abc"}).issues] == ["empty_value"]


def test_spaces_before_a_number_are_read_in_no_time() -> None:
    node = target({"span_of": "t", "gold": "x", "repeat": "number"})
    assert node.parse("a" + " " * 200_000 + "b", {"t": "abc"}).value == Span("a" + " " * 200_000 + "b")
    assert node.parse("b  #  1", {"t": "abc"}).value == Span("b", 1, 2)

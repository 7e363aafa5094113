"""The third reading: what renders is admitted, what is admitted parses without an issue."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2t.errors import DataError
from t2t.linear.admission import admits, without_repeats
from t2t.linear.parsed import Parsed
from t2t.linear.target import Target
from t2t.structures import Json, Span
from tests.linear.grammar_samples import sample

LABELS = {"per": "person", "loc": "location", "creative-work": "creative work"}
HOSTILE = "ab |;=:,#@/；＝｜  \n\u00a0\u2581…⑴½éİß野none0.p\u0301\ufdd0"
TEXTS = st.text(st.sampled_from(HOSTILE), max_size=10) | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
WORDS = st.sampled_from(["none", "unknown", "None", "ｎｏｎｅ", "|0", "|.", "|.none", "#2", "Paris #2", ""])
VALUES = TEXTS | WORDS
LABEL = st.sampled_from(list(LABELS))
CHOICES = ["one", "two ; three", "four = 4", "none", ""]


def target(spec: Json) -> Target:
    return Target(spec, lambda path: "t.yaml:1")


TEXT = target({"text": None, "gold": "x", "absent": "none"})
EVENTS = target({
    "each": "events", "as": "{trigger} @ {type} @ {args}", "between": " / ",
    "fields": {
        "trigger": {"text": None},
        "type": {"label": LABELS},
        "args": {
            "each": "args", "as": "( {role} = {text} )", "between": " , ",
            "fields": {"role": {"label": LABELS}, "text": {"text": None, "absent": "unknown"}},
        },
    },
})  # fmt: skip
PLAIN = target({"each": "words", "as": "{word}", "fields": {"word": {"text": "@"}}, "between": " ; "})
LEAVES = target({
    "as": "{many} / {number} - {pick} / {option} / {more}",
    "fields": {
        "many": {"labels": LABELS, "between": " ; ", "absent": "null"},
        "number": {"number": 2, "absent": "unknown"},
        "pick": {"choice": "options", "by": "letter", "absent": "unknown"},
        "option": {"choice": "options", "by": "text", "absent": "unknown"},
        "more": {
            "each": "more", "as": "{n}", "fields": {"n": {"number": 0, "gold": "@"}}, "between": ",", "empty": "x",
        },
    },
})  # fmt: skip
ZERO = target({
    "as": "{n} @ {t}", "fields": {"n": {"number": 0}, "t": {"text": None, "absent": "0"}},
})  # fmt: skip
SPANS = target({
    "each": "mentions", "as": "{text} = {type}", "between": " ; ",
    "fields": {"text": {"span_of": "text", "repeat": "number", "absent": "Paris"}, "type": {"label": LABELS}},
})  # fmt: skip

argument = st.fixed_dictionaries({"role": LABEL, "text": st.none() | VALUES})
event = st.fixed_dictionaries({"trigger": VALUES, "type": LABEL, "args": st.lists(argument, max_size=3)})
number = st.integers(-(10**9), 10**9)
leaves = st.fixed_dictionaries({
    "many": st.none() | st.sets(LABEL).map(lambda found: [label for label in LABELS if label in found]),
    "number": st.none() | number.map(lambda n: n / 100 + 0.0) | st.just(1e25),
    "pick": st.none() | st.sampled_from(CHOICES),
    "option": st.none() | st.sampled_from(CHOICES),
    "more": st.lists(number | st.sampled_from([0, 10**28 - 1, -(10**28) + 1]), max_size=3),
})  # fmt: skip
CASES = [
    pytest.param(TEXT, st.none() | VALUES, id="text"),
    pytest.param(EVENTS, st.lists(event, max_size=3), id="nested each"),
    pytest.param(PLAIN, st.lists(VALUES, max_size=4), id="plain each"),
    pytest.param(LEAVES, leaves, id="leaves"),
    pytest.param(ZERO, st.fixed_dictionaries({"n": number, "t": st.none() | VALUES}), id="a reserved number"),
]
FIELDS = {"options": CHOICES}
quick = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@pytest.mark.parametrize(("tree", "values"), CASES)
def test_what_renders_is_admitted(tree: Target, values: st.SearchStrategy[Json]) -> None:
    grammar = tree.grammar(FIELDS)

    @quick
    @given(values)
    def holds(value: Json) -> None:
        assert admits(grammar, tree.render(value, FIELDS))

    holds()


@pytest.mark.parametrize("tree", [case.values[0] for case in CASES])
def test_what_is_admitted_parses_without_an_issue(tree: Target) -> None:
    grammar = tree.grammar(FIELDS)

    @quick
    @given(st.integers(0, 2**32))
    def holds(seed: int) -> None:
        text = sample(grammar, random.Random(seed))
        assert text is not None
        assert {issue.kind for issue in tree.parse(text, FIELDS).issues} <= {"duplicate"}
        assert admits(grammar, text) == (tree.parse(text, FIELDS).issues == ())

    holds()


pieces = st.lists(
    st.sampled_from(["Paris", "art", "Artland", " ", "；", "aa", "#2", "=", "\n", "İ", "野", ";\u0301", "none", "|"]),
    min_size=1,
).map("".join)


@quick
@given(pieces, st.data())
def test_every_piece_of_the_source_is_admitted_with_its_number(text: str, data: st.DataObject) -> None:
    mentions = []
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(start + 1, len(text)))
        mentions.append({"text": Span(text[start:end], start, end), "type": data.draw(LABEL)})
    fields = {"text": text}
    mentions = list({item["text"]: item for item in mentions}.values())  # a list holds each place once
    written = SPANS.render(mentions, fields)
    assert admits(SPANS.grammar(fields), written)
    assert SPANS.parse(written, fields).value == mentions


@quick
@given(pieces, st.integers(0, 2**32))
def test_what_copies_is_found_in_the_source_exactly(text: str, seed: int) -> None:
    fields = {"text": text}
    written = sample(SPANS.grammar(fields), random.Random(seed))
    assert written is not None
    parsed = SPANS.parse(written, fields)
    assert {issue.kind for issue in parsed.issues} <= {"duplicate"}  # samples do not know what they have said
    assert admits(SPANS.grammar(fields), written) == (parsed.issues == ())
    assert {item["text"].found for item in parsed.value if item["text"]} <= {"exact"}


@quick
@given(st.text(st.sampled_from("Paris=#12 ;|.none s"), max_size=30) | TEXTS)
def test_what_is_not_strict_is_not_admitted(text: str) -> None:
    fields = {"text": "Paris saw Paris and none"}
    parsed = SPANS.parse(text, fields)
    if parsed.issues or any(item["text"] and item["text"].found != "exact" for item in parsed.value or []):
        assert not admits(SPANS.grammar(fields), text)


@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        ("none", True),
        ("Paris = person", True),
        ("Paris #2 = person ; P = location", True),
        ("Pari = person ; Pari = location", True),
        ("Pari = person ; Pari = location ; Pari = person", False),
        ("Pari #2 = person ; Pari = location", True),
        ("Pari #2 = person ; Pari #2 = location", False),
        ("Pari = person ; Pari #1 = location", False),
        ("Pari = person ; P = person ; Par = person ; Paris |sParis = person", True),
        ("Paris = person ; Paris = location ; Paris = person", True),  # the word for an absent one takes no place
        ("Paris #3 = person", False),
        ("Paris #0 = person", False),
        ("Paris #02 = person", False),
        ("Berlin = person", False),
        ("paris = person", False),
        ("Paris=person", False),
        ("Paris = person ; ", False),
        ("Paris  = person", False),
        (" Paris = person", False),
        ("s|sP = person", False),
        ("s |sP = person", True),
        ("s  P = person", False),
        ("s  |sP = person", False),
        ("Paris|s = person", True),
        ("Paris = persons", False),
        ("", False),
    ],
)
def test_spans_with_numbers(text: str, admitted: bool) -> None:
    assert admits(SPANS.grammar({"text": "Paris  Paris"}), text) == admitted


@pytest.mark.parametrize(
    ("text", "kept", "allowed", "refused"),
    [
        # What is kept is what is before the first item whose place is taken; no other is refused.
        ("Pari = person ; Pari = person ; Pari = location ; P = person", "Pari = person ; Pari = person",
         ["", " ; P = person", " ; Par = person ; P = person", " ; Paris |sP = person", " ; ari = person"],
         [" ; Pari = person", " ; Pari #1 = person", " ; Pari #2 = person", " ; "]),
        ("Pari #2 = person ; Pari #2 = person", "Pari #2 = person",
         ["", " ; Pari #1 = person", " ; Pari = location"], [" ; Pari #2 = person"]),
    ],
)  # fmt: skip
def test_what_may_stand_in_place_of_a_mention_said_twice(
    text: str, kept: str, allowed: list[str], refused: list[str]
) -> None:
    grammar = SPANS.grammar({"text": "Paris  Paris"})
    instead = without_repeats(grammar, text)
    assert instead is not None
    assert all(admits(instead, kept + more) for more in allowed)
    assert not any(admits(instead, kept + more) for more in refused)
    assert without_repeats(grammar, kept + allowed[-1]) is None


@pytest.mark.parametrize("text", ["a = b", "a  b", " a", "a ", "|Z", "|", "|.", "|0a", "|ud800", ""])
def test_free_text_that_is_not_written_as_values_are(text: str) -> None:
    tree = target({"as": "{a} = {b}", "fields": {"a": {"text": None}, "b": {"label": ["x"]}}})
    assert admits(tree.grammar({}), "a = x")
    assert not admits(tree.grammar({}), f"{text} = x")


def test_labels_stand_in_order_and_once() -> None:
    tree = target({"labels": ["joy", "fear", "anger"], "gold": "x"})
    grammar = tree.grammar({})
    good = ["none", "joy", "joy ; anger", "fear", "joy ; fear ; anger"]
    assert all(admits(grammar, text) for text in good)
    assert not any(admits(grammar, text) for text in ["joy ; joy", "fear ; joy", "anger ;", "none ; joy", "joy;fear"])


def test_an_empty_source_leaves_the_other_ways() -> None:
    grammar = SPANS.grammar({"text": ""})
    assert admits(grammar, "none")
    assert admits(grammar, "Paris = person")
    assert target({"span_of": "t", "gold": "x"}).grammar({"t": ""})
    assert sample(target({"span_of": "t", "gold": "x"}).grammar({"t": ""}), random.Random(0)) is None


def test_a_missing_source_is_a_data_error() -> None:
    with pytest.raises(DataError, match="in which spans are looked up"):
        SPANS.grammar({"txt": "x"})


def test_a_thousand_words_take_no_time() -> None:
    source = " ".join(f"word{number}" for number in range(1000))
    grammar = SPANS.grammar({"text": source})
    assert admits(grammar, " ; ".join(f"word{number} = person" for number in range(0, 1000, 10)))
    assert SPANS.parse("word7 = person", {"text": source}) == Parsed([{"text": Span("word7", 42, 47), "type": "per"}])


def test_a_list_with_other_mentions_below_its_own_does_not_count_them() -> None:
    inner = {"each": "args", "as": "{x}", "between": " , ", "fields": {"x": {"span_of": "text"}}}
    tree = target({
        "each": "events", "as": "{text} @ {args}", "between": " ; ",
        "fields": {"text": {"span_of": "text"}, "args": inner},
    })  # fmt: skip
    grammar = tree.grammar({"text": "ab b"})
    assert admits(grammar, "ab @ b")
    assert not admits(grammar, "ab @ b , b , b")  # the inner list has one place to say twice
    instead = without_repeats(grammar, "ab @ b , b , b ; b @ ab")
    assert instead is not None
    assert admits(instead, "ab @ b , b")
    assert not admits(instead, "ab @ b , b , b")

"""Windows of long texts: where they are cut, and how what they say is joined."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2t.errors import TemplateError
from t2t.linear.target import Target
from t2t.linear.windows import Window, WindowValue, check_windows, cut, inside, join
from t2t.structures import Span, Value

ANSWER = Target({"span_of": "text", "absent": "none", "gold": "answer"}, lambda _: "t.yaml:1")
NER = Target(
    {
        "each": "mentions",
        "as": "{text} = {type}",
        "fields": {"text": {"span_of": "text", "repeat": "number"}, "type": {"label": ["per", "loc"]}},
    },
    lambda _: "t.yaml:1",
)
RELATIONS = Target(
    {
        "each": "relations",
        "as": "{head} > {tail}",
        "fields": {"head": {"span_of": "text"}, "tail": {"span_of": "text"}},
        "reuse": True,
    },
    lambda _: "t.yaml:1",
)


EVENTS = Target(
    {
        "each": "events",
        "as": "{trigger} @ {type} @ {args}",
        "fields": {
            "trigger": {"span_of": "text", "repeat": "number"},
            "type": {"label": ["meet", "trade"]},
            "args": {
                "each": "args",
                "as": "{role} = {text}",
                "fields": {"role": {"label": ["who", "where"]}, "text": {"span_of": "text", "repeat": "number"}},
                "between": " , ",
            },
        },
    },
    lambda _: "t.yaml:1",
)


@given(st.text(st.sampled_from("ab 北京。.\u0301\n"), max_size=300), st.integers(16, 60), st.data())
def test_windows_cover_the_text_and_overlap(text: str, characters: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, characters - 1))
    windows = cut(text, characters, stride)
    assert windows == cut(text, characters, stride)
    assert (windows[0].start, windows[-1].end) == (0, len(text))
    for window in windows:
        assert text[window.start : window.end] == window.text
        assert len(window.text) <= characters
    for first, second in pairwise(windows):
        assert second.start > first.start
        assert first.end - second.start >= (characters - stride) // 2
        assert second.end > first.end


@given(st.text(st.sampled_from("ab 北。."), min_size=1, max_size=200), st.integers(16, 40), st.data())
def test_a_mention_as_long_as_half_the_overlap_stands_whole(text: str, characters: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, characters - 1))
    start = data.draw(st.integers(0, len(text) - 1))
    end = min(len(text), start + max((characters - stride) // 2, 1))
    assert any(window.start <= start and end <= window.end for window in cut(text, characters, stride))


def test_cuts_come_behind_sentences_then_between_words() -> None:
    english = "The storm closed it. The port was shut for many days and nobody came"
    assert cut(english, 30, 16)[0].text == "The storm closed it. The port "
    assert cut("One two. Three four five six", 16, 4)[0].text == "One two. Three "
    assert cut("One two three. Four five", 16, 4)[0].text == "One two three. "


def test_chinese_is_cut_between_characters_and_behind_sentences() -> None:
    assert cut("北京是中国的首都也是一座有三千年历史的古城", 16, 8)[0].text == "北京是中国的首都也是一座有三千年"
    assert cut("北京是中国的首都。上海在东边是一座很大的城市", 16, 8)[0].text == "北京是中国的首都。上海在东边是一"
    assert cut("北京是中国的首都在北方。上海是一座很大的城市", 16, 2)[0].text == "北京是中国的首都在北方。"


def test_gold_inside_is_what_lies_wholly_there() -> None:
    window = Window(10, "Ada in Rome", 40)
    mentions: Value = [
        {"text": Span("Ada", 10, 13), "type": "per"},
        {"text": Span("Rome", 17, 21), "type": "loc"},
        {"text": Span("Romeo", 17, 22), "type": "per"},
        {"text": Span("To Ada", 7, 13), "type": "per"},
    ]
    assert inside(NER.root, mentions, "text", window) == [
        {"text": Span("Ada", 0, 3), "type": "per"},
        {"text": Span("Rome", 7, 11), "type": "loc"},
    ]
    assert inside(ANSWER.root, Span("Rome", 17, 21), "text", window) == Span("Rome", 7, 11)
    assert inside(ANSWER.root, Span("Romeo", 17, 22), "text", window) is None
    assert inside(ANSWER.root, Span("Rome"), "text", window) == Span("Rome")
    assert inside(ANSWER.root, Span("Oslo"), "text", window) is None
    assert inside(ANSWER.root, None, "text", window) is None
    relation: Value = [{"head": Span("Ada", 10, 13), "tail": Span("Oslo", 30, 34)}]
    assert inside(RELATIONS.root, relation, "text", window) == []


TEXT = "Ada of New York met Bob"
LEFT, RIGHT = Window(0, TEXT[:10], len(TEXT)), Window(7, TEXT[7:], len(TEXT))


def test_a_mention_cut_by_a_seam_belongs_to_the_window_that_holds_it() -> None:
    left: Value = [{"text": Span("Ada", 0, 3), "type": "per"}, {"text": Span("New", 7, 10), "type": "per"}]
    right: Value = [{"text": Span("New York", 0, 8), "type": "loc"}, {"text": Span("Bob", 13, 16), "type": "per"}]
    assert join(NER.root, [WindowValue(LEFT, left, -0.1), WindowValue(RIGHT, right, -0.2)], "text") == [
        {"text": Span("Ada", 0, 3), "type": "per"},
        {"text": Span("New York", 7, 15), "type": "loc"},
        {"text": Span("Bob", 20, 23), "type": "per"},
    ]


def test_a_nested_mention_at_an_edge_stays_if_the_other_window_says_it_too() -> None:
    new: Value = [{"text": Span("New", 7, 10), "type": "per"}]
    both: Value = [{"text": Span("New York", 0, 8), "type": "loc"}, {"text": Span("New", 0, 3), "type": "per"}]
    whole = Window(7, TEXT[7:], len(TEXT))
    joined = join(
        NER.root,
        [WindowValue(LEFT, new, 0.0), WindowValue(Window(5, TEXT[5:], len(TEXT)), _later(both, 2), 0.0)],
        "text",
    )
    assert joined == [
        {"text": Span("New", 7, 10), "type": "per"},
        {"text": Span("New York", 7, 15), "type": "loc"},
    ]
    assert join(NER.root, [WindowValue(LEFT, new, 0.0), WindowValue(whole, [], 0.0)], "text") == new


def _later(items: Value, by: int) -> Value:
    assert isinstance(items, list)
    return [
        {**item, "text": Span(item["text"].text, item["text"].start + by, item["text"].end + by)}  # type: ignore
        for item in items
        if isinstance(item, dict)
    ]


def test_what_two_windows_say_stands_once_and_what_one_says_twice_stays() -> None:
    one, two = Window(0, "a Rome b", 20), Window(2, "Rome b ccc", 20)
    first: Value = [{"text": Span("Rome", 2, 6), "type": "loc"}, {"text": Span("x", found="absent"), "type": "per"}]
    second: Value = [{"text": Span("Rome", 0, 4), "type": "loc"}] + [
        {"text": Span("x", found="absent"), "type": "per"}
    ] * 2
    assert join(NER.root, [WindowValue(one, first, 0.0), WindowValue(two, second, 0.0)], "text") == [
        {"text": Span("Rome", 2, 6), "type": "loc"},
        {"text": Span("x"), "type": "per"},
        {"text": Span("x"), "type": "per"},
    ]


def test_the_best_answer_wins_and_any_answer_beats_none() -> None:
    def said(start: int, value: Value, score: float) -> WindowValue:
        return WindowValue(Window(start, "x" * 10, 100), value, score)

    none, low, high = said(0, None, -0.01), said(10, Span("a", 1, 2), -2.0), said(20, Span("b", 3, 4), -1.0)
    assert join(ANSWER.root, [none, low, high], "text") == Span("b", 23, 24)
    assert join(ANSWER.root, [none, low], "text") == Span("a", 11, 12)
    assert join(ANSWER.root, [none, none], "text") is None
    invented = said(30, Span("z", found="absent"), -0.1)
    assert join(ANSWER.root, [low, invented], "text") == Span("a", 11, 12)
    assert join(ANSWER.root, [none, invented], "text") == Span("z")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"span_of": "text", "gold": "a"}, "may stand in another window; give it absent: WORD"),
        ({"label": ["x", "y"], "gold": "a"}, "the target cannot be joined from several windows"),
        ({"each": "a", "as": "{b}", "fields": {"b": {"text": "b"}}}, "cannot be joined"),
        ({"span_of": "other", "absent": "none", "gold": "a"}, "cannot be joined"),
        (
            {"as": "{k} @ {s}", "fields": {"k": {"label": ["x"]}, "s": {"span_of": "text", "absent": "none"}}},
            "window: k cannot be joined",
        ),
    ],
)
def test_targets_that_cannot_be_joined_are_refused(target: dict[str, Value], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        check_windows(Target(target, lambda _: "t.yaml:1").root, "text", "t.yaml:9")


@st.composite
def events_in_reach(draw: st.DrawFn, text: str, reach: int) -> Value:
    """Events whose arguments stand so near to their triggers that a window holds each together with the trigger."""

    def span(near: int) -> Span:
        start = draw(st.integers(near, min(near + reach // 2, len(text) - 1)))
        end = draw(st.integers(start + 1, min(start + max(reach // 2 - 1, 1), len(text))))
        return Span(text[start:end], start, end)

    events = {}
    for _ in range(draw(st.integers(0, 4))):
        near = draw(st.integers(0, len(text) - 1))
        trigger, kind = span(near), draw(st.sampled_from(["meet", "trade"]))
        args = [{"role": draw(st.sampled_from(["who", "where"])), "text": span(near)} for _ in range(2)]
        unique = {(arg["role"], arg["text"].start, arg["text"].end): arg for arg in args}
        in_order = sorted(unique.values(), key=lambda arg: (arg["text"].start, arg["text"].end))
        events[trigger.start, trigger.end, kind] = {"trigger": trigger, "type": kind, "args": in_order}
    return [events[key] for key in sorted(events)]


@given(st.text(st.sampled_from("ab 北。."), min_size=20, max_size=120), st.integers(24, 40), st.data())
def test_events_come_back_with_all_their_arguments(text: str, characters: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, characters // 2))
    reach = (characters - stride) // 2
    gold = data.draw(events_in_reach(text, reach))
    windows = cut(text, characters, stride)
    joined = join(EVENTS.root, [WindowValue(w, inside(EVENTS.root, gold, "text", w), 0.0) for w in windows], "text")
    assert isinstance(gold, list)
    assert isinstance(joined, list)
    assert [[one["trigger"], one["type"]] for one in joined] == [[one["trigger"], one["type"]] for one in gold]  # type: ignore
    for there, back in zip(gold, joined, strict=True):
        assert {_placed(arg) for arg in back["args"]} >= {_uncut(there, arg) for arg in there["args"]} - {None}  # type: ignore
        assert len(back["args"]) == len({_placed(arg) for arg in back["args"]})  # type: ignore


def _placed(arg: Value) -> tuple[Value, ...]:
    assert isinstance(arg, dict)
    assert isinstance(arg["text"], Span)
    return arg["role"], arg["text"].start, arg["text"].end


def _uncut(event: Value, arg: Value) -> tuple[Value, ...] | None:
    """The argument, unless another of its event lies around it, which at an edge it could be cut from."""
    assert isinstance(event, dict)
    assert isinstance(event["args"], list)
    role, start, end = _placed(arg)
    others = [_placed(other)[1:] for other in event["args"] if other is not arg]
    around = any(low <= start and end <= high for low, high in others)  # type: ignore
    return None if around else (role, start, end)


def test_two_windows_give_an_event_its_arguments_once() -> None:
    text = "Ada met Bob in Rome"
    one, two = Window(0, text[:11], len(text)), Window(4, text[4:], len(text))
    met, left, shared, right = Span("met", 4, 7), Span("Ada", 0, 3), Span("Bob", 8, 11), Span("Rome", 11, 15)

    def event(trigger: Span, *args: tuple[str, Span]) -> Value:
        return [{"trigger": trigger, "type": "meet", "args": [{"role": role, "text": text} for role, text in args]}]

    first = event(met, ("who", left), ("who", shared))
    second = event(Span("met", 0, 3), ("who", Span("Bob", 4, 7)), ("where", right))
    joined = join(EVENTS.root, [WindowValue(one, first, 0.0), WindowValue(two, second, 0.0)], "text")
    assert joined == event(met, ("who", left), ("who", shared), ("where", Span("Rome", 15, 19)))


def test_an_argument_that_two_windows_find_in_two_places_stands_once_where_outputs_say_no_places() -> None:
    plain = {"each": "args", "as": "{text}", "fields": {"text": {"span_of": "text"}}, "between": " , "}
    fields = {"trigger": {"span_of": "text"}, "args": plain}
    tree = Target({"each": "events", "as": "{trigger} @ {args}", "fields": fields}, lambda _: "t.yaml:1")
    text = "Bo met Bo"
    one, two = Window(0, text[:6], len(text)), Window(3, text[3:], len(text))
    first: Value = [{"trigger": Span("met", 3, 6), "args": [{"text": Span("Bo", 0, 2)}]}]
    second: Value = [{"trigger": Span("met", 0, 3), "args": [{"text": Span("Bo", 4, 6)}]}]
    assert join(tree.root, [WindowValue(one, first, 0.0), WindowValue(two, second, 0.0)], "text") == first

"""What in an output says one thing each, and where it is there."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2t.linear.target import Target
from t2t.structures import Json
from t2t.tasks.task import load_task

SPAN: Json = {"span_of": "text"}
KINDS: Json = {"label": ["city", "person"]}
NER: Json = {"each": "mentions", "as": "{text} = {type}", "fields": {"text": SPAN, "type": KINDS}, "between": " ; "}
INTENT: Json = {
    "gold": "@",
    "as": "< {intent} @ {slots} >",
    "fields": {
        "intent": {"label": ["book flight", "ask time"]},
        "slots": {"each": "slots", "as": "{slot} = {value}", "fields": {"slot": {"label": ["to"]}, "value": SPAN}},
    },
}
INLINE: Json = {
    "inline": "text", "gold": "mentions", "as": "[ {text} = {type} ]", "fields": {"text": SPAN, "type": KINDS},
}  # fmt: skip
LABELS: Json = {"labels": ["joy", "fear"], "gold": "feelings"}
TREES = {
    "ner": NER,
    "intent": INTENT,
    "inline": INLINE,
    "labels": LABELS,
    "label": {"label": ["a"], "gold": "mood"},
    "text": {"text": "free", "gold": "t"},
}


def target(name: str) -> Target:
    return Target(TREES[name], lambda _: "t.yaml:1")


@pytest.mark.parametrize(
    ("name", "output", "wanted"),
    [
        ("ner", "Ada = person ; Oslo = city", ["mentions: Ada = person", "mentions: Oslo = city"]),
        ("ner", " Ada = person ;; Oslo", ["mentions: Ada = person", "mentions: Oslo"]),
        ("ner", "none", ["mentions: none"]),
        ("intent", "< book flight @ to = Oslo >", ["intent: book flight", "slots: to = Oslo"]),
        ("intent", "<  @ to = Oslo; to = 罗马>", ["slots: to = Oslo", "slots: to = 罗马"]),
        ("intent", " book flight ", ["@: book flight"]),
        ("inline", "I am [ Ada = person ] of [ Oslo = city ] now", ["mentions: Ada = person", "mentions: Oslo = city"]),
        ("inline", "nobody [ Ada", ["mentions: Ada"]),
        ("inline", "nobody", []),
        ("labels", "joy ; fear", ["feelings: joy", "feelings: fear"]),
        ("label", "a", ["mood: a"]),
        ("label", " ", []),
        ("text", " two words\n", ["t: two words"]),
    ],
)
def test_parts(name: str, output: str, wanted: list[str]) -> None:
    assert [f"{one.name}: {output[one.start : one.end]}" for one in target(name).parts(output)] == wanted


@given(st.sampled_from(sorted(TREES)), st.text("abA =;@<>[]to\n世", max_size=30))
def test_parts_stand_in_order_in_any_output(name: str, output: str) -> None:
    end = 0
    for part in target(name).parts(output):
        assert end <= part.start < part.end <= len(output)
        assert output[part.start : part.end] == output[part.start : part.end].strip()
        end = part.end


@pytest.mark.parametrize("name", ["atlas/ner_zh", "atlas/relation_en", "atlas/event_en"])
def test_every_item_of_a_list_is_a_part(name: str) -> None:
    task = load_task(name)
    for example in islice(task.examples("test"), 30):
        text = task.target_text(example)
        said = [text[one.start : one.end] for one in task.parts(text)]
        assert len(said) == max(1, len(example.gold))  # type: ignore[arg-type]
        assert " ; ".join(said) == text

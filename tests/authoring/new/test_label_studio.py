"""``t2t new`` on exports of Label Studio: mentions, choices, ratings and texts; what was cancelled is no gold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from t2t.errors import DataError
from tests.proposals import proposed

N = 30
TEXTS = [f"Ada {i} went to Oslo" for i in range(N)]
Result = dict[str, Any]


def task(number: int, *annotations: Any, **data: str) -> dict[str, Any]:
    """A task with annotations: lists of results, or whole annotations."""
    given = [one if isinstance(one, dict) else {"was_cancelled": False, "result": one} for one in annotations]
    texts = data or {"text": TEXTS[number]}
    return {"id": number, "data": texts, "annotations": given, "predictions": [], "created_at": "2024"}


def mention(start: int, text: str, label: str) -> Result:
    value = {"start": start, "end": start + len(text), "text": text, "labels": [label]}
    return {"value": value, "from_name": "l", "to_name": "text", "type": "labels", "id": f"{start}"}


def answer(name: str, kind: str, key: str, value: Any) -> Result:
    return {"value": {key: value}, "from_name": name, "to_name": "text", "type": kind, "id": name}


def choice(name: str, *chosen: str) -> Result:
    return answer(name, "choices", "choices", list(chosen))


CANCELLED = {"was_cancelled": True, "result": []}


def test_one_class_keeps_its_name(tmp_path: Path) -> None:
    found = proposed(tmp_path, {"a.json": json.dumps([task(i, [mention(0, "Ada", "PER")]) for i in range(N)])})
    assert (found.family, found.errors, found.targets) == ("ner", 0, ["Ada = PER"] * N), found.output


def test_only_what_was_annotated_is_gold(tmp_path: Path) -> None:
    gold, other = [mention(0, "Ada", "PER")], [mention(15 + 1, "Oslo", "LOC")]
    rows = [
        task(0, CANCELLED),
        task(1),
        task(2, CANCELLED, gold),
        task(3, gold, other),
        task(4, []),
        *(task(i, gold) for i in range(5, N)),
    ]
    found = proposed(tmp_path, {"a.json": json.dumps(rows)})
    assert found.errors == 0, found.output
    assert found.pairs == {text: "none" if i == 4 else "Ada = PER" for i, text in enumerate(TEXTS) if i > 1}
    assert "2 records have no annotations that were not cancelled: left out (where: of the source)" in found.output
    assert "1 record has more than one of annotations: the first is read" in found.output


@pytest.mark.parametrize("more", [{}, {"source": "web"}, {"title": "Day"}], ids=["one", "constant", "two"])
def test_one_choice(tmp_path: Path, more: dict[str, str]) -> None:
    rows = [
        task(i, [choice("mood", ["good", "bad"][i % 2])], text=TEXTS[i], **{k: f"{v} {i}" if k == "title" else v
                                                                          for k, v in more.items()})
        for i in range(N)
    ]  # fmt: skip
    found = proposed(tmp_path, {"a.json": json.dumps(rows)})
    assert (found.family, found.errors) == ("classification", 0), found.output
    assert found.targets == [["good", "bad"][i % 2] for i in range(N)]
    prompts = [found.task.prompt(one) for one in found.examples]
    assert all(text in prompt for text, prompt in zip(TEXTS, prompts, strict=True))
    assert all(f"Day {i}" in prompt for i, prompt in enumerate(prompts)) == ("title" in more)


def test_a_choice_that_some_records_lack_or_that_was_cancelled(tmp_path: Path) -> None:
    rows = [task(0, []), task(1, CANCELLED), task(2), *(task(i, [choice("c", "ab"[i % 2])]) for i in range(3, N))]
    found = proposed(tmp_path, {"a.json": json.dumps(rows)})
    assert (found.family, found.errors) == ("classification", 0), found.output
    assert found.pairs == {TEXTS[i]: "ab"[i % 2] for i in range(3, N)}


def test_several_choices_and_none(tmp_path: Path) -> None:
    topics = [["art", "law"], ["law"], []]
    rows = [task(i, [choice("topics", *topics[i % 3])] if topics[i % 3] else []) for i in range(N)]
    found = proposed(tmp_path, {"a.json": json.dumps(rows)})
    assert (found.family, found.errors) == ("multi label", 0), found.output
    assert found.targets == [["art ; law", "law", "none"][i % 3] for i in range(N)]


def test_two_questions(tmp_path: Path) -> None:
    rows = [task(i, [choice("mood", "ab"[i % 2]), answer("stars", "rating", "rating", i % 5 + 1)]) for i in range(N)]
    found = proposed(tmp_path, {"a.json": json.dumps(rows)})
    assert (found.family, found.errors) == ("classification", 0), found.output
    assert found.targets == [f"{'ab'[i % 2]} @ {i % 5 + 1}" for i in range(N)]


def test_a_text(tmp_path: Path) -> None:
    rows = [task(i, [answer("answer", "textarea", "text", [f"to Oslo, {i}"])]) for i in range(N)]
    found = proposed(tmp_path, {"a.json": json.dumps(rows)})
    assert (found.family, found.errors) == ("text to text", 0), found.output
    assert found.targets == [f"to Oslo, {i}" for i in range(N)]


def test_a_choice_and_a_text_beside_mentions(tmp_path: Path) -> None:
    rows = [
        task(i, [mention(0, "Ada", "PER"), choice("mood", "ab"[i % 2]), answer("note", "textarea", "text", ["x"])])
        for i in range(N)
    ]
    found = proposed(tmp_path, {"a.json": json.dumps(rows)})
    assert found.targets == [f"{'ab'[i % 2]} @ Ada = PER" for i in range(N)], found.output
    assert f"'note': {N} records have textarea there, not read" in found.output
    assert found.errors == 1


def test_a_choice_of_each_mention_is_told(tmp_path: Path) -> None:
    known = [{**choice("known", "ab"[i % 2]), "id": "0"} for i in range(N)]
    for one in known:
        one["value"] |= {"start": 0, "end": 3, "text": "Ada"}
    rows = [task(i, [mention(0, "Ada", "PER"), known[i]]) for i in range(N)]
    found = proposed(tmp_path, {"a.json": json.dumps(rows)})
    assert (found.family, found.targets, found.errors) == ("ner", ["Ada = PER"] * N, 1), found.output
    assert f"'known': {N} records have choices there, not read" in found.output


def test_nothing_but_cancelled_annotations_is_no_task(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no input and target were found"):
        proposed(tmp_path, {"a.json": json.dumps([task(i, CANCELLED) for i in range(N)])})


def test_the_small_form_takes_no_time_for_a_score(tmp_path: Path) -> None:
    rows = [
        {"id": i, "review": text, "sentiment": ["Good", "Bad"][i % 2], "annotator": 1, "lead_time": 3.2 + i / 7}
        for i, text in enumerate(TEXTS)
    ]
    found = proposed(tmp_path, {"a.json": json.dumps(rows)})
    assert (found.family, found.errors) == ("classification", 0), found.output
    assert found.pairs == {text: ["Good", "Bad"][i % 2] for i, text in enumerate(TEXTS)}

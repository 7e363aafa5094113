"""``t2t new`` on the records of docs/families.md: a template that means the same, or one to copy is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t2t.authoring.new import new
from t2t.errors import InputError
from t2t.tasks.task import load_task

CITIES = ["Paris", "Oslo", "Rome", "Kyiv", "Basel", "Lima", "Turin", "Porto", "Quito", "Delhi", "Osaka", "Cairo"]
NAMES = ["Ada", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jon", "Kim", "Leo"]
N = 24


def span(text: str, surface: str, **more: str) -> dict[str, Any]:
    return {**more, "text": {"text": surface, "start": text.index(surface)}}


def ner(i: int, w: str, n: str) -> dict[str, Any]:
    t = f"{n} Hilton left the University of {w} in {i}"
    return {
        "text": t,
        "mentions": [
            span(t, f"{n} Hilton", type="person"),
            span(t, f"University of {w}", type="university"),
            span(t, w, type="place"),
        ],
    }


FORMS: dict[str, Callable[[int, str, str], dict[str, Any]]] = {
    "classification": lambda i, w, n: {"text": f"A warm film of {w}, {i}.", "label": i % 2},
    "multi_label": lambda i, w, n: {"text": f"Oh {w}, {i}!", "emotions": [[2, 1], [0], [], [1]][i % 4]},
    "nli": lambda i, w, n: {"premise": f"{n} runs in {w}.", "hypothesis": f"{n} sleeps {i}.", "label": i % 3},
    "similarity": lambda i, w, n: {
        "a": f"{n} runs in {w}.",
        "b": f"{n} is running in {w} {i}.",
        "score": [4.75, 0.5, 2.25, 3.8][i % 4],
    },
    "ner": ner,
    "relation": lambda i, w, n: {
        "text": f"{n}, born in {w}, wrote Notes {i}",
        "relations": [
            {"head": n, "relation": "BORN_IN", "tail": w},
            {"head": n, "relation": "WROTE", "tail": f"Notes {i}"},
        ],
    },
    "event": lambda i, w, n: {
        "text": f"{n} bought ink in {w}",
        "events": [{"trigger": "bought", "type": ["trade", "gift"][i % 2], "arguments": {"buyer": n, "goods": "ink"}}],
    },
    "slots": lambda i, w, n: {
        "text": f"play techno {i} on {w}",
        "intent": ["PlayMusic", "Stop"][i % 2],
        "slots": [{"type": "genre", "text": "techno"}, {"type": "service", "text": w}],
    },
    "qa": lambda i, w, n: {
        "question": f"Who met {n}?",
        "context": f"{n} met Charles in {w} in 18{i:02}.",
        "answer": "Charles",
    },
    "multiple_choice": lambda i, w, n: {
        "question": f"Which is in {w}?",
        "options": ["wood", f"iron {i}", "wool"],
        "answer": i % 3,
    },
    "closed_qa": lambda i, w, n: {
        "question": f"Which river runs through {w}?",
        "answers": [f"Rhine {i}", f"Rhein {i}"],
    },
    "translation": lambda i, w, n: {
        "text": f"It rains in {w} {i}.",
        "translation": f"Es regnet in {w} {i}.",
        "source_language": "English",
        "target_language": "German",
    },
    "summarization": lambda i, w, n: {
        "text": f"A ship sank off {w}. All of the {i} people on board are safe, says {n}. The sea was rough.",
        "summary": f"Ship sinks off {w}; nobody hurt.",
    },
    "dialogue": lambda i, w, n: {
        "turns": [{"text": f"A hotel in {w}."}, {"text": "How good?"}, {"text": f"{i} stars."}],
        "state": {"hotel": {"area": w, "stars": str(i)}, "taxi": {"to": ""}},
    },
    "data_to_text": lambda i, w, n: {
        "triples": [[n, "BORN", f"18{i:02}"], [n, "CITY", w]],
        "text": f"{n} was born in {w} in 18{i:02}.",
    },
    "code": lambda i, w, n: {"text": f"a dict of a name {w}", "code": f"def f(name):\n    return {{'{w}': name}}"},
    "grammar": lambda i, w, n: {
        "text": f"He go {w} {i}.",
        "corrections": [f"He goes to {w} {i}.", f"He went to {w} {i}."],
    },
    "keywords": lambda i, w, n: {"text": f"活性染料{i}的匀染性{w}", "words": [f"活性染料{i}", "匀染性"]},
    "aspect_sentiment": lambda i, w, n: {
        "text": f"Good pasta at {w}; rude staff {i}.",
        "aspects": [{"text": "pasta", "polarity": "positive"}, {"text": "staff", "polarity": "negative"}],
    },
    "chunking": lambda i, w, n: {"tokens": ["The", w, "man", "sat"], "tags": ["B-NP", "I-NP", "I-NP", "B-VP"]},
    "text_to_sql": lambda i, w, n: {
        "tables": f"CREATE TABLE {w} (age INT)",
        "question": f"How many in {w} are young?",
        "query": f"SELECT COUNT(*) FROM {w} WHERE age < {i}",
    },
    "fact_verification": lambda i, w, n: {
        "claim": f"Ten came to {w}.",
        "evidence": [f"Nine came {i}.", f"{n} was ill."],
        "label": ["REFUTES", "SUPPORTS"][i % 2],
    },
    "augmentation": lambda i, w, n: {"sentiment": ["positive", "negative"][i % 2], "text": f"A warm film of {w} {i}."},
    "pretraining": lambda i, w, n: {"lines": [f"It was the best of {w},", f"it was the worst of {n},", f"it was {i}"]},
}

TARGETS = {
    "classification": "0",
    "multi_label": "1 ; 2",
    "nli": "0",
    "similarity": "4.8",
    "ner": "Ada Hilton = person ; University of Paris = university ; Paris = place",
    "relation": "Ada > BORN IN > Paris + Ada > WROTE > Notes 0",
    "event": "bought @ trade @ buyer = Ada , goods = ink",
    "slots": "play music @ techno = genre ; Paris = service",
    "qa": "Charles",
    "multiple_choice": "A",
    "closed_qa": "Rhine 0",
    "translation": "Es regnet in Paris 0.",
    "summarization": "Ship sinks off Paris; nobody hurt.",
    "data_to_text": "Ada > BORN > 1800 + Ada > CITY > Paris",
    "code": "def f(name):\n    return {'Paris': name}",
    "grammar": "He goes to Paris 0.",
    "keywords": "活性染料0 ; 匀染性",
    "aspect_sentiment": "pasta = positive ; staff = negative",
    "chunking": "The Paris man = NP ; sat = VP",
    "text_to_sql": "SELECT COUNT(*) FROM Paris WHERE age < 0",
    "fact_verification": "REFUTES",
    "augmentation": "positive",
}
LIKE = {"dialogue": "dialogue/multiwoz_state", "pretraining": "pretraining/wikitext2"}


def proposed(form: str, folder: Path, mark: str) -> tuple[str, int, str]:
    """What is said, how many errors, and the first target; ``mark`` keeps names apart that come twice."""
    marks = ["", mark]
    rows = [FORMS[form](i, CITIES[i % 12] + marks[i // 12], NAMES[i % 12] + marks[i // 12]) for i in range(N)]
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    said, errors = new([str(path)], folder / "mine" / "task.yaml")
    task = load_task(str(folder / "mine" / "task.yaml"))
    return said, errors, task.target_text(next(task.examples("train")))


@pytest.mark.parametrize("mark", ["", "ton"], ids=["each twice", "all different"])
@pytest.mark.parametrize("form", sorted(TARGETS))
def test_the_records_of_the_page(form: str, mark: str, tmp_path: Path) -> None:
    said, errors, target = proposed(form, tmp_path, mark)
    assert target == TARGETS[form]
    assert errors == 0, said


@pytest.mark.parametrize("form", sorted(LIKE))
def test_what_is_not_proposed_has_a_template_to_copy(form: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"copy the template {LIKE[form]}"):
        proposed(form, tmp_path, "ton")
    assert load_task(LIKE[form])


def test_every_form_is_tried() -> None:
    assert {*TARGETS, *LIKE} == {*FORMS}

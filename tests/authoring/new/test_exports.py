"""``t2t new`` on small files in the forms of annotation tools: what its templates read is what the records mean."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from t2t.authoring.new import new
from t2t.structures import Example, Span
from t2t.tasks.sources import data_dir
from t2t.tasks.task import Task, load_task

EXPORTS = data_dir() / "exports"
EXPECTED: dict[str, Any] = (
    json.loads((EXPORTS / "EXPECTED.json").read_text(encoding="utf-8")) if EXPORTS.is_dir() else {}
)
pytestmark = pytest.mark.skipif(not EXPECTED, reason=f"no exports at {EXPORTS}; set T2T_DATA")


def proposed(form: str, folder: Path) -> tuple[Task, str]:
    """The task that is proposed for the files of a form, copied to ``folder`` with what is beside them."""
    for path in EXPORTS.glob(form.partition(".")[0].rstrip("*") + "*"):
        (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)
    names = [str(folder / form)] if (folder / form).exists() else sorted(map(str, folder.glob(form)))
    text, errors = new(names, folder / "mine" / "task.yaml")
    assert errors == 0, text
    assert "t2t check finds no error" in text
    return load_task(str(folder / "mine" / "task.yaml")), text


def bare(text: str) -> str:
    """Without spaces: tokens joined by spaces have some that their text had not."""
    return "".join(text.split())


def places(items: list[dict[str, Any]], text: str) -> list[tuple[str, int, str]]:
    """Surface, start and type of mentions, starts counted without spaces, in their order."""
    found = []
    for item in items:
        span = item["text"]
        start, end = (span.start, span.end) if isinstance(span, Span) else (item["start"], item["end"])
        assert text[start:end] == surface(span)
        found.append((surface(span), len(bare(text[:start])), item["type"]))
    return sorted(found, key=lambda one: one[1])


def gold_of(example: Example, name: str) -> Any:
    return example.gold[name] if isinstance(example.gold, dict) else example.gold


def surface(value: Any) -> str:
    return value.text if isinstance(value, Span) else str(value)


def check_record(task: Task, example: Example, record: dict[str, Any]) -> None:
    """One example against what its record means."""
    prompt, target = task.prompt(example), task.target_text(example)
    for part in (*record.get("prompt", ()), *record.get("wanted", ())):
        assert part in prompt
    for part in record.get("target", ()):
        assert part in target
    for part in record.get("not", ()):
        assert part not in target
    if "label" in record:
        assert example.gold == record["label"]
        assert target == record["label"]
    if "mentions" in record:
        text = next(
            text for text in example.fields.values() if isinstance(text, str) and bare(record["text"]) == bare(text)
        )
        assert places(gold_of(example, "mentions"), text) == places(record["mentions"], record["text"])
    if "relations" in record:
        keys = ("head", "type", "tail")
        found = [{key: surface(one[key]) for key in keys} for one in gold_of(example, "relations")]
        assert found == record["relations"]


@pytest.mark.parametrize("form", EXPECTED)
def test_a_form(form: str, tmp_path: Path) -> None:
    expected = EXPECTED[form]
    task, _ = proposed(form, tmp_path)
    splits = {split: list(task.examples(split)) for split in task.splits()}
    examples = [example for own in splits.values() for example in own]
    assert len(examples) == expected.get("examples", len(examples))
    if "splits" in expected:
        assert {split: len(own) for split, own in splits.items()} == expected["splits"]
    for record in expected["records"]:
        fits = [example for example in examples if asked(task, example, record)]
        assert fits, f"no example with {record['text']!r}"
        for example in fits:
            check_record(task, example, record)


def asked(task: Task, example: Example, record: dict[str, Any]) -> bool:
    """True if an example is that of a record: its prompt has the text and what else the record says of it."""
    prompt = bare(task.prompt(example))
    parts = (record["text"], *record.get("prompt", ()), *record.get("wanted", ()))
    return all(bare(part) in prompt for part in parts)

"""A task with mentions and its records, for the tests of mention replacement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from t2t.config.template import read_template
from t2t.errors import TemplateError
from t2t.tasks.task import Task

TEMPLATE = """\
task: demo/slots
version: 1
source: {format: jsonl, train: train.jsonl}
prompt: "slots: {text}"
replace_mentions: {chance: 0.5, alike: [type, intent]}
target:
  as: "{intent} @ {slots}"
  fields:
    intent: {label: {go: travel, eat: eat}}
    slots:
      each: slots
      as: "{text} = {type}"
      fields: {text: {span_of: text}, type: {label: {city: city, dish: dish}}}
metrics: [exact_match]
"""


def record(text: str, intent: str, **mentions: str) -> dict[str, Any]:
    slots = [{"text": {"text": said, "start": text.index(said)}, "type": kind} for said, kind in mentions.items()]
    return {"text": text, "intent": intent, "slots": slots}


def slot(said: str, start: int) -> dict[str, Any]:
    return {"text": {"text": said, "start": start}, "type": "city"}


RECORDS = [
    record("from Rome to Oslo", "go", Rome="city", Oslo="city"),
    record("去 北京 吧", "go", 北京="city"),
    record("pasta in Rome Rome", "eat", pasta="dish"),
    record("soup in Bergen", "eat", soup="dish", Bergen="city"),
    record("hello", "go"),
]


def make(folder: Path, template: str = TEMPLATE, records: list[dict[str, Any]] = RECORDS) -> Task:
    path = folder / "demo" / "slots.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(template)
    (path.parent / "train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    return Task(read_template(path))


def fail_of(folder: Path, template: str) -> str:
    with pytest.raises(TemplateError) as error:
        make(folder, template).compile()
    return str(error.value)

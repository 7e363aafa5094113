"""Odd files by chance: templates, run files, DeepSpeed files, records, --set. Each is one sentence."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from t2t.config.run import load_run
from t2t.engine.deepspeed_file import read_deepspeed
from t2t.errors import InputError, T2TError
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.task import load_task
from tests.faults.rounds import rounds
from tests.places import ROOT

FEWEST = 150  # rounds of each kind in `make test`
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 10**30, -0.5, 1e-320, 1e308, float("inf"), float("nan"), "", " ", "x", "\u0000",
    "\ud800", "\u202e", "0x10", "1e3", "null", "{}", "{text", "text}", "{text}", "*", "[*]", "a.b.c", "@", "`1`",
    "../../x",
    "/dev/zero", "京" * 50, "x" * 5000, [], [[]], [None], {}, {"": ""}, {"a": {"b": {"c": []}}}, {1: 2}, ["a", 1, None],
]  # fmt: skip
RUN = {
    "run": "x",
    "tasks": ["demo/x"],
    "model": {"from_scratch": {"size": "mini"}},
    "tokenizer": {"vocab_size": 600},
    "optimizer": {"name": "adamw", "betas": [0.9, 0.99], "rates": {"encoder": 0.5}},
    "schedule": {"steps": 3, "warmup": 1},
    "batch": {"tokens": 100, "micro_batches": 2},
    "validate": {"every": "5 steps"},
    "peft": {"method": "lora", "r": 4},
    "generate": {"splits": ["test"], "beams": 2},
}


def mutated(value: Any, draw: random.Random) -> Any:
    """A copy of plain data in which one place, or a few, hold something else."""
    for _ in range(draw.randint(1, 3)):
        value = _one(value, draw)
    return value


def _one(value: Any, draw: random.Random) -> Any:
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice([*value])
        kind = draw.random()
        if kind < 0.1:
            return {name: inner for name, inner in value.items() if name != key}
        if kind < 0.2:
            return {**value, draw.choice(["x", key if not isinstance(key, str) else key + "s", "from", ""]): value[key]}
        return {**value, key: _one(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.85:
        place = draw.randrange(len(value))
        kind = draw.random()
        if kind < 0.15:
            return value[:place] + value[place + 1 :]
        if kind < 0.3:
            return [*value, value[place]]
        return [*value[:place], _one(value[place], draw), *value[place + 1 :]]
    return draw.choice(ODD)


def garbled(text: str, draw: random.Random) -> str:
    """A text with a few characters gone, doubled or exchanged."""
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(text) + 1)
        text = text[:place] + draw.choice(["", "{", "}", ":", "\n", "\t", '"', "'", "- ", "&a", "*a", "é"]) + text[
            place + draw.randint(0, 3) :
        ]  # fmt: skip
    return text


def written(data: Any, draw: random.Random) -> str:
    """As YAML, at times garbled."""
    try:
        text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
    except (ValueError, yaml.YAMLError):
        text = json.dumps(data, default=str)
    return garbled(text, draw) if draw.random() < 0.3 else text


def told(action: Callable[[], object]) -> bool:
    """Whether it failed, in one sentence; anything but a sentence goes on as it is."""
    try:
        action()
    except (InputError, T2TError) as error:
        said = str(error)
    else:
        return False
    assert "\n" not in said
    return True


def save(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))


@pytest.fixture(scope="module")
def templates() -> list[Any]:
    paths = sorted((ROOT / "task_templates").glob("*/*.yaml"))
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]


def test_templates(templates: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "demo" / "x.yaml"
    path.parent.mkdir()
    wrong = 0
    for draw in rounds("templates", FEWEST, 0.05):
        save(path, written(mutated(draw.choice(templates), draw), draw))
        wrong += told(lambda: load_task(str(path)))
    assert wrong


def test_run_files_and_overrides(tmp_path: Path) -> None:
    path, wrong = tmp_path / "run.yaml", 0
    keys = ["run", "tasks", "tasks.0", "tasks.0.limit", "model.from", "optimizer.name", "optimizer.rates.encoder",
            "schedule.steps", "batch.units", "peft.r", "best.metric", "precision", "x.y", "", ".", "a..b"]  # fmt: skip
    for draw in rounds("run files", FEWEST, 0.05):
        save(path, written(mutated(RUN, draw) if draw.random() < 0.8 else RUN, draw))
        said = [f"{draw.choice(keys)}={draw.choice(ODD)}" for _ in range(draw.randint(0, 2))]
        wrong += told(lambda: load_run(path, said).to_yaml())  # noqa: B023
    assert wrong


def test_deepspeed_files(tmp_path: Path) -> None:
    files = [json.loads(path.read_text()) for path in sorted((ROOT / "ds_configs").glob("*.json"))]
    run, path, wrong = tmp_path / "run.yaml", tmp_path / "ds.json", 0
    save(run, yaml.safe_dump(RUN))
    config = load_run(run)
    for draw in rounds("DeepSpeed files", FEWEST, 0.05):
        text = json.dumps(mutated(draw.choice(files), draw))
        save(path, garbled(text, draw) if draw.random() < 0.3 else text)
        wrong += told(lambda: read_deepspeed(path, config))
    assert wrong


RECORDS: dict[str, tuple[str, Any]] = {
    "ner": ("""\
task: demo/x
version: 1
source: {format: jsonl, train: rows.jsonl}
fields: {text: text, mentions: {offsets: {of: entities, in: text}}}
prompt: "find {mentions.type.labels} in: {text}"
target:
  each: mentions
  as: "{text} = {type}"
  fields: {text: {span_of: text, repeat: number}, type: {label: [per, loc]}}
  between: " ; "
  empty: none
metrics: [{span_f1: {over: mentions, span: text, type: type}}]
""", {"text": "Ada moved to Oslo", "entities": [{"start": 0, "end": 3, "type": "per"}]}),
    "choice": ("""\
task: demo/x
version: 1
source: {format: jsonl, train: rows.jsonl}
prompt: "{question} {shown}"
lists: {shown: {each: options, as: "{letter}) {text}", fields: {text: "@"}, between: " "}}
target: {choice: options, by: letter, gold_is: index, gold: answer}
metrics: [accuracy]
""", {"question": "which?", "options": ["a", "b"], "answer": 1}),
    "number": ("""\
task: demo/x
version: 1
source: {format: jsonl, train: rows.jsonl}
prompt: "rate: {text}"
target: {number: 1, gold: score}
metrics: [pearson]
""", {"text": "good", "score": 2.5}),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_records(name: str, tmp_path: Path) -> None:
    template, record = RECORDS[name]
    path = tmp_path / "demo" / "x.yaml"
    path.parent.mkdir()
    save(path, template.replace("{mentions.type.labels}", "names"))
    task, bad = load_task(str(path)), BadRecords("skip")
    for draw in rounds(f"records of {name}", FEWEST, 0.02):
        text = json.dumps(mutated(record, draw))
        save(path.parent / "rows.jsonl", (garbled(text, draw) if draw.random() < 0.3 else text) + "\n")

        def use() -> None:
            for example in task.examples("train", bad):
                task.prompt(example)
                task.parse(task.target_text(example), example)
                task.grammar(example)

        told(use)
    assert bad.count

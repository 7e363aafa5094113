"""``t2t new``: documents, labels in cells, conversations, instructions; what is left out, and what is beside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t2t.authoring.new import new
from t2t.tasks.task import load_task
from tests.authoring.new.test_kinds import CHINESE, LABELLED, everything, jsonl, labels, make

DOCUMENTS: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "a list": lambda rows: rows,
    "by id": lambda rows: {f"q{n}": row for n, row in enumerate(rows)},
    "under a key": lambda rows: {"version": 1, "data": rows},
    "under another key": lambda rows: {"about": {"a": 1}, "reviews": rows},
}


@pytest.mark.parametrize("form", DOCUMENTS)
@pytest.mark.parametrize("indent", [None, 2])
def test_documents(tmp_path: Path, form: str, indent: int | None) -> None:
    rows = [{"text": text, "label": label} for text, label in LABELLED.items()]
    (tmp_path / "a.json").write_text(
        json.dumps(DOCUMENTS[form](rows), ensure_ascii=False, indent=indent), encoding="utf-8"
    )
    assert labels(make(tmp_path, "a.json")) == LABELLED


def test_splits_by_key_with_records_by_id(tmp_path: Path) -> None:
    rows = [{"text": text, "label": label} for text, label in LABELLED.items()]
    document = {
        "training": {str(n): row for n, row in enumerate(rows[:50])},
        "dev": {str(n): row for n, row in enumerate(rows[50:])},
    }
    (tmp_path / "a.json").write_text(json.dumps(document), encoding="utf-8")
    task = make(tmp_path, "a.json")
    assert {split: len(list(task.examples(split))) for split in task.splits()} == {"train": 50, "valid": 10}


@pytest.mark.parametrize("on", [1, True, "yes", "1", 1.0])
def test_a_column_a_label(tmp_path: Path, on: Any) -> None:
    off = {1: 0, "yes": "no", "1": "0"}.get(on, 0) if not isinstance(on, bool) else False
    shown = {True: on, False: off}
    rows = [{"comment": t, "toxic": shown[n % 2 > 0], "very rude": shown[n % 3 == 0], "ok": shown[n % 5 > 0]}
            for n, t in enumerate(LABELLED)]  # fmt: skip
    (tmp_path / "a.jsonl").write_text(jsonl(rows), encoding="utf-8")
    task = make(tmp_path, "a.jsonl")
    golds = {tuple(example.gold) for example in everything(task)}
    assert ("toxic", "very rude", "ok") in golds
    assert ("very rude",) in golds


@pytest.mark.parametrize("by", [", ", ";", "|", "、"])
def test_labels_joined_in_a_cell(tmp_path: Path, by: str) -> None:
    some = [["joy"], ["joy", "fear"], ["fear", "anger"], ["anger"]]
    rows = [{"text": t, "emotions": by.join(some[n % 4])} for n, t in enumerate(LABELLED)]
    (tmp_path / "a.jsonl").write_text(jsonl(rows), encoding="utf-8")
    golds = {tuple(sorted(example.gold)) for example in everything(make(tmp_path, "a.jsonl"))}
    assert golds == {("joy",), ("fear", "joy"), ("anger", "fear"), ("anger",)}


def test_labels_that_are_numbers_with_names_beside(tmp_path: Path) -> None:
    rows = [{"text": text, "label": n % 3} for n, text in enumerate(LABELLED)]
    (tmp_path / "a.jsonl").write_text(jsonl(rows), encoding="utf-8")
    (tmp_path / "labels.json").write_text(json.dumps(["negative", "neutral", "positive"]))
    task = make(tmp_path, "a.jsonl")
    assert {task.target_text(example) for example in everything(task)} == {"negative", "neutral", "positive"}


WHO = {
    "ShareGPT": ("conversations", "from", "value", {"u": "human", "a": "gpt", "s": "system"}),
    "OpenAI": ("messages", "role", "content", {"u": "user", "a": "assistant", "s": "system"}),
    "turns": ("dialogue", "speaker", "text", {"u": "user", "a": "agent", "s": "note"}),
}


@pytest.mark.parametrize("form", WHO)
def test_conversations(tmp_path: Path, form: str) -> None:
    key, who, what, names = WHO[form]

    def talk(n: int) -> dict[str, Any]:
        turns = (("s", "Be kind."), ("u", f"Where is {n}?"), ("a", f"At {n}."), ("u", "And then?"), ("a", f"Gone {n}."))
        return {"id": n, key: [{who: names[one], what: said} for one, said in turns]}

    (tmp_path / "a.jsonl").write_text(jsonl([talk(n) for n in range(60)]), encoding="utf-8")
    task = make(tmp_path, "a.jsonl")
    examples = everything(task)
    assert len(examples) == 120
    last = next(example for example in examples if example.gold == "Gone 7.")
    prompt = task.prompt(last)
    assert all(part in prompt for part in ("Be kind.", "Where is 7?", "At 7.", "And then?"))
    sides = [
        {e.fields["history"].split("Where is ")[1].split("?")[0] for e in task.examples(s)} for s in ("train", "test")
    ]
    assert not sides[0] & sides[1]


ASKED: dict[str, Callable[[int], dict[str, Any]]] = {
    "prompt and completion": lambda n: {"prompt": f"Say {n}.", "completion": f"It is {n}."},
    "instruction in Chinese": lambda n: {
        "instruction": f"请说出数字{n}。", "input": "" if n % 2 else f"数字{n}", "output": f"是{n}"},
    "instruction and response": lambda n: {
        "instruction": f"Say {n}.", "context": "", "response": f"It is {n}.", "category": ["a", "b"][n % 2]},
    "preference": lambda n: {"prompt": f"Say {n}.", "chosen": f"It is {n}.", "rejected": "No."},
    "preference in messages": lambda n: {
        "chosen": [{"role": "user", "content": f"Say {n}."}, {"role": "assistant", "content": f"It is {n}."}],
        "rejected": [{"role": "user", "content": f"Say {n}."}, {"role": "assistant", "content": "No."}]},
}  # fmt: skip


@pytest.mark.parametrize("form", ASKED)
def test_instructions_and_preferences(tmp_path: Path, form: str) -> None:
    (tmp_path / "a.jsonl").write_text(jsonl([ASKED[form](n) for n in range(60)]), encoding="utf-8")
    text, _ = new([str(tmp_path / "a.jsonl")], tmp_path / "mine" / "task.yaml")
    task = load_task(str(tmp_path / "mine" / "task.yaml"))
    for example in everything(task):
        assert task.target_text(example).rstrip(".").split("是")[-1].split()[-1] in task.prompt(example)
        assert "No." not in task.target_text(example)
    assert ("category" in text) is (form == "instruction and response")


def test_what_carries_the_task_and_is_left_out_ends_with_an_error(tmp_path: Path) -> None:
    rows = [{"text": t, "label": k, "opinions": [{"a": 1, "b": "x"}], "second": ["u", "v"][n % 2]}
            for n, (t, k) in enumerate(LABELLED.items())]  # fmt: skip
    (tmp_path / "a.jsonl").write_text(jsonl(rows), encoding="utf-8")
    text, errors = new([str(tmp_path / "a.jsonl")], tmp_path / "mine" / "task.yaml")
    assert "'opinions': 60 lists of objects, not read" in text
    assert errors == 2
    assert "2 fields that may be what the task is about are left out" in text


def test_a_run_file_stands_beside_the_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from t2t.config.run import load_run
    from t2t.config.shipped_files import template_files

    for name, rows, model in (("films", LABELLED, "google/flan-t5-base"), ("影评", CHINESE, "google/mt5-small")):
        (tmp_path / f"{name}.jsonl").write_text(
            jsonl([{"text": t, "label": k} for t, k in rows.items()]), encoding="utf-8"
        )
        monkeypatch.chdir(tmp_path)
        text, errors = new([f"{name}.jsonl"])
        assert errors == 0, text
        path = Path("task_templates") / "classification" / f"{name}.run.yaml"
        assert str(path) in text
        run = load_run(path)
        assert (run.run, run.model.source) == (name, model)
        assert load_task(run.tasks[0].task).name == f"classification/{name}"
    assert set(template_files(Path("task_templates"))) == {"classification/films", "classification/影评"}


def test_a_template_of_the_library_is_not_shadowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"text": text, "label": label} for text, label in LABELLED.items()]
    (tmp_path / "banking77.jsonl").write_text(jsonl(rows), encoding="utf-8")
    text, errors = new(["banking77.jsonl"])
    assert errors == 0
    assert "classification/banking77 is a template of the library: this one is called my_banking77" in text
    assert (tmp_path / "task_templates" / "classification" / "my_banking77.yaml").is_file()


def test_one_bad_value_costs_one_record(tmp_path: Path) -> None:
    lines = [json.dumps({"text": t, "label": k}, ensure_ascii=False).encode() for t, k in LABELLED.items()]
    lines[5] = b'{"text": "caf\xe9 in another encoding, here", "label": "good"}'
    lines[9] = b'{"text": NaN, "label": "good"}'
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    text, errors = new([str(tmp_path / "a.jsonl")], tmp_path / "mine" / "task.yaml")
    assert "1 record is bad" in text
    assert errors
    path = tmp_path / "mine" / "task.yaml"
    path.write_text(path.read_text().replace("version: 1", "version: 1\non_bad: skip"))
    assert len(everything(load_task(str(path)))) == 58

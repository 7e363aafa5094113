"""Several tasks over one input: each record is answered by each of them, as it would be by one alone."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from t2t.cli import main
from t2t.errors import RunFileError
from t2t.serving.batch_job import Job
from t2t.serving.inputs import renaming
from t2t.structures import Json
from t2t.tasks.task import load_task
from tests.serving.toy_jobs import make_model

TEXTS = ["Ada moved to Oslo", "Rome fell; Bo wept", "no names here"]
TASKS = ("atlas/ner_en", "atlas/topic_en", "atlas/qa_en")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"), TEXTS, TASKS, 96)


def generate(model: Path, task: str, source: Path, out: Path, *more: str) -> int:
    named = ["--task", task, "--input", str(source), "--output", str(out)]
    return main(["generate", "--model", str(model), *named, *more])


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_record_has_a_line_for_each_task_in_their_order(model: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"id": f"r{n}", "text": text}) + "\n" for n, text in enumerate(TEXTS)))
    assert generate(model, f"{TASKS[1]},{TASKS[0]}", source, tmp_path / "both.jsonl") == 0
    both = lines(tmp_path / "both.jsonl")
    assert [(row["id"], row["task"]) for row in both] == [
        (f"r{n}", task) for n in range(3) for task in (TASKS[1], TASKS[0])
    ]
    for task in TASKS[:2]:
        assert generate(model, task, source, tmp_path / "one.jsonl") == 0
        own = [{key: value for key, value in row.items() if key != "task"} for row in both if row["task"] == task]
        assert own == lines(tmp_path / "one.jsonl")


def test_lines_of_text_and_parquet(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    assert generate(model, ",".join(TASKS[:2]), tmp_path / "in.txt", tmp_path / "out.parquet") == 0
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["id"], row["task"]) for row in table] == [(str(n), task) for n in (1, 2, 3) for task in TASKS[:2]]


def test_parquet_has_the_columns_of_all_rows(tmp_path: Path) -> None:
    """The first row is of a task, or an answer, without confidences of items."""
    job = Job(tmp_path / "out.parquet", {})
    rows: list[dict[str, Json]] = [{"id": "1", "score": 0.5}, {"id": "1", "score": 0.2, "confidences": [0.5]}]
    job.finish(0, rows[:1], [])
    job.finish(1, rows, [])
    assert job.join(2) is not None
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["confidences"] for row in table] == [None, None, "[0.5]"]


def test_what_one_task_cannot_use_is_bad_for_that_one(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text": TEXTS[0], "context": TEXTS[0], "question": "Where?", "task": "mine"}, {"text": TEXTS[1]}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out.jsonl"
    names = load_task(TASKS[2]).name, load_task(TASKS[1]).name
    assert generate(model, ", ".join(names), tmp_path / "in.jsonl", out, "--keep", "task") == 0
    assert [(row["id"], row["task"], row["input_task"]) for row in lines(out)] == [
        ("1", TASKS[2], "mine"), ("1", TASKS[1], "mine"), ("2", TASKS[1], None)
    ]  # fmt: skip
    (bad,) = lines(tmp_path / "out.jsonl.bad.jsonl")
    assert str(bad["where"]).endswith("in.jsonl:2")
    assert TASKS[2] in str(bad["found"])
    capsys.readouterr()
    for task, told in (("atlas/qa_en,none", "no task 'none'"), ("atlas/qa_en,atlas/qa_en", "is named twice")):
        assert generate(model, task, tmp_path / "in.jsonl", out) == 2
        assert told in capsys.readouterr().err


def test_a_mistake_that_the_first_chunk_shows_keeps_no_other_from_its_output(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    given = model, ",".join(TASKS[:2]), tmp_path / "in.txt", tmp_path / "out.jsonl"
    assert generate(*given, "--top", "2") == 2
    assert "are of no closed set" in capsys.readouterr().err
    assert generate(*given) == 0, capsys.readouterr().err


def test_a_column_may_be_fields_of_several_tasks() -> None:
    assert renaming(["text=body", "context=body"]) == {"text": "body", "context": "body"}
    with pytest.raises(RunFileError, match="the field text is a column already; name each field once"):
        renaming(["text=body", "text=title"])

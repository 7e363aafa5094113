"""``on_bad: skip``: what is left out is in a file and is counted; by default the first bad record stops."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from t2t.errors import DataError
from t2t.runs.rejects import bad_places, count_bad, set_aside
from t2t.tasks.task import Task, load_task

TEMPLATE = """\
task: mood/line
version: 1
%ssource: {format: FORMAT, train: data}
prompt: "mood of: {text} {more}"
target: {label: [glad, sad], gold: mood}
metrics: [accuracy]
"""


def task(folder: Path, data: str | bytes, form: str = "jsonl", on_bad: str = "on_bad: skip\n") -> Task:
    path = folder / "mood" / "line.yaml"
    path.parent.mkdir(exist_ok=True)
    (path.parent / "data").write_bytes(data if isinstance(data, bytes) else data.encode())
    path.write_text(TEMPLATE.replace("FORMAT", form) % on_bad)
    return load_task(str(path))


def row(**given: object) -> str:
    return json.dumps({"text": "t", "mood": "sad", "more": ""} | given) + "\n"


BAD = {
    "data:2": b"{broken\n",
    "data:3": b'{"text": "\xff"}\n',
    "data:4": row(mood="angry").encode(),
    "data:5": row(more=["no text"]).encode(),
    "data:6": b'{"text": "a", "mood": "sad", "more": "\\u0000"}\n',
    "data:7": b'{"text": "a"}\n',
}


def test_every_kind_of_bad_record_is_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = task(tmp_path, row().encode() + b"".join(BAD.values()) + row(mood="glad").encode())
    assert count_bad(tmp_path / "run", [(found, None)], {}) == {"mood/line": len(BAD)}
    lines = [json.loads(line) for line in (tmp_path / "run" / "bad_records.jsonl").read_text().splitlines()]
    assert [line["where"] for line in lines] == list(BAD)
    assert {line["task"] for line in lines} == {"mood/line"}
    assert all(line["found"] and line["todo"] for line in lines)
    assert [example.gold for example in found.examples("train")] == ["sad", "glad"]
    assert "mood/line train: 6 bad records were set aside" in capsys.readouterr().out


def test_reading_again_replaces_the_lines_of_the_same_split_only(tmp_path: Path) -> None:
    found = task(tmp_path, b"{broken\n" + row().encode())
    with set_aside(tmp_path, found, "test") as bad:
        bad.add(DataError("x:1", "odd", "mend it"))
    for _ in range(2):
        count_bad(tmp_path, [(found, None)], {})
    lines = [json.loads(line) for line in (tmp_path / "bad_records.jsonl").read_text().splitlines()]
    assert [(line["split"], line["where"]) for line in lines] == [("test", "x:1"), ("train", "data:1")]


@pytest.mark.parametrize("cut", ["{}", "[]", '{"task": "mo'])
def test_a_cut_listing_is_made_anew(tmp_path: Path, cut: str) -> None:
    found = task(tmp_path, row() + "{broken\n")
    count_bad(tmp_path, [(found, None)], {})
    whole = (tmp_path / "bad_records.jsonl").read_text()
    (tmp_path / "bad_records.jsonl").write_text(whole + cut)
    count_bad(tmp_path, [(found, None)], {})
    assert (tmp_path / "bad_records.jsonl").read_text() == whole


def test_without_bad_records_there_is_no_file(tmp_path: Path) -> None:
    assert count_bad(tmp_path, [(task(tmp_path, row()), None)], {}) == {"mood/line": 0}
    assert not (tmp_path / "bad_records.jsonl").exists()


def test_the_first_bad_record_stops_by_default(tmp_path: Path) -> None:
    found = task(tmp_path, row() + "{broken\n", on_bad="")
    with pytest.raises(DataError, match="data:2: no JSON"):
        list(found.examples("train"))
    with set_aside(tmp_path, found, "train") as bad, pytest.raises(DataError):
        list(found.examples("train", bad))


@pytest.mark.parametrize(
    ("form", "data", "where"),
    [
        ("csv", b"text,mood,more\na,sad,\nb,sad\nc,s\xffad,\nd,glad,\n", ["data:3", "data:4"]),
        ("csv", b'text,mood,more\na,sad,\n"b"x,sad,\nd,glad,\n', ["data:3"]),
        ("tsv", b"text\tmood\tmore\na\tsad\t\nb\tsad\nc\t\0\t\nd\tglad\t\n", ["data:3", "data:4"]),
    ],
)
def test_a_bad_row_hides_no_other(tmp_path: Path, form: str, data: bytes, where: list[str]) -> None:
    found = task(tmp_path, data, form)
    with set_aside(tmp_path, found, "train") as bad:
        assert [example.fields["text"] for example in found.examples("train", bad)] == ["a", "d"]
    lines = [json.loads(line) for line in (tmp_path / "bad_records.jsonl").read_text().splitlines()]
    assert [line["where"] for line in lines] == where


def test_a_bad_line_takes_its_sentence_or_its_aligned_lines_along(tmp_path: Path) -> None:
    from t2t.tasks.bad_records import BadRecords
    from t2t.tasks.sources import build_source

    (tmp_path / "c").write_bytes(b"a\tO\nbroken\nb\tO\n\nc\tO\n")
    (tmp_path / "p").write_bytes(b"1\n\xff\n3\n")
    (tmp_path / "q").write_bytes(b"x\ny\nz\n")
    bad = BadRecords("skip")
    tokens = build_source({"format": "conll", "train": "c"}, tmp_path, "t")
    assert [record.data["tokens"] for record in tokens.records("train", bad)] == [["c"]]
    aligned = build_source({"format": "parallel", "train": {"p": "p", "q": "q"}}, tmp_path, "t")
    assert [record.data for record in aligned.records("train", bad)] == [{"p": "1", "q": "x"}, {"p": "3", "q": "z"}]
    assert bad.count == 2


def test_what_could_not_be_encoded_is_set_aside_with_the_others(tmp_path: Path) -> None:
    found = task(tmp_path, b"{broken\n" + row().encode())
    unfit = {"mood/line": [DataError("data:2", "too long", "raise it")]}
    assert count_bad(tmp_path, [(found, None)], unfit) == {"mood/line": 2}
    assert bad_places(tmp_path, "mood/line", "train") == {"data:1", "data:2"}
    assert bad_places(tmp_path, "mood/line", "test") == frozenset()

"""Sources that reshape records: explode, join, stride, where with adapters; on small and on real data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from t2t.errors import DataError, TemplateError
from t2t.structures import Span
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.sources import RawRecord, build_source, data_dir

needs_data = pytest.mark.skipif(not data_dir().is_dir(), reason=f"no data sets at {data_dir()}; set T2T_DATA")


def records(folder: Path, split: str = "train", **spec: Any) -> list[RawRecord]:
    return list(build_source(spec, folder, "t.yaml:4").records(split))


def write(path: Path, content: str) -> str:
    path.write_text(content, encoding="utf-8")
    return path.name


def test_explode_gives_each_item_its_parent_and_what_stood_before(tmp_path: Path) -> None:
    dialogue = {"id": "d1", "log": [{"text": "hi", "sys": False}, {"text": "hello", "sys": True}]}
    name = write(tmp_path / "a.jsonl", json.dumps(dialogue) + "\n")
    found = records(tmp_path, format="jsonl", train=name, explode="log", where="sys")
    assert found == [
        RawRecord(
            "a.jsonl:1",
            "train:0.1",
            {"text": "hello", "sys": True, "parent": dialogue, "before": dialogue["log"][:1], "position": 1},
        )
    ]
    plain = records(tmp_path, format="jsonl", train=name, explode="log[].text", id_field="item")
    assert [(record.id, record.data["item"]) for record in plain] == [("hi", "hi"), ("hello", "hello")]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"log": 3}, "a.jsonl:1: explode: gives a number; name the path of a list"),
        ({"lag": []}, "a.jsonl:1: record has no field 'log'"),
        ({"log": [{"parent": 1}]}, "a.jsonl:1: explode: an item has a field 'parent', which explode adds itself"),
    ],
)
def test_what_cannot_be_exploded_is_told_with_its_line(tmp_path: Path, record: dict[str, Any], message: str) -> None:
    name = write(tmp_path / "a.jsonl", json.dumps(record) + "\n")
    with pytest.raises(DataError) as error:
        records(tmp_path, format="jsonl", train=name, explode="log")
    assert str(error.value).startswith(message)


def test_join_adds_the_fields_of_the_other_file(tmp_path: Path) -> None:
    data, gold = write(tmp_path / "d.csv", "id,text\n1,a\n2,b\n"), write(tmp_path / "g.csv", "2,y\n1,x\n3,z\n")
    join = {"file": {"train": gold}, "on": "id", "header": ["id", "gold"]}
    found = records(tmp_path, format="csv", train=data, test=data, join=join, where="gold == 'y'")
    assert [record.data for record in found] == [{"id": "2", "text": "b", "gold": "y"}]
    assert found[0].where == "d.csv:3"
    assert "gold" not in records(tmp_path, "test", format="csv", train=data, test=data, join=join)[0].data


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ("1,x\n", "d.csv:3: join: \"2\" of 'id' does not stand in the joined file"),
        ("1,x\n2,y\n2,z\n", "g.csv:3: join: \"2\" of 'id' stands twice in the joined file"),
    ],
)
def test_a_join_that_does_not_fit_is_told_with_its_line(tmp_path: Path, gold: str, message: str) -> None:
    data, other = write(tmp_path / "d.csv", "id,text\n1,a\n2,b\n"), write(tmp_path / "g.csv", gold)
    with pytest.raises(DataError) as error:
        records(tmp_path, format="csv", train=data, join={"file": other, "on": "id", "header": ["id", "gold"]})
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"join": {"file": "g"}}, "write {file: FILE, on: FIELD}"),
        ({"join": {"file": {"tset": "g"}, "on": "id"}}, "join: the source has no split 'tset'"),
        ({"join": {"file": "g", "on": "id", "heeder": []}}, "unknown key 'heeder'; did you mean 'header'"),
        ({"explode": 3}, "write the JMESPath of a list"),
        ({"where": [{"one_off": "x"}]}, "unknown adapter 'one_off'; did you mean 'one_of'"),
    ],
)
def test_bad_specifications_are_template_errors(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError) as error:
        build_source({"format": "csv", "train": "a", **more}, tmp_path, "t.yaml:4")
    assert message in str(error.value)


def test_stride_makes_one_record_of_several_lines(tmp_path: Path) -> None:
    files = {"q": write(tmp_path / "q", "one\ntwo\n"), "c": write(tmp_path / "c", "a\nb\nc\nd\n")}
    found = records(tmp_path, format="parallel", train=files, stride={"c": 2})
    assert [record.data for record in found] == [{"q": "one", "c": ["a", "b"]}, {"q": "two", "c": ["c", "d"]}]
    both = records(tmp_path, format="parallel", train={"c": files["c"]}, stride=2)
    assert [(record.where, record.data) for record in both] == [("c:1", {"c": ["a", "b"]}), ("c:3", {"c": ["c", "d"]})]


def test_a_stride_that_does_not_fit_is_told(tmp_path: Path) -> None:
    files = {"q": write(tmp_path / "q", "one\ntwo\n"), "c": write(tmp_path / "c", "a\nb\nc\n")}
    with pytest.raises(DataError, match=r"c:3: the last block has 1 lines, stride: says 2"):
        records(tmp_path, format="parallel", train=files, stride={"c": 2})
    with pytest.raises(DataError, match=r"q has 2 blocks of lines, c has 1 blocks of lines"):
        records(tmp_path, format="parallel", train=files, stride={"c": 3})
    with pytest.raises(TemplateError, match="stride: names 'd'"):
        records(tmp_path, format="parallel", train=files, stride={"d": 3})
    with pytest.raises(TemplateError, match="stride: is 0"):
        records(tmp_path, format="parallel", train=files, stride=0)


def test_aligned_files_may_have_constant_fields(tmp_path: Path) -> None:
    name = write(tmp_path / "a", "x\n")
    parts = [{"file": {"text": name}, "with": {"label": label}} for label in ("good", "bad")]
    found = records(tmp_path, format="parallel", train=parts)
    assert [record.data for record in found] == [{"text": "x", "label": "good"}, {"text": "x", "label": "bad"}]


def test_where_may_be_adapters(tmp_path: Path) -> None:
    name = write(tmp_path / "a.jsonl", '{"row": "1 a"}\n{"row": "20 b"}\n')
    keep = [{"split": "row"}, {"get": "to_number([0]) > `9`"}]
    assert [r.data for r in records(tmp_path, format="jsonl", train=name, where=keep)] == [{"row": "20 b"}]
    sets = write(tmp_path / "sets.json", '{"first": ["1 a"]}')
    keep = {"one_of": {"of": "row", "in": sets, "at": "first"}}
    assert [r.data for r in records(tmp_path, format="jsonl", train=name, where=keep)] == [{"row": "1 a"}]
    with pytest.raises(DataError, match="one_of: in: gives"):
        records(tmp_path, format="jsonl", train=name, where={"one_of": {"of": "row", "in": sets}})


MULTIWOZ = {"format": "json", "records": "values(@)", "test": "multiwoz21/test.json.zip!test.json", "explode": "log"}
CSQA = {
    "format": "parallel",
    "stride": {"question": 5, "options": 5},
    "test": {
        "question": "csqa/csqa.dev.questions",
        "options": "csqa/csqa.dev.choices",
        "gold": "csqa/csqa.dev.answers",
    },
}
SEMEVAL = {
    "format": "parallel",
    "stride": 4,
    "test": {"lines": "semeval2010_task8/TEST_FILE_FULL.TXT"},
    "where": [{"split": {"of": "lines[0]", "by": "\t"}}, {"get": "to_number([0]) > `8000`"}],
    "fields": {
        "found": [{"split": {"of": "lines[0]", "by": "\t"}}, {"get": "[1]"}, {"tagged": {"tags": ["e1", "e2"]}}],
        "label": "lines[1]",
    },
}
COMVE = {
    "format": "csv",
    "test": "comve_semeval2020t4/Test_Data/subtaskB_test_data.csv",
    "join": {
        "file": "comve_semeval2020t4/Test_Data/subtaskB_gold_answers.csv", "on": "id", "header": ["id", "gold"],
    },
}  # fmt: skip


@needs_data
@pytest.mark.parametrize(
    ("spec", "count"), [(MULTIWOZ | {"where": "metadata"}, 7372), (CSQA, 1221), (SEMEVAL, 2717), (COMVE, 1000)]
)
def test_real_data_have_the_published_counts(tmp_path: Path, spec: dict[str, Any], count: int) -> None:
    assert len(records(tmp_path, "test", **spec)) == count


@needs_data
def test_a_real_record_of_each(tmp_path: Path) -> None:
    turn = records(tmp_path, "test", **MULTIWOZ, where="metadata")[1].data
    assert (len(turn["before"]), turn["position"]) == (3, 3)
    question = records(tmp_path, "test", **CSQA)[1].data
    assert question["options"][int(question["gold"])] == "complete job"
    relation = records(tmp_path, "test", **SEMEVAL)[0].data
    assert relation["label"] == "Message-Topic(e1,e2)"
    assert relation["found"]["e2"] == Span("waste", 35, 40)
    assert relation["found"]["text"][35:40] == "waste"
    assert records(tmp_path, "test", **COMVE)[1].data["gold"] == "B"


def test_bad_records_are_set_aside_behind_explode_join_and_stride(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"k": 1, "items": ["x", "y"]}\n{"k": 2, "items": 3}\n{"k": 9, "items": ["z"]}\n')
    (tmp_path / "b.jsonl").write_text('{"k": 1, "more": "m"}\n{"k": 2, "more": "n"}\n')
    spec = {"format": "jsonl", "train": "a.jsonl", "join": {"file": "b.jsonl", "on": "k"}, "explode": "items"}
    bad = BadRecords("skip")
    found = [record.data["item"] for record in build_source(spec, tmp_path, "t.yaml:1").records("train", bad)]
    assert (found, bad.count) == (["x", "y"], 2)
    (tmp_path / "lines.txt").write_bytes(b"one\ntwo\nthree\n\xff\nfive\nsix\n")
    blocks = {"format": "parallel", "stride": 2, "train": {"lines": "lines.txt"}}
    bad = BadRecords("skip")
    found = [record.data["lines"] for record in build_source(blocks, tmp_path, "t.yaml:1").records("train", bad)]
    assert (found, bad.count) == ([["one", "two"], ["five", "six"]], 1)

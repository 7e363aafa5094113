"""Label sets from files and from the training data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from t2t.config.template import read_template
from t2t.errors import InputError
from t2t.tasks.sources import data_dir
from t2t.tasks.task import Task

TEMPLATE = """\
task: demo/ner
version: 1
source: {format: jsonl, train: train.jsonl, test: train.jsonl}
prompt: "find {type.labels}: {text}"
target:
  each: mentions
  as: "{text} = {type}"
  fields: {text: {span_of: text}, type: {label: {FROM}}}
metrics: [{span_f1: {over: mentions, span: text, type: type}}]
"""
SPAN = {"text": "Rome", "start": 7}
RECORDS = [
    {"text": "Ada in Rome", "schema": {"types": ["per_son", "place"]}, "mentions": [{"text": SPAN, "type": "place"}]},
    {"text": "Bob", "schema": {"types": ["per_son", "thing"]}, "mentions": [{"text": "Bob", "type": "per_son"}]},
]


def make(folder: Path, open_set: str, records: list[dict[str, object]] = RECORDS) -> Task:
    path = folder / "demo" / "ner.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(TEMPLATE.replace("FROM", open_set))
    (path.parent / "train.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (path.parent / "list.json").write_text(
        '{"ner": ["place", "per_son"], "words": {"per_son": "who", "place": "where"}}'
    )
    (path.parent / "list.txt").write_text("0 per_son\n1 place\n")
    return Task(read_template(path))


@pytest.mark.parametrize(
    ("open_set", "labels"),
    [
        ("from: train", "per_son, place"),
        ("from: train, words: spaces", "per son, place"),
        ("from: schema.types", "per_son, place, thing"),
        ("from: list.json, at: ner", "place, per_son"),
        ("from: list.json, at: words", "who, where"),
        ("from: list.txt, column: 1, words: spaces", "per son, place"),
    ],
)
def test_where_labels_come_from(tmp_path: Path, open_set: str, labels: str) -> None:
    task = make(tmp_path, open_set)
    first, _ = task.examples("train")
    rendered = task.render(first)
    assert rendered.prompt == f"find {labels}: Ada in Rome"
    assert task.parse(rendered.target, first).value == first.gold


@pytest.mark.parametrize(
    ("open_set", "message"),
    [
        ("from: lists.json", "no file 'lists.json'"),
        ("from: list.json", "label: 'ner' has the words"),
        ("from: 3", "ner.yaml:8: from: is a number; write a file, train, or an expression"),
        ("from: train, words: space", "ner.yaml:8: words: 'space' is unknown; did you mean 'spaces'?"),
        ("from: list.txt, column: 5", "list.txt: the line '0 per_son' has no column 5"),
        ("from: text.types", "ner.yaml:8: from: finds no label"),
        ("from: schema", "train.jsonl:1: from: ("),
        ("from: schema", "ner.yaml:8) finds a mapping where a label should be"),
        ("from: train, at: x", "at: is for a file .json, not for from: train; remove it"),
        ("from: list.json, column: 1", "column: is for a file .txt, not for from: list.json; remove it"),
        ('from: "mentions["', "is no JMESPath expression"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, open_set: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        make(tmp_path, open_set).compile()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_records_are_skipped_where_labels_are_read(tmp_path: Path) -> None:
    template = TEMPLATE.replace("prompt:", "on_bad: skip\nprompt:")
    path = tmp_path / "demo" / "ner.yaml"
    path.parent.mkdir()
    path.write_text(template.replace("FROM", "from: train"))
    broken = json.dumps(RECORDS[0] | {"mentions": [{"text": "Ada", "type": {}}]})
    lines = [json.dumps(RECORDS[0]), "broken", broken, '{"text": "x"}', json.dumps(RECORDS[1])]
    (path.parent / "train.jsonl").write_text("".join(line + "\n" for line in lines))
    task = Task(read_template(path))
    assert [example.where for example in task.examples("train")] == ["train.jsonl:1", "train.jsonl:5"]
    path.write_text(TEMPLATE.replace("FROM", "from: train"))
    with pytest.raises(InputError, match=r"train\.jsonl:2: no JSON"):
        Task(read_template(path)).compile()


def test_nothing_is_read_before_the_target_is_needed(tmp_path: Path) -> None:
    make(tmp_path, "from: no_such_file.json")


def test_the_fingerprint_follows_the_labels(tmp_path: Path) -> None:
    before = make(tmp_path, "from: list.json, at: ner")
    one = before.fingerprint
    after = make(tmp_path, "from: list.json, at: ner")
    (tmp_path / "demo" / "list.json").write_text('{"ner": ["place", "per_son", "thing"]}')
    assert after.fingerprint != one


@pytest.mark.skipif(not data_dir().is_dir(), reason=f"no data sets at {data_dir()}; set T2T_DATA")
@pytest.mark.parametrize(
    ("open_set", "source", "field", "count"),
    [
        ("{from: banking77/categories.json, words: spaces}", "csv, train: banking77/train.csv", "category", 77),
        ("{from: train}", "tsv, header: [p, x, y], train: csl_zh/cls_ctg/train.tsv", "y", 13),
        (
            "{from: chinese_nre/FinRE/relation2id.txt, column: 0}",
            "tsv, header: [h, t, r, x], train: chinese_nre/FinRE/valid.txt",
            "r",
            44,
        ),
    ],
)
def test_real_label_sets(tmp_path: Path, open_set: str, source: str, field: str, count: int) -> None:
    (tmp_path / "demo").mkdir()
    path = tmp_path / "demo" / "labels.yaml"
    path.write_text(
        f"task: demo/labels\nversion: 1\nsource: {{format: {source}}}\nprompt: 'which of {{{field}.labels}}'\n"
        f"target: {{label: {open_set}, gold: {field}}}\nmetrics: [accuracy]\n".replace(f"{{{field}.labels}}", "these")
    )
    task = Task(read_template(path))
    assert len(task.target.root.words()) == count
    for example in task.examples("train"):
        assert task.parse(task.target_text(example), example).value == example.gold

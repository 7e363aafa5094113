"""``t2t check``: what is wrong with a template's metrics and references shows before training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from t2t.authoring.check import check
from t2t.authoring.listing import list_tasks

TEMPLATE = """\
task: demo/ner
version: 1
source: {format: jsonl, train: train.jsonl}
prompt: "find: {text}"
target:
  each: mentions
  as: "{text} = {type}"
  fields: {text: {span_of: text}, type: {label: [person, place]}}
metrics: [{span_f1: {over: mentions, span: text, type: type}}]
"""
MENTIONS = [
    {"text": {"text": "Ada", "start": 0}, "type": "person"},
    {"text": {"text": "Rome", "start": 7}, "type": "place"},
]
RECORD = {"text": "Ada in Rome", "mentions": MENTIONS, "others": [[]]}


def write(folder: Path, template: str = TEMPLATE, **changed: object) -> str:
    path = folder / "task_templates" / "demo" / "ner.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(template)
    (path.parent / "train.jsonl").write_text(json.dumps(RECORD | changed) + "\n")
    return str(path)


def test_a_sound_template_has_neither_errors_nor_notes(tmp_path: Path) -> None:
    text, errors = check([write(tmp_path)])
    assert errors == 0
    assert "error" not in text
    assert "note" not in text


def test_a_wrong_offset_is_an_error_and_a_span_that_stands_nowhere_is_named(tmp_path: Path) -> None:
    text, errors = check([write(tmp_path, mentions=[{"text": {"text": "Rome", "start": 6}, "type": "place"}])])
    assert errors == 1
    assert "train.jsonl:1: gold of 'text' says that 'Rome' stands at 6 of 'text', where ' Rom' stands" in text
    text, errors = check([write(tmp_path, mentions=[{"text": "Oslo", "type": "place"}])])
    assert errors == 0
    assert "note: train: 1 spans do not stand in their source, 'Oslo' of train.jsonl:1 the first" in text
    text, _ = check([str(tmp_path / "task_templates" / "demo" / "ner.yaml")], as_json=True)
    (found,) = json.loads(text)["tasks"][0]["splits"]
    assert (found["not_in_source"], found["not_in_source_first"]) == (1, ["'Oslo' of train.jsonl:1"])


def test_labels_of_marked_copies_are_counted(tmp_path: Path) -> None:
    inline = TEMPLATE.replace("each: mentions", "inline: text\n  gold: mentions").replace(
        '"{text} = {type}"', '"[ {text} = {type} ]"'
    )
    text, errors = check([write(tmp_path, inline, mentions=MENTIONS[:1])])
    assert errors == 0
    assert "note: train: labels of type that never occur: place" in text


def test_without_a_record_nothing_is_said_of_labels(tmp_path: Path) -> None:
    (Path(write(tmp_path)).parent / "train.jsonl").unlink()
    text, errors = check([str(tmp_path / "task_templates" / "demo" / "ner.yaml")])
    assert errors == 1
    assert "never occur" not in text


def test_what_the_gold_itself_cannot_reach_is_said(tmp_path: Path) -> None:
    text, errors = check([write(tmp_path, mentions=[{"text": "Rome", "type": "place"}])])
    assert (errors, "the gold itself scores" in text) == (0, False)  # it is looked up as outputs are


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("span_f1", "span_f2", "ner.yaml:9: unknown metric 'span_f2'; did you mean 'span_f1'?"),
        ("span: text", "span: txt", "ner.yaml:9: the metric reads 'txt', but the gold value has text, type"),
        ("metrics:", "references: others2\nmetrics:", "record has no field 'others2'"),
        ("metrics:", "references: 'text[::0]'\nmetrics:", "references: 'text[::0]' is no list with an entry"),
        ("metrics:", "references: 'others[::0]'\nmetrics:", "slice step cannot be zero"),
        ("train: train.jsonl", "train: train.jsonl, splits: [a]", "source: splits: is ['a']; write {NAME: FILE}"),
    ],
)
def test_wrong_metrics_and_references_are_errors(tmp_path: Path, old: str, new: str, words: str) -> None:
    text, errors = check([write(tmp_path, TEMPLATE.replace(old, new))])
    assert errors == 1
    assert words in text


def test_the_ceiling_of_a_metric_is_told(tmp_path: Path) -> None:
    text, errors = check([write(tmp_path, TEMPLATE.replace("metrics:", "references: others\nmetrics:"))])
    assert errors == 0
    assert "note: train: the gold itself scores 0 by span_f1, of 1" in text


def test_one_broken_file_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Path(write(tmp_path))
    broken = sound.with_name("broken.yaml")
    monkeypatch.chdir(tmp_path)
    for content in (b"a: \x01", b"\xff", b"version: " + b"9" * 5000, TEMPLATE.replace("[{span", "[{}, {span").encode()):
        broken.write_bytes(content)
        assert "demo/ner " in list_tasks()
        assert "demo/broken: " in list_tasks()
        text, errors = check([str(broken), "demo/ner"])
        assert errors == 1
        assert "demo/ner version 1" in text


def test_a_template_works_from_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(write(tmp_path)).parent)
    assert check(["ner.yaml"])[1] == 0

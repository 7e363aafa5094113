"""Tasks as a model folder keeps them: they ask, constrain and read as the templates do, and need no gold."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from t2t.config.run import Lengths
from t2t.config.shipped_files import TEMPLATES, template_files
from t2t.errors import DataError, InputError
from t2t.linear.node_kinds import NODES
from t2t.linear.nodes.label import Label
from t2t.tasks.kept import FILE, KeptTasks, keep, target_tokens, usual_length
from t2t.tasks.record import RawRecord
from t2t.tasks.sources import data_dir
from t2t.tasks.task import Task, load_task, named_tasks


def kept(folder: Path, *tasks: Task) -> KeptTasks:
    (folder / FILE).write_text(keep(tasks, Lengths(prompt=256, target=64), "0.1.0"), encoding="utf-8")
    return KeptTasks(folder)


def local(name: str) -> bool:
    text = template_files(TEMPLATES)[name].read_text(encoding="utf-8")
    return "format: hub" not in text and "token_task:" not in text


NAMES = [name for name in sorted(template_files(TEMPLATES)) if local(name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_task_is_the_task(name: str, tmp_path: Path) -> None:
    if not name.startswith("atlas/") and not data_dir().is_dir():
        pytest.skip(f"no data sets at {data_dir()}; set T2T_DATA")
    for variant in named_tasks(name)[:1]:
        task = load_task(variant)
        answerer = kept(tmp_path, task).get(None)
        split = "test" if "test" in task.splits() else task.splits()[0]
        for raw in islice(task.source.records(split), 3):
            example = task.example(raw)
            found = answerer.example(raw)
            if task.template.few_shot is None:
                assert answerer.task.prompt(found) == task.prompt(example)
            target = task.target_text(example)
            assert answerer.task.parse(target, found) == task.parse(target, example)
            if task.constrainable:
                assert answerer.task.grammar(found) == task.grammar(example)


def make(folder: Path, template: str, *records: dict[str, Any]) -> Task:
    place = folder / "demo"
    place.mkdir()
    (place / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records))
    (place / "task.yaml").write_text(
        "task: demo/task\nversion: 1\nsource: {format: jsonl, train: train.jsonl}\n"
        f"{template}metrics: [exact_match]\n"
    )
    return load_task(str(place / "task.yaml"))


NER = """\
fields: {text: {join: tokens}, names: {bio: {tokens: tokens, tags: tags}}}
prompt: "find {type.labels} in: {text}"
target: {each: names, as: "{text} = {type}", fields: {text: {span_of: text}, type: {label: {from: train}}}}
"""


def test_records_without_gold_in_the_form_of_the_training_data_or_plain(tmp_path: Path) -> None:
    task = make(tmp_path, NER, {"tokens": ["Ada", "met", "Bo"], "tags": ["B-per", "O", "B-dog"]})
    content = keep([task], Lengths(prompt=64, target=32), "0.1.0")
    (tmp_path / "demo" / "train.jsonl").unlink()  # nothing of it is read again
    (tmp_path / FILE).write_text(content)
    answerer = KeptTasks(tmp_path).get("demo/task")
    assert (answerer.needed, answerer.text_field) == (("text",), "text")
    for data in ({"tokens": ["Bo", "ran"]}, {"text": "Bo ran"}, {"text": "Bo ran", "tags": [1, 2]}):
        example = answerer.example(RawRecord("a:1", "1", data))
        assert answerer.task.prompt(example) == "find dog, per in: Bo ran"
        assert answerer.task.parse("Bo = dog", example).value[0]["text"].start == 0
    with pytest.raises(
        DataError, match=r"a:1: the record has no 'text' \(it has txt\), which demo/task reads; .* --field text=FIELD"
    ):
        answerer.example(RawRecord("a:1", "1", {"txt": "Bo"}))


class Tag(Label):
    """A label by the name that a package of others gives it."""

    keys = frozenset({"tag"})
    key = "tag"


@pytest.mark.parametrize("key", ["label", "tag"])
def test_labels_that_are_numbers_and_switches_come_back(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NODES._items, "tag", Tag)
    template = f'prompt: "{{text}}"\ntarget: {{{key}: {{0: no, 1: yes}}, gold: label}}\n'
    answerer = kept(tmp_path, make(tmp_path, template, {"text": "x", "label": 1})).get(None)
    example = answerer.example(RawRecord("a:1", "1", {"text": "x"}))
    found = answerer.task.parse("yes", example).value
    assert (found, type(found)) == (1, int)


def test_a_file_that_does_not_say_where_its_label_sets_stand_is_read(tmp_path: Path) -> None:
    task = make(tmp_path, 'prompt: "{text}"\ntarget: {label: {0: no}, gold: label}\n', {"text": "x", "label": 0})
    content = json.loads(keep([task], Lengths(prompt=64, target=32), "0.1.0"))
    assert content["tasks"][0].pop("sets") == ["label", "labels"]
    (tmp_path / FILE).write_text(json.dumps(content))
    answerer = KeptTasks(tmp_path).get(None)
    assert answerer.task.parse("no", answerer.example(RawRecord("a:1", "1", {"text": "x"}))).value == 0


def test_solved_examples_are_kept(tmp_path: Path) -> None:
    template = 'prompt: "mood of {text}:"\nfew_shot: 2\ntarget: {label: [glad, sad], gold: label}\n'
    records = [{"text": f"day {n}", "label": ["glad", "sad"][n % 2]} for n in range(6)]
    answerer = kept(tmp_path, make(tmp_path, template, *records)).get(None)
    prompt = answerer.task.prompt(answerer.example(RawRecord("a:1", "1", {"text": "day 2"})))
    assert prompt.endswith("; mood of day 2: =>")
    solved = prompt.split(" ; ")[:-1]
    known = {f"mood of {row['text']}: => {row['label']}" for row in records if row["text"] != "day 2"}
    assert len(solved) == 2
    assert set(solved) <= known


def test_a_task_that_needs_several_fields_takes_no_line_of_text(tmp_path: Path) -> None:
    template = 'prompt: "{question} {context}"\nshorten: {field: context, keep: start}\n'
    template += "target: {span_of: context, gold: answer}\n"
    task = make(tmp_path, template, {"question": "who?", "context": "Ada", "answer": "Ada"})
    answerer = kept(tmp_path, task).get(None)
    assert (answerer.needed, answerer.text_field) == (("question", "context"), None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no JSON"),
        ('{"form": 99}', "it is of form 99, not 1"),
        ('{"form": 1}', "it holds no tasks"),
        ('{"form": 1, "lengths": {"prompt": 1, "target": 1}, "tasks": [{"task": "a/b"}]}', "cannot be read"),
        ('{"form": 1, "lengths": {"prompt": 1, "target": 1}, "tasks": 3}', "it holds no tasks"),
        ('{"form": 1, "lengths": {}, "target_tokens": {"a/b": 0}, "tasks": []}', "a target has a token at least"),
        ('{"form": 1, "lengths": {}, "target_tokens": [3], "tasks": []}', "it holds no tasks"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(InputError, match=message):
        KeptTasks(tmp_path).get(None)


def test_how_long_targets_are(tmp_path: Path) -> None:
    assert target_tokens(tmp_path) == {}
    assert kept(tmp_path, load_task("atlas/ner_en")).target_tokens == {}
    content = keep([load_task("atlas/ner_en")], Lengths(), "0", {"atlas/ner_en": 31, "other/task": 7})
    (tmp_path / FILE).write_text(content)
    assert target_tokens(tmp_path) == {"atlas/ner_en": 31}
    older = json.loads(content)
    del older["target_tokens"]
    (tmp_path / FILE).write_text(json.dumps(older))
    assert KeptTasks(tmp_path).target_tokens == {}
    assert usual_length([5]) == 5
    assert usual_length([7, *[3] * 998, 90]) == 7  # 99.9%: of a thousand all but one
    assert usual_length([7, *[3] * 997, 90]) == 90


def test_a_folder_without_tasks_and_tasks_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the model does not keep its tasks"):
        KeptTasks(tmp_path)
    found = kept(tmp_path, load_task("atlas/ner_en"), load_task("atlas/ner_zh"))
    with pytest.raises(InputError, match="several tasks; name one: atlas/ner_en, atlas/ner_zh"):
        found.get(None)
    with pytest.raises(InputError, match=r"no task 'atlas/ner_e'; did you mean 'atlas/ner_en'"):
        found.get("atlas/ner_e")


def test_the_folder_of_a_stranger_names_no_files_and_runs_no_code(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text('{"a": "secret"}')
    fields = "fields: {text: {lookup: {of: key, in: ../secret.json}}}\n"
    task = make(tmp_path, f'{fields}prompt: "{{text}}"\ntarget: {{text: text}}\n', {"key": "a"})
    answerer = kept(tmp_path, task).get(None)
    with pytest.raises(DataError, match="no 'text'"):
        answerer.example(RawRecord("a:1", "1", {"key": "a"}))
    content = json.loads((tmp_path / FILE).read_text())
    content["tasks"][0]["target"] = {"python": "os:system", "gold": "text"}
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(InputError):
        KeptTasks(tmp_path).get(None)

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from t2t.config.shipped_files import read_heads, template_files
from t2t.config.template import read_template
from t2t.errors import DataError, RunFileError
from t2t.linear.parsed import Parsed
from t2t.metrics.metric import build_metrics, stacked, value
from t2t.structures import Span
from t2t.tasks.task import Task, load_task, named_tasks

TEMPLATE = """\
task: demo/ner
version: 1
source: {format: jsonl, train: train.jsonl}
prompts: [{text: "find: {text} [{kinds}]", weight: 3}, {text: "names in {{}}: {text} [{kinds}]"}]
lists: {kinds: {each: kinds, as: "{n}: {kind}", fields: {n: letter, kind: "@"}, between: " / ", empty: nothing}}
shorten: {field: text, keep: end}
target:
  each: mentions
  as: "{text} = {type}"
  fields: {text: {span_of: text}, type: {label: [person, place]}}
references: others
metrics: [{span_f1: {over: mentions, span: text, type: type}}]
"""
RECORD = {
    "text": "Ada {met} Bob ; in Rome",
    "mentions": [{"text": {"text": "Rome", "start": 19}, "type": "place"}],
    "kinds": ["person", "place"],
    "others": [[], [{"text": "Bob", "type": "person"}]],
}


def make(folder: Path, *records: dict[str, object], template: str = TEMPLATE) -> Task:
    path = folder / "demo" / "ner.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(template)
    (path.parent / "train.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return Task(read_template(path))


def test_forward_and_back(tmp_path: Path) -> None:
    task = make(tmp_path, RECORD)
    (example,) = task.examples("train")
    rendered = task.render(example)
    assert rendered.prompt == "find: Ada {met} Bob ; in Rome [A: person / B: place]"
    assert rendered.target == "Rome = place"
    assert task.parse(rendered.target, example) == Parsed([{"text": Span("Rome", 19, 23), "type": "place"}])
    assert task.references(example) == [[], [{"text": Span("Bob", 10, 13), "type": "person"}]]


def test_wordings_are_drawn_by_weight_as_a_function_of_seed_epoch_and_id(tmp_path: Path) -> None:
    task = make(tmp_path, RECORD)
    (example,) = task.examples("train")
    drawn = [task.prompt(example, seed=1, epoch=epoch) for epoch in range(400)]
    assert drawn == [task.prompt(example, seed=1, epoch=epoch) for epoch in range(400)]
    share = sum(prompt.startswith("find:") for prompt in drawn) / len(drawn)
    assert 0.68 < share < 0.82
    assert {prompt[:12] for prompt in drawn} == {"find: Ada {m", "names in {}:"}


def test_only_the_shorten_field_is_cut(tmp_path: Path) -> None:
    task = make(tmp_path, RECORD)
    (example,) = task.examples("train")
    assert task.shorten_length(example) == len(RECORD["text"])
    assert task.prompt(example, keep=4) == "find: Rome [A: person / B: place]"
    assert task.prompt(example, keep=0) == "find:  [A: person / B: place]"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mentions": [{"text": "Rome"}]}, "record has no field 'type'"),
        ({"mentions": [{"text": "Rome", "type": "plac"}]}, "no label of the closed set; did you mean 'place'?"),
        ({"mentions": None}, "gold of 'mentions' is null; add absent: WORD"),
        ({"mentions": "Rome"}, "each wants a list"),
    ],
)
def test_a_bad_record_is_named_by_its_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    task = make(tmp_path, RECORD, {**RECORD, **change})
    with pytest.raises(DataError) as error:
        list(task.examples("train"))
    assert message in str(error.value)
    assert "train.jsonl:2" in str(error.value)


def test_a_field_that_the_prompt_needs_is_missed_with_its_line(tmp_path: Path) -> None:
    task = make(tmp_path, {**RECORD, "kinds": "x"})
    (example,) = task.examples("train")
    with pytest.raises(DataError, match=r"train.jsonl:1: 'kinds' is a text; lists: wants a list"):
        task.prompt(example)


def test_what_evaluation_asked_is_known_again(tmp_path: Path) -> None:
    task = make(tmp_path, RECORD)
    (example,) = task.examples("train")
    assert task.asks(task.prompt(example), example)
    assert task.asks(task.prompt(example, keep=5), example)  # as many characters as fitted
    assert all(task.asks(task.prompt(example, keep=keep), example) for keep in range(len(example.fields["text"])))
    for other in ("", "!", task.prompt(example) + "!", task.prompt(example)[:-1], task.prompt(example, keep=5)[1:]):
        assert not task.asks(other, example)
    assert not task.asks(task.prompt(example, keep=5).replace("Rome", "Oslo"), example)
    twice = make(tmp_path, RECORD, template=TEMPLATE.replace("find: {text}", "find: {text} in {text}"))
    assert all(twice.asks(twice.prompt(example, keep=keep), example) for keep in range(len(example.fields["text"])))
    assert not twice.asks(twice.prompt(example, keep=5)[:-1], example)
    plain = make(tmp_path, RECORD, template=TEMPLATE.replace("shorten: {field: text, keep: end}\n", ""))
    assert plain.asks(plain.prompt(example), example)
    assert not plain.asks(plain.prompt(example)[:-1], example)
    second = next(epoch for epoch in range(99) if plain.wording(1, epoch, example.id))
    assert not plain.asks(plain.prompt(example, seed=1, epoch=second), example)
    window = TEMPLATE.replace("shorten: {field: text, keep: end}", "window: {field: text, characters: 16, stride: 8}")
    wide = make(tmp_path, RECORD, template=window)
    (example,) = wide.examples("train")
    first, *others = wide.windows(example)
    assert wide.asks(wide.prompt(first), example)
    assert not wide.asks(wide.prompt(others[0]), example)
    shots = make(tmp_path, RECORD, RECORD | {"text": "Rome is in Rome now"}, template=TEMPLATE + "few_shot: 1\n")
    assert shots.asks("whatever was drawn", next(iter(shots.examples("train"))))


def test_the_fingerprint_follows_template_and_data(tmp_path: Path) -> None:
    prints = {
        make(tmp_path / "a", RECORD).fingerprint,
        make(tmp_path / "b", RECORD, RECORD).fingerprint,
        make(tmp_path / "c", RECORD, template=TEMPLATE.replace("find:", "seek:")).fingerprint,
    }
    assert len(prints) == 3
    assert make(tmp_path / "d", RECORD).fingerprint in prints


def test_the_fingerprint_follows_the_files_that_adapters_read(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()

    def fingerprint() -> str:
        (folder / "t.jsonl").write_text('{"x": "a", "keep": "y"}\n')
        template = {
            "task": "demo/lookup",
            "version": 1,
            "source": {"format": "jsonl", "train": "t.jsonl", "where": {"one_of": {"of": "keep", "in": "keep.json"}}},
            "fields": {"x": "x", "said": ["@", {"map": {"s": {"lookup": {"of": "x", "in": "words.json"}}}}]},
            "prompt": "say: {x}",
            "target": {"text": "said"},
            "metrics": ["exact_match"],
        }
        (folder / "lookup.yaml").write_text(yaml.safe_dump(template, sort_keys=False))
        return Task(read_template(folder / "lookup.yaml")).fingerprint

    (folder / "words.json").write_text('{"a": "alpha"}')
    (folder / "keep.json").write_text('["y"]')
    first = fingerprint()
    assert fingerprint() == first
    (folder / "words.json").write_text('{"a": "omega 0"}')
    second = fingerprint()
    assert second != first
    (folder / "keep.json").write_text('["y", "z"]')
    assert fingerprint() not in (first, second)


def test_an_unknown_task_is_refused_with_a_hint() -> None:
    with pytest.raises(RunFileError, match="did you mean 'atlas/topic_en'"):
        load_task("atlas/topic_en_")


@pytest.mark.parametrize("name", [task for name in sorted(template_files()) for task in named_tasks(name)])
def test_every_template_of_the_library_compiles(name: str) -> None:
    assert load_task(name).name == name


def test_only_a_text_can_be_shortened(tmp_path: Path) -> None:
    task = make(tmp_path, RECORD)
    (example,) = task.examples("train")
    with pytest.raises(DataError, match="field 'text' under shorten: is a number; only a text can be cut"):
        task.shorten_length(replace(example, fields={**example.fields, "text": 3}))


def test_an_unverified_revision_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "hub" / "x.yaml"
    path.parent.mkdir()
    source = "{format: hub, path: owner/set, revision: unverified, train: train}"
    path.write_text(
        f"task: hub/x\nversion: 1\nsource: {source}\nprompt: '{{text}}'\ntarget: {{text: text}}\nmetrics: [chrf]\n"
    )
    task = load_task(str(path))
    assert task.template.unverified
    assert task.splits() == ["train"]
    assert read_heads(path)[0]["description"].endswith("[revision unverified]")


def test_any_of_several_values_of_a_slot_is_right(tmp_path: Path) -> None:
    template = """\
task: demo/ner
version: 1
source: {format: jsonl, train: train.jsonl}
fields:
  text: text
  states: {alternatives: {of: state, in: value}}
  state: [{alternatives: {of: state, in: value}}, "[0]"]
prompts: [{text: "state: {text}"}]
target:
  each: state
  as: "{slot} = {value}"
  fields: {slot: {label: [area, price]}, value: {text: value}}
references: states
metrics: [{joint_accuracy: {over: state}}, {item_f1: {over: state}}]
"""
    record = {
        "text": "in the middle, cheap",
        "state": [{"slot": "area", "value": ["centre", "middle"]}, {"slot": "price", "value": "cheap"}],
    }
    task = make(tmp_path, record, template=template)
    (example,) = task.examples("train")
    assert task.render(example).target == "area = centre ; price = cheap"
    for text, right in (("price = cheap ; area = middle", 1.0), ("area = north ; price = cheap", 0.0)):
        for metric, score in zip(
            build_metrics(task.metrics, task.metrics_where, "en"), (right, right or 0.5), strict=True
        ):
            stats = metric.segment(task.references(example), task.parse(text, example))
            assert value(metric, stacked([stats])) == pytest.approx(score)

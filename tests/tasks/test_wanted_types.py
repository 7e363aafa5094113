"""Schema-conditioned extraction: types sampled in training, all in evaluation, a user's own at run time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from t2t.config.template import read_template
from t2t.errors import InputError
from t2t.linear.parsed import Parsed
from t2t.structures import Span
from t2t.tasks.task import Task

TEMPLATE = """\
task: demo/ner
version: 1
source: {format: jsonl, train: train.jsonl}
prompt: "find {type.labels} in: {text}"
types: sampled
target:
  each: mentions
  as: "{text} = {type}"
  fields: {text: {span_of: text}, type: {label: {per: person, loc: location, org: company, food: food}}}
metrics: [{span_f1: {over: "", span: text, type: type}}]
"""
RECORD = {
    "text": "Ada in Rome",
    "mentions": [
        {"text": {"text": "Ada", "start": 0}, "type": "per"},
        {"text": {"text": "Rome", "start": 7}, "type": "loc"},
    ],
}


def make(folder: Path, template: str = TEMPLATE) -> Task:
    path = folder / "demo" / "ner.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(template)
    (path.parent / "train.jsonl").write_text(json.dumps(RECORD) + "\n")
    return Task(read_template(path))


def test_evaluation_asks_for_all_types(tmp_path: Path) -> None:
    task = make(tmp_path)
    (example,) = task.examples("train")
    rendered = task.render(example)
    assert rendered.prompt == "find person, location, company, food in: Ada in Rome"
    assert rendered.target == "Ada = person ; Rome = location"


def test_training_draws_types_and_the_target_holds_those_only(tmp_path: Path) -> None:
    task = make(tmp_path)
    (example,) = task.examples("train")
    said = {"person": "Ada = person", "location": "Rome = location"}
    counts = dict.fromkeys(["person", "location", "company", "food", "none"], 0)
    for epoch in range(400):
        prompt = task.prompt(example, seed=3, epoch=epoch)
        wanted = prompt.removeprefix("find ").removesuffix(" in: Ada in Rome").split(", ")
        expected = [said[word] for word in wanted if word in said]
        assert task.target_text(example, seed=3, epoch=epoch) == (" ; ".join(expected) or "none")
        assert prompt == make(tmp_path).prompt(example, seed=3, epoch=epoch)
        for word in [*wanted, *([] if expected else ["none"])]:
            counts[word] += 1
    assert 290 < counts["person"] < 350
    assert 160 < counts["company"] < 240
    assert 2 < counts["none"] < 40
    assert task.prompts_vary


def test_chances_and_node_are_the_templates(tmp_path: Path) -> None:
    head, tail = TEMPLATE.split("target:\n")[0], TEMPLATE[TEMPLATE.index("metrics:") :]
    target = """\
target:
  as: "{found}"
  fields:
    found:
      each: mentions
      as: "{text} = {type}"
      fields: {text: {span_of: text}, type: {label: {per: person, loc: location, org: company}}}
"""
    task = make(
        tmp_path, head.replace("types: sampled", "types: {node: found.type, keep: 1, negatives: 0.001}") + target + tail
    )
    (example,) = task.examples("train")
    assert task.target_text(example, epoch=1) == "Ada = person ; Rome = location"
    assert task.prompt(example, epoch=1).startswith("find person, location in")


def test_a_user_asks_for_types_of_their_own(tmp_path: Path) -> None:
    task = make(tmp_path).with_types(["drug", "Location"])
    (example,) = task.examples("train")
    assert task.render(example).prompt == "find drug, Location in: Ada in Rome"
    assert example.gold == [{"text": Span("Rome", 7, 11), "type": "loc"}]
    assert task.parse("Ada = drug ; Rome = Location", example) == Parsed(
        [{"text": Span("Ada", 0, 3), "type": "drug"}, {"text": Span("Rome", 7, 11), "type": "loc"}]
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("types: sampled", "types: all", "types: 'all' is not 'sampled' or a mapping"),
        ("types: sampled", "types: {keep: 0}", "keep: 0 is not greater than 0"),
        ("types: sampled", "types: {kep: 1}", "unknown key 'kep'; did you mean 'keep'?"),
        ("types: sampled", "types: {node: typ}", "types: finds no label node 'typ' of a list; did you mean 'type'?"),
        ("{type.labels}", "all", "types: are sampled, but the prompt does not list them; write {type.labels} into it"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        make(tmp_path, TEMPLATE.replace(old, new))
    assert message in str(error.value)


def test_own_types_want_a_template_that_samples_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--types: demo/ner does not sample types; add types: sampled"):
        make(tmp_path, TEMPLATE.replace("types: sampled\n", "")).with_types(["drug"])
    with pytest.raises(InputError, match="names no type"):
        make(tmp_path).with_types([" "])
    with pytest.raises(InputError, match="holds '='"):
        make(tmp_path).with_types(["a = b"])

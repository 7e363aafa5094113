"""Where the fields of a record are in its prompt, however it was asked."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from t2t.config.template import read_template
from t2t.structures import Example
from t2t.tasks.task import Task, load_task

BASE: dict[str, Any] = {
    "task": "demo/mood",
    "version": 1,
    "source": {"format": "tsv", "header": ["mood", "text", "topic"], "train": "train.tsv"},
    "prompt": "mood of {topic}: {text} ?",
    "target": {"label": ["glad", "sad"], "gold": "mood"},
    "metrics": ["accuracy"],
}
ROWS = "glad\tsun and sun\tsun\nsad\train, 下雨了\tsun\nglad\tjoy\tsun\n"


def make(folder: Path, **more: Any) -> Task:
    path = folder / "demo" / "mood.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({**BASE, **more}, sort_keys=False))
    (path.parent / "train.tsv").write_text(ROWS)
    return Task(read_template(path))


@pytest.mark.parametrize("keep", ["start", "end"])
@pytest.mark.parametrize("more", [{}, {"few_shot": 1}])
def test_a_shortened_field_says_what_is_left_out(tmp_path: Path, keep: str, more: dict[str, Any]) -> None:
    task = make(tmp_path, shorten={"field": "text", "keep": keep}, **more)
    for example in task.examples("train"):
        text = example.fields["text"]
        for kept in range(len(text) + 1):
            prompt = task.prompt(example, keep=kept)
            topic, place = task.places(example, prompt)
            assert (topic.field, prompt[topic.start : topic.end], topic.left_out) == ("topic", "sun", 0)
            assert place.field == "text"
            assert prompt[place.start : place.end] == text[place.left_out :][:kept]
            assert place.end - place.start == kept
            assert place.left_out == (len(text) - kept if keep == "end" else 0)


def shown(task: Task, example: Example) -> dict[str, str]:
    prompt = task.prompt(example)
    return {one.field: prompt[one.start : one.end] for one in task.places(example, prompt)}


def test_lists_have_places_and_the_types_that_are_asked_for_have_none() -> None:
    choice = load_task("atlas/choice_en")
    (example,) = islice(choice.examples("test"), 1)
    texts = shown(choice, example)
    assert " / ".join(example.fields["options"]) in texts.values()
    wanted = load_task("ner/wnut17_wanted")
    assert wanted.types is not None
    assert shown(wanted, Example("1", {"text": "Ada in Oslo"}, [], "here")) == {"text": "Ada in Oslo"}


def test_windows_say_where_they_begin(tmp_path: Path) -> None:
    target = {"each": "mentions", "as": "{text}", "fields": {"text": {"span_of": "text"}}}
    window = {"field": "text", "characters": 20, "stride": 10}
    task = make(tmp_path, target=target, metrics=["exact_match"], window=window)
    long = Example("1", {"text": "one two three four five six seven", "topic": "t"}, [], "here")
    starts = task.window_starts(long)
    assert len(starts) > 1
    for start, part in zip(starts, task.windows(long), strict=True):
        assert long.fields["text"][start:].startswith(part.fields["text"])
    assert load_task("atlas/ner_en").window_starts(long) == [0]

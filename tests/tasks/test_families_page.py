"""docs/families.md: every example there renders as printed, parses back, and is scored as right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from t2t.config.shipped_files import TEMPLATES
from t2t.config.template import read_template
from t2t.evaluation.evaluate import task_metrics
from t2t.linear.parsed import Parsed
from t2t.metrics import health_metrics
from t2t.tasks.task import Task

PAGE = (Path(__file__).parents[2] / "docs" / "families.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(
    r"^## (\S+)\n.*?^```yaml\n(.*?)^```\n.*?^```json\n(.*?)^```\n.*?^```text\n(.*?)^```", re.MULTILINE | re.DOTALL
)
EXAMPLES = EXAMPLE.findall(PAGE)


def test_every_family_has_an_example() -> None:
    folders = {path.name for path in TEMPLATES.iterdir()} - {"atlas", "e2e_nlg", "snips", "squad", "tatoeba", "wnut17"}
    assert {name for name, *_ in EXAMPLES} == folders
    assert len(EXAMPLES) == PAGE.count("\n## ")


@pytest.mark.parametrize(("name", "template", "record", "printed"), EXAMPLES, ids=[name for name, *_ in EXAMPLES])
def test_an_example(tmp_path: Path, name: str, template: str, record: str, printed: str) -> None:
    path = tmp_path / name / "example.yaml"
    path.parent.mkdir()
    head = f"task: {name}/example\nversion: 1\nsource: {{format: jsonl, train: data.jsonl}}\n"
    path.write_text(head + template, encoding="utf-8")
    (path.parent / "data.jsonl").write_text(record, encoding="utf-8")
    task = Task(read_template(path))
    [example] = task.examples("train")
    rendered = task.render(example)
    assert f"{rendered.prompt}\n{rendered.target}\n" == printed
    parsed = task.parse(rendered.target, example)
    assert parsed.ok
    health = {metric.name for metric in health_metrics()}
    for metric in (metric for metric in task_metrics(task) if metric.name not in health):
        right, wrong = (metric.segment(task.references(example), value) for value in (parsed, Parsed(None)))
        assert list(right) != list(wrong), metric.name

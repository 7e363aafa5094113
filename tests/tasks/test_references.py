"""References are as the record has them: never rounded, folded or reordered; what no output can say is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t2t.authoring.check import check
from t2t.evaluation.evaluate import fed_back
from t2t.metrics import build_metrics
from t2t.metrics.ceiling import Ceiling
from t2t.structures import Span
from t2t.tasks.task import Task, load_task

# Fifteen scores of STS-B's training file, as it writes them.
SCORES = [5.0, 3.8, 3.8, 2.6, 4.25, 4.25, 0.5, 1.6, 2.2, 5.0, 4.2, 4.6, 3.867, 4.667, 1.667]


def make(folder: Path, target: str, metrics: str, *records: dict[str, Any], more: str = "", **splits: Any) -> Task:
    place = folder / "demo"
    place.mkdir(exist_ok=True)
    for split, rows in {"train": records, **splits}.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (place / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    files = ", ".join(f"{split}: {split}.jsonl" for split in ("train", *splits))
    (place / "task.yaml").write_text(
        f"task: demo/task\nversion: 1\nsource: {{format: jsonl, {files}}}\n{more}"
        f'prompt: "about {{text}}"\ntarget: {target}\nmetrics: [{metrics}]\n',
        encoding="utf-8",
    )
    return load_task(str(place / "task.yaml"))


def ceilings(task: Task, split: str = "train") -> dict[str, float]:
    ceiling = Ceiling(build_metrics(task.metrics, "metrics", task.language))
    for example in task.examples(split):
        ceiling.add(task.references(example), fed_back(task, example))
    return dict(ceiling.values())


def test_a_number_is_compared_as_it_is_not_as_it_is_rounded(tmp_path: Path) -> None:
    rows = [{"text": f"pair {n}", "score": score} for n, score in enumerate(SCORES)]
    task = make(tmp_path, "{number: 0, gold: score}", "pearson, {mae: {worst: 5}}", *rows)
    gold, rounded = np.array(SCORES), np.array([round(score) for score in SCORES])  # half to even, as the node rounds
    found = ceilings(task)
    assert found["pearson"] == pytest.approx(np.corrcoef(gold, rounded)[0, 1], abs=1e-9)
    assert found["mae"] == pytest.approx(np.abs(gold - rounded).mean(), abs=1e-9)
    assert 0.9 < found["pearson"] < 1
    text, _ = check([str(tmp_path / "demo" / "task.yaml")])
    assert f"the gold itself scores {found['pearson']:.4g} by pearson, of 1" in text


def test_a_list_that_is_written_in_another_order_is_compared_in_its_own(tmp_path: Path) -> None:
    target = "{each: names, as: '{n}', fields: {n: {span_of: text, gold: '@'}}, order: source}"
    row = {"text": "Ada met Bo", "names": ["Bo", "Ada"]}
    rows = {"text": "Ada met Bo", "names": [{"text": "Bo", "start": 8}, {"text": "Ada", "start": 0}]}
    task = make(tmp_path, target, "exact_match, {accuracy: {ordered: false}}", rows, row)
    first, _ = task.examples("train")
    assert task.target_text(first) == "Ada ; Bo"
    assert task.references(first) == [[Span("Bo", 8, 10), Span("Ada", 0, 3)]]
    assert ceilings(task) == {"exact_match": 0.5, "accuracy": 1.0}


@pytest.mark.parametrize(
    ("gold", "start"),
    [("Zo\u00eb", None), ("ZO\u00cb", None), ("ZO\u00cb", 4), ("\uff3a\uff4f\u00eb", None), (" zo\u00eb ", None)],
)
def test_gold_is_looked_up_as_outputs_are(tmp_path: Path, gold: str, start: int | None) -> None:
    target = "{each: names, as: '{name}', fields: {name: {span_of: text}}}"
    row = {"text": "met Zo\u00eb once", "names": [{"name": {"text": gold, "start": start}}]}
    task = make(
        tmp_path, target, "{span_f1: {over: names, span: name}}, {span_f1_string: {over: names, span: name}}", row
    )
    (example,) = task.examples("train")
    assert task.references(example) == [[{"name": Span("Zo\u00eb", 4, 7)}]]
    assert ceilings(task) == {"span_f1": 1.0, "span_f1_string": 1.0}


def test_a_label_that_training_never_saw_stays_in_the_score(tmp_path: Path) -> None:
    train = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(4)]
    test = [
        {"text": "x", "label": "a"},
        {"text": "y", "label": "new"},
        {"text": "z", "label": "b"},
        {"text": "w", "label": "a"},
    ]
    for more in ("", "on_bad: skip\n"):
        task = make(tmp_path, "{label: {from: train}, gold: label}", "accuracy", *train, more=more, test=test)
        examples = list(task.examples("test"))
        assert [task.is_unreachable(one) for one in examples] == [False, True, False, False]
        assert task.references(examples[1]) == ["new"]
        assert ceilings(task, "test") == {"accuracy": 0.75}
        text, errors = check([str(tmp_path / "demo" / "task.yaml")])
        assert errors == 0
        assert "1 examples have a gold that training never saw, so that no output can say it" in text


def test_of_a_list_what_can_be_said_is_written(tmp_path: Path) -> None:
    def row(*kinds: str) -> dict[str, Any]:
        return {"text": "Ada Bo", "names": [{"name": n, "type": k} for n, k in zip(("Ada", "Bo"), kinds, strict=True)]}

    target = "{each: names, as: '{name} = {type}', fields: {name: {span_of: text}, type: {label: {from: train}}}}"
    metrics = "{span_f1: {over: names, span: name, type: type}}"
    task = make(tmp_path, target, metrics, row("x", "y"), test=[row("x", "z"), row("z", "z")])
    first, second = task.examples("test")
    assert task.target_text(first) == "Ada = x"
    assert (task.is_unreachable(first), task.is_unreachable(second)) == (False, True)
    assert ceilings(task, "test")["span_f1"] == pytest.approx(2 / 5)  # one of four golds found, nothing wrong


@pytest.mark.parametrize(
    ("labels", "raw", "value"),
    [
        ("{1: one, 2: two}", "1", 1), ("{1: one, 2: two}", 1.0, 1), ('{"1": one, "2": two}', 1, "1"),
        ("{true: yes, false: no}", "true", True), ("{true: yes, false: no}", True, True),
    ],
)  # fmt: skip
def test_one_equality_of_booleans_numbers_and_texts(tmp_path: Path, labels: str, raw: Any, value: Any) -> None:
    task = make(tmp_path, f"{{label: {labels}, gold: label}}", "accuracy", {"text": "x", "label": raw})
    (example,) = task.examples("train")
    assert example.gold == value
    assert type(example.gold) is type(value)
    assert ceilings(task) == {"accuracy": 1.0}


def test_true_is_no_number_and_labels_that_are_one_are_refused(tmp_path: Path) -> None:
    from t2t.errors import DataError, TemplateError

    with pytest.raises(DataError, match="is True, which is no label"):
        list(
            make(tmp_path, "{label: {0: no, 1: yes}, gold: label}", "accuracy", {"text": "x", "label": True}).examples(
                "train"
            )
        )
    with pytest.raises(TemplateError, match="labels '1' and 1 are one"):
        make(tmp_path, '{label: {1: one, "1": eins}, gold: label}', "accuracy", {"text": "x", "label": 1})

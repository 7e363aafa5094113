"""Predictions to scores: pairing by id, rows, worst examples, the table."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakSet

import pytest

from t2t import __version__
from t2t.errors import DataError, RunDirectoryError, TemplateError
from t2t.evaluation.evaluate import evaluate, score_table
from t2t.evaluation.pairs import judge
from t2t.evaluation.worst import WORST
from t2t.linear.parsed import Issue, Parsed
from t2t.runs.run_files import read_lines
from t2t.structures import Example, Json, Value


class Colours:
    """A task of one label; what is no colour cannot be parsed."""

    name, version, language = "toy/colour", 3, "en"
    metrics: tuple[Json, ...] = ("accuracy", "chrf")
    metrics_where = "colour.yaml:9"
    golds = ("red", "green", "blue", "red")

    def splits(self) -> list[str]:
        return ["test", "patterns"]

    def examples(self, split: str) -> Iterator[Example]:
        return (Example(f"{split}{i}", {}, gold) for i, gold in enumerate(self.golds))

    def parse(self, text: str, example: Example) -> Parsed:
        known = text in ("red", "green", "blue")
        return Parsed(text) if known else Parsed(None, (Issue("unknown_label", "", text),))

    def references(self, example: Example) -> list[Value]:
        return [example.gold]

    def target_text(self, example: Example) -> str:
        return str(example.gold)

    def is_unreachable(self, example: Example) -> bool:
        return False

    def asks(self, prompt: str, example: Example) -> bool:
        return prompt == f"p {example.id}"


def predict(run: Path, texts: dict[str, str], name: str = "colour", issues: tuple[str, ...] = ()) -> None:
    path = run / "predictions" / "toy" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"id": key, "task": "toy/colour", "prompt": f"p {key}", "text": text, "value": None, "score": None,
              "issues": [{"kind": kind, "path": "", "text": ""} for kind in issues]}
             for key, text in texts.items()]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


GOOD = {"test3": "red", "test0": "red", "test1": "blue", "test2": "mauve"}


def test_predictions_for_other_prompts_are_refused(tmp_path: Path) -> None:
    predict(tmp_path, GOOD)
    path = tmp_path / "predictions" / "toy" / "colour.jsonl"
    path.write_text(path.read_text().replace('"p test2"', '"p test02"'))
    with pytest.raises(DataError, match="the prompt of example 'test2' is not the one that the task has now; data or"):
        evaluate(tmp_path, [Colours()], ["test"])
    assert not (tmp_path / "scores.json").exists()
    path.write_text(path.read_text().replace('"prompt": "p test02", ', ""))  # a line of somebody else's
    assert evaluate(tmp_path, [Colours()], ["test"])[0].value == 0.5


def test_scores_are_paired_by_id_and_written(tmp_path: Path) -> None:
    predict(tmp_path, GOOD)
    rows = evaluate(tmp_path, [Colours()], ["test"])
    assert [(row.metric, row.n) for row in rows] == [(m, 4) for m in ("accuracy", "chrf", "unparseable", "ungrounded")]
    assert rows[0].value == 0.5
    assert rows[0].low < 0.5 < rows[0].high
    assert rows[0].signature == f"accuracy|toy/colour@3|greedy|t2t:{__version__}"
    assert rows[1].signature.startswith(f"chrf|toy/colour@3|greedy|t2t:{__version__}|nrefs:1|")
    assert rows[2].value == 0.25
    written = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert set(written[0]) >= {"task", "split", "metric", "value", "low", "high", "n", "signature"}
    assert [row["value"] for row in written] == [row.value for row in rows]
    assert not list(tmp_path.glob("*.part"))


def test_worst_examples_keep_their_order_and_hold_no_right_ones(tmp_path: Path) -> None:
    predict(tmp_path, GOOD)
    evaluate(tmp_path, [Colours()], ["test"])
    worst = json.loads((tmp_path / "worst.json").read_text(encoding="utf-8"))["toy/colour"]
    assert [(entry["id"], entry["gold"], entry["text"]) for entry in worst] == [
        ("test1", "green", "blue"), ("test2", "blue", "mauve"),
    ]  # fmt: skip
    assert worst[1]["issues"] == [{"kind": "unknown_label", "path": "", "text": "mauve"}]
    assert worst[0] | {"prompt": "p test1", "metric": "accuracy", "value": 0.0} == worst[0]


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ({"test0": "red", "test1": "green", "test2": "blue"}, "no prediction for example 'test3'"),
        (GOOD | {"test9": "red"}, r"ids that are no examples, 'test9' among them \(1 in all\)"),
    ],
)
def test_every_example_wants_one_prediction(tmp_path: Path, texts: dict[str, str], found: str) -> None:
    predict(tmp_path, texts)
    with pytest.raises(DataError, match=found):
        evaluate(tmp_path, [Colours()], ["test"])
    assert not (tmp_path / "scores.json").exists()


def test_doubled_ids_and_broken_lines_are_named(tmp_path: Path) -> None:
    predict(tmp_path, GOOD)
    path = tmp_path / "predictions/toy/colour.jsonl"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole + whole.splitlines()[1] + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"colour\.jsonl:5: id 'test0' stands there twice"):
        evaluate(tmp_path, [Colours()], ["test"])
    path.write_text(whole + '{"id": ', encoding="utf-8")
    with pytest.raises(DataError, match=r"colour\.jsonl:5: no JSON"):
        evaluate(tmp_path, [Colours()], ["test"])


def test_missing_predictions_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="run `t2t generate` first"):
        evaluate(tmp_path, [Colours()], ["test"])
    with pytest.raises(RunDirectoryError, match="no task has a split of"):
        evaluate(tmp_path, [Colours()], ["valid"])


def test_a_limit_and_other_splits(tmp_path: Path) -> None:
    predict(tmp_path, {"test0": "red", "test1": "green"})
    predict(tmp_path, {"patterns0": "red", "patterns1": "red"}, "colour@patterns")
    rows = evaluate(tmp_path, [Colours()], ["test", "patterns", "valid"], limit=2)
    assert [row.value for row in rows if row.metric == "accuracy"] == [1.0, 0.5]
    assert set(json.loads((tmp_path / "worst.json").read_text())) == {"toy/colour", "toy/colour@patterns"}


@pytest.mark.parametrize("metrics", [("accuracy", "chrf"), ("mcc", "accuracy"), ("macro_f1", "bleu", "distinct_n")])
def test_the_parts_in_which_examples_are_read_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metrics: tuple[str, ...]
) -> None:
    task = Colours()
    task.metrics = metrics
    task.golds = ("red", "green", "blue") * 9
    predict(tmp_path, {f"test{i}": ("red", "mauve", "green", "blue")[i * i % 4] for i in range(27)})
    evaluate(tmp_path, [task], ["test"])
    whole = [(tmp_path / name).read_bytes() for name in ("scores.json", "worst.json")]
    for size in (1, 2, 26):
        monkeypatch.setattr("t2t.evaluation.evaluate._AT_ONCE", size)
        evaluate(tmp_path, [task], ["test"])
        assert [(tmp_path / name).read_bytes() for name in ("scores.json", "worst.json")] == whole


def test_examples_are_let_go_once_they_are_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fields(dict[str, Json]):
        """What can be watched while it lives."""

        __hash__ = object.__hash__

    alive: WeakSet[Fields] = WeakSet()

    class Watched(Colours):
        golds = ("red", "green") * 100

        def examples(self, split: str) -> Iterator[Example]:
            for example in super().examples(split):
                fields = Fields()
                alive.add(fields)
                yield Example(example.id, fields, example.gold)
                del fields
                assert len(alive) <= 5 + 5 + WORST + 1  # a part, the one before, the worst so far, and this one

    monkeypatch.setattr("t2t.evaluation.evaluate._AT_ONCE", 5)
    predict(tmp_path, {f"test{i}": "red" for i in range(200)})
    assert evaluate(tmp_path, [Watched()], ["test"])[0].value == 0.5


def test_an_output_that_was_cut_is_unparseable(tmp_path: Path) -> None:
    predict(tmp_path, {f"test{i}": "red" for i in range(4)}, issues=("cut",))
    rows = evaluate(tmp_path, [Colours()], ["test"])
    assert {row.metric: row.value for row in rows}["unparseable"] == 1.0


def test_the_table_is_aligned(tmp_path: Path) -> None:
    predict(tmp_path, GOOD)
    lines = score_table(evaluate(tmp_path, [Colours()], ["test"])).splitlines()
    assert lines[0].split() == ["task", "metric", "value", "95%", "interval", "n", "unparseable"]
    assert lines[2].split()[:3] == ["toy/colour", "accuracy", "0.5000"]
    assert lines[2].endswith("25.0%")
    assert lines[3].split()[0] == "chrf"
    assert len(lines) == 4
    assert lines[2].index("0.5000") + 6 == lines[0].index("value") + 5


def test_a_ceiling_below_the_best_is_a_column(tmp_path: Path) -> None:
    predict(tmp_path, GOOD)
    assert "ceiling" not in score_table(evaluate(tmp_path, [Colours()], ["test"]))
    task = Colours()
    task.metrics = ("mcc", "bleu", "accuracy")
    rows = evaluate(tmp_path, [task], ["test"])
    assert {row.metric: row.ceiling for row in rows} | {"bleu": 0.0, "accuracy": 1.0} == {
        row.metric: row.ceiling for row in rows
    }
    lines = score_table(rows).splitlines()
    assert lines[0].split()[5] == "ceiling"
    assert lines[3].split()[-1] == "0.00"
    worst = json.loads((tmp_path / "worst.json").read_text(encoding="utf-8"))["toy/colour"]
    assert worst[0]["metric"] == "accuracy"  # which tells examples apart; a correlation does not


def test_the_score_of_a_line_reaches_its_metric(tmp_path: Path) -> None:
    predict(tmp_path, GOOD)
    path = tmp_path / "predictions/toy/colour.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"score": null', '"score": -2.0'), encoding="utf-8")
    task = Colours()
    task.metrics = ("perplexity",)
    (row, *_) = evaluate(tmp_path, [task], ["test"])
    assert row.value == pytest.approx(7.389, abs=1e-3)
    path.write_text(path.read_text(encoding="utf-8").replace("-2.0", "NaN"), encoding="utf-8")
    with pytest.raises(DataError, match="no prediction line"):
        evaluate(tmp_path, [task], ["test"])


@pytest.mark.parametrize(
    "part",
    [
        '"score": 1' + "0" * 400,
        '"prompt": 5',
        '"windows": null',
        '"windows": [5]',
        '"windows": [{"id": "0", "text": "red"}]',
        '"windows": [{"id": "0", "text": 5, "score": 1}]',
        '"value": "\\ud800"',
    ],
)
def test_a_line_that_was_changed_by_hand_is_named(tmp_path: Path, part: str) -> None:
    predict(tmp_path, GOOD)
    path = tmp_path / "predictions/toy/colour.jsonl"
    first, rest = path.read_text(encoding="utf-8").split("\n", 1)
    path.write_text(f"{first[:-1]}, {part}}}\n{rest}", encoding="utf-8")
    with pytest.raises(DataError, match=r"colour\.jsonl:1: no "):
        evaluate(tmp_path, [Colours()], ["test"])


def test_evaluating_imports_no_torch() -> None:
    code = "import sys, t2t.evaluation.evaluate, t2t.report; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": 3, "text": "red"}',
        b'{"id": "test0", "text": null}',
        b'{"id": "test0", "text": "red", "issues": [{}]}',
        b'{"id": "test0", "text": "red", "issues": {"kind": "cut"}}',
        b'{"id": "test0", "text": "\xff"}',
        b'{"id": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
)
def test_a_damaged_line_of_predictions_is_named(tmp_path: Path, line: bytes) -> None:
    predict(tmp_path, GOOD)
    path = tmp_path / "predictions" / "toy" / "colour.jsonl"
    path.write_bytes(line + b"\n" + path.read_bytes())
    with pytest.raises(DataError, match=r"colour\.jsonl:1: no .*; generate the predictions again"):
        evaluate(tmp_path, [Colours()], ["test"])


def test_a_wrong_metric_is_told_with_its_line(tmp_path: Path) -> None:
    task = Colours()
    task.metrics = ("accuracee",)
    with pytest.raises(TemplateError, match=r"^colour\.yaml:9: unknown metric 'accuracee'"):
        evaluate(tmp_path, [task], ["test"])


def test_lines_in_the_order_of_the_examples_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Line(dict[str, Json]):
        """A line that can be counted."""

    alive: WeakSet[Line] = WeakSet()
    Line.__hash__ = object.__hash__  # type: ignore[method-assign,assignment]

    def tracked(path: Path) -> Iterator[tuple[str, Json]]:
        for where, data in read_lines(path):
            line = Line(data)
            alive.add(line)
            yield where, line
            del line

    monkeypatch.setattr("t2t.evaluation.pairs.read_lines", tracked)
    task = Colours()
    task.golds = ("red",) * 500  # type: ignore[assignment]
    predict(tmp_path, {f"test{number}": "red" for number in range(500)})
    most = 0
    for _ in judge(tmp_path, task, "test"):
        most = max(most, len(alive))
    assert most <= 3
    assert evaluate(tmp_path, [task], ["test"])[0].n == 500


def test_splits_stand_side_by_side_with_what_was_decoded_again(tmp_path: Path) -> None:
    class Two(Colours):
        def splits(self) -> list[str]:
            return ["test", "new"]

    predict(tmp_path, GOOD)
    first = tmp_path / "predictions/toy/colour.jsonl"
    text = first.read_text(encoding="utf-8").replace("test", "new")
    (tmp_path / "predictions/toy/colour@new.jsonl").write_text(
        text.replace('"score"', '"constrained": true, "score"', 1), encoding="utf-8"
    )
    rows = evaluate(tmp_path, [Two()], ["test", "new"])
    assert {(row.split, row.again) for row in rows} == {("test", 0.0), ("new", 0.25)}
    lines = score_table(rows).splitlines()
    titles = "task metric test 95% interval n unparseable new 95% interval n unparseable again"
    assert lines[0].split() == titles.split()
    assert lines[2].split()[:3] == ["toy/colour", "accuracy", "0.5000"]
    assert lines[2].endswith("25.0%")
    assert len(lines) == 4

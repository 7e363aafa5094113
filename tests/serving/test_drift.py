"""Drift: new records against what a model keeps of its training data, in English and Chinese."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

import t2t
from t2t.cli import main
from t2t.config.run import Lengths
from t2t.config.template import read_template
from t2t.data.cache import encode_split
from t2t.data.encode import Encoder
from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import train_tokenizer
from t2t.serving.model_calibration import histogram
from t2t.serving.trained_data import Prompts, TrainedData, read_trained_data, trained_data
from t2t.tasks.kept import FILE, keep
from t2t.tasks.task import Task

TEMPLATE = """\
task: demo/{name}
version: 1
source: {{format: jsonl, train: {name}.jsonl}}
prompt: "{ask}{{text}}"
target: {{label: {{up: {up}, down: {down}, never: {never}}}, gold: way}}
metrics: [accuracy]
"""
NAMES = {
    "en": {"ask": "way of: ", "up": "it rises", "down": "it falls", "never": "it stays"},
    "zh": {"ask": "方向：", "up": "上升", "down": "下降", "never": "不变"},
}
WORDS = {"en": ["the price ", "of oil ", "rose ", "fell ", "today "], "zh": ["油价", "今天", "上涨", "下跌", "了"]}


def records(name: str, count: int, words: int = 6, more: str = "") -> list[dict[str, str]]:
    said = WORDS[name]
    return [
        {
            "text": "".join(said[(row * 7 + place) % 5] for place in range(words + row % 3)) + more,
            "way": ("up", "down")[row % 2],
        }
        for row in range(count)
    ]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights, whose vocabulary has no bytes to fall back to."""
    folder = tmp_path_factory.mktemp("drift") / "demo"
    folder.mkdir()
    tasks = []
    for name, words in NAMES.items():
        (folder / f"{name}.yaml").write_text(TEMPLATE.format(name=name, **words))
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records(name, 120)))
        tasks.append(Task(read_template(folder / f"{name}.yaml")))
    texts = [part for task in tasks for one in task.examples("train") for part in (task.prompt(one), "it stays 不变")]
    tokenizer = train_tokenizer(
        [*texts, *(task.target_text(one) for task in tasks for one in task.examples("train"))], 700
    )
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    backend["model"]["byte_fallback"] = False
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(backend))
    torch.manual_seed(1)
    shape = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    build_from_scratch(shape, len(tokenizer)).save(tokenizer, folder / "model", 8)
    lengths, kept = Lengths(prompt=64, target=8), {}
    (folder / "model" / FILE).write_text(keep(tasks, lengths, "0.1.0"), encoding="utf-8")
    for task in tasks:
        encoder = Encoder(tokenizer, lengths.prompt, lengths.target)
        kept[task.name] = trained_data(task, encode_split(encoder, task, "train"), None, encoder).to_json()
    (folder / "model" / "trained_data.json").write_text(json.dumps({"tasks": kept}))
    loaded = t2t.load(folder / "model")
    sure = {
        f"demo/{name}": histogram(one.confidence for one in loaded(f"demo/{name}", records(name, 120)))
        for name in NAMES
    }
    write_calibration(folder / "model", sure)
    return folder / "model"


def write_calibration(folder: Path, sure: Mapping[str, Sequence[int]]) -> None:
    tasks = {name: {"temperature": 1.0, "confidences": list(counts)} for name, counts in sure.items()}
    (folder / "calibration.json").write_text(json.dumps({"temperature": 1.0, "tasks": tasks}))


@pytest.fixture
def found(model: Path, tmp_path: Path) -> Any:
    def compare(name: str, rows: Sequence[Mapping[str, str]], *more: str) -> tuple[int, dict[str, Any]]:
        (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        given = ["--task", f"demo/{name}", "--input", str(tmp_path / "new.jsonl"), "--json", str(tmp_path / "out.json")]
        code = main(["drift", "--model", str(model), *given, *more])
        return code, json.loads((tmp_path / "out.json").read_text())

    return compare


def check(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    (one,) = [one for one in told["checks"] if one["name"] == name]
    return dict(one)


@pytest.mark.parametrize("name", ["en", "zh"])
def test_records_like_those_of_training_need_no_update(
    found: Any, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = found(name, records(name, 120), "--fail-on-drift")
    assert (code, told["update_due"]) == (0, False)
    assert [one["name"] for one in told["checks"]] == [
        "unsayable characters",
        "unseen labels",
        "prompt tokens",
        "confidence",
    ]
    assert [one["distance"] for one in told["checks"]] == [0, 0, 0, 0]
    assert check(told, "prompt tokens")["training"] == check(told, "prompt tokens")["new"] > 3
    assert capsys.readouterr().out.endswith("no update is due: 120 records are like the 120 examples of training\n")


@pytest.mark.parametrize(("name", "stranger"), [("en", "é"), ("zh", "龘")])
def test_characters_that_the_vocabulary_cannot_say(found: Any, name: str, stranger: str) -> None:
    code, told = found(name, records(name, 60, more=stranger * 4))
    assert (code, told["update_due"]) == (0, True)
    assert told["unsayable_characters"] == {stranger: 240}
    characters = sum(len(NAMES[name]["ask"]) + len(one["text"]) for one in records(name, 60, more=stranger * 4))
    assert check(told, "unsayable characters")["new"] == pytest.approx(240 / characters)
    assert f"cannot say {240 / characters:.1%} of the characters ('{stranger}')" in told["verdict"]


def test_labels_that_training_never_had(found: Any) -> None:
    rows = records("zh", 60)
    rows[0]["way"], rows[1]["way"] = "never", "sideways"  # in the set and not in the data; in neither
    code, told = found("zh", rows, "--fail-on-drift")
    assert code == 3
    assert told["unseen_labels"] == {"never": 1, "sideways": 1}
    assert check(told, "unseen labels")["new"] == pytest.approx(2 / 60)
    assert told["verdict"] == "an update is due: 3.3% of the labels are new ('never', 'sideways')"


def test_without_gold_labels_are_not_compared(found: Any) -> None:
    _, told = found("en", [{"text": one["text"]} for one in records("en", 60)])
    assert told["not_compared"] == ["labels: the records have no gold of labels"]
    assert not told["update_due"]


def test_longer_prompts_and_few_of_them(found: Any) -> None:
    _, told = found("en", records("en", 100, words=18))
    assert check(told, "prompt tokens")["distance"] == pytest.approx(1)
    assert "prompts are of other lengths (mean 65, in training" in told["verdict"]  # none fits into 64
    assert told["not_compared"] == ["confidence: no record could be answered"]
    _, told = found("en", records("en", 100, words=8))
    assert 0.2 < check(told, "prompt tokens")["distance"] <= 1
    _, told = found("en", records("en", 3, words=6))
    assert check(told, "prompt tokens")["bound"] == pytest.approx(1.6276 * (123 / 360) ** 0.5, abs=1e-3)


def test_a_model_that_has_become_less_sure(found: Any, model: Path) -> None:
    before = (model / "calibration.json").read_text()
    write_calibration(model, {"demo/en": [*[0] * 19, 30]})
    _, told = found("en", records("en", 60))
    (model / "calibration.json").unlink()
    _, uncalibrated = found("en", records("en", 60))
    (model / "calibration.json").write_text(before)
    assert check(told, "confidence")["distance"] == pytest.approx(1)
    assert check(told, "confidence")["training"] == pytest.approx(0.975)
    assert "the model is less sure" in told["verdict"]
    assert uncalibrated["not_compared"] == ["confidence: the model was not calibrated (validate: in its run file)"]


def test_what_was_trained_on_stage_after_stage_is_added_up(model: Path) -> None:
    one = TrainedData(3, Prompts({4: 2, 5: 1}, 40, {"é": 1}), {"hot": 2})
    two = TrainedData(2, Prompts({5: 2}, 10, {}), {"hot": 1, "cold": 1})
    both = TrainedData(5, Prompts({4: 2, 5: 3}, 50, {"é": 1}), {"hot": 3, "cold": 1})
    assert one + two == both
    kept = read_trained_data(model)
    assert kept["demo/en"].labels == {"it rises": 60, "it falls": 60}
    assert (kept["demo/en"].examples, sum(kept["demo/en"].prompts.tokens.values())) == (120, 120)


@pytest.mark.parametrize(
    ("file", "more", "said"),
    [
        ('{"tasks": {}}', [], "does not keep what demo/en was trained on"),
        ('{"tasks": {"demo/en": {"examples": 1}}}', [], "it does not say what the model was trained on"),
        (None, ["--task", "demo/fr"], "no task 'demo/fr'"),
        (None, ["--task", "demo/en", "--input", "none.jsonl"], "none.jsonl"),
        (None, ["--input", "empty.jsonl"], "it holds no record"),
        (None, ["--json", "."], "is a folder"),
    ],
)
def test_mistakes_are_one_sentence(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    file: str | None, more: list[str], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "new.jsonl").write_text('{"text": "the price of oil rose"}\n')
    before = (model / "trained_data.json").read_text()
    if file is not None:
        (model / "trained_data.json").write_text(file)
    code = main(["drift", "--model", str(model), "--task", "demo/en", "--input", "new.jsonl", *more])
    (model / "trained_data.json").write_text(before)
    told = capsys.readouterr().err
    assert code == 2
    assert said in told
    assert told.count("\n") == 1

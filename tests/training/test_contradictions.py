"""What does not go together is one sentence with its place, before any process that trains is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from t2t.cli import main
from t2t.engine import forwarding
from t2t.training.folder import end_lines
from tests.training.test_validation import RUN, make


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("patience: 3", "patience: 0", 12, "patience: 0 is not greater than 0; correct it"),
        ("validate: {every: 20 steps, examples: 30}\n", "", 11, "early_stopping goes by validations, of which there"),
        ("examples: 30}", "examples: 30, metrics: [acuracy]}", 11, "a metric 'acuracy'; did you mean 'accuracy'?"),
        ("early_stopping:", "best: {metric: f2}\nearly_stopping:", 12, "best.metric: 'f2' is nothing that validation"),
        ("20 steps", "0 steps", 11, "validate.every: '0 steps' is no time to validate"),
        ("checkpoint:", "freeze: {parts: [encoder]}\npeft: {method: lora}\ncheckpoint:", 10, "nothing to freeze"),
        ("checkpoint:", "peft: {method: lora, target: [q]}\ncheckpoint:", 10, "did you mean 'targets'?"),
    ],
)
def test_it_is_refused_before_anything_starts(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    line: int,
    words: str,
) -> None:
    assert old in RUN
    monkeypatch.chdir(make(tmp_path, RUN.replace(old, new)))

    def started(*_: object) -> int:
        raise AssertionError("a process was started")

    monkeypatch.setattr(forwarding, "run_and_forward", started)
    assert main(["train", "run.yaml"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.startswith(f"t2t: run.yaml:{line}: ")
    assert said.count("\n") == 1
    assert not Path("runs").exists()


def test_a_run_ends_with_its_model_its_best_and_what_comes_next(tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps({"steps": 9}))
    after = f"next: t2t generate --config {tmp_path / 'run.yaml'}"
    assert list(end_lines(tmp_path)) == [f"the model is in {tmp_path / 'model'}", after]
    facts.write_text(json.dumps({"best": "mean 0.5000", "best_step": 4}))
    assert list(end_lines(tmp_path)) == [
        f"the model is in {tmp_path / 'model'}, best mean 0.5000 at step 4", after
    ]  # fmt: skip

"""What a run would do, told without doing it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from t2t.cli import main
from t2t.training.dry_run import bytes_of, share_of
from tests.training.test_validation import RUN, make


def said(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *more: str) -> str:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    assert main(["train", "run.yaml", "--dry-run", *more]) == 0
    return capsys.readouterr().out


def test_it_says_what_training_would_do_and_trains_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path)
    found = said(folder, capsys, monkeypatch, "--set", "peft={method: lora, r: 2}")
    assert re.search(r"^demo/colour +200 examples +100\.0%$", found, re.MULTILINE)
    assert re.search(r"^300 updates; an update has \d+ examples and [\d,]+ tokens, \d+% of its positions are padding$",
                     found, re.MULTILINE)  # fmt: skip
    # One block a stack, three attentions, q and v each 32 to 32: 3 x 2 x 2 x 64.
    assert re.search(r"^[\d,]+ parameters, 768 trained; at ZeRO stage 2 a process holds", found, re.MULTILINE)
    assert found.count("  prompt  ") == found.count("  target  ") == 3
    assert not (folder / "runs" / "toy").exists()


def test_epochs_become_updates_and_a_warm_up_without_end_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path, RUN.replace("schedule: {steps: 300, warmup: 10}", "schedule: {epochs: 2, warmup: 500}"))
    found = said(folder, capsys, monkeypatch)
    assert "2 epochs are" in found
    assert "the warm-up of 500 updates is as long as the run: the full rate is never reached" in found


def test_what_training_would_refuse_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path, RUN + "best: {metric: nothing}\n")
    monkeypatch.chdir(folder)
    assert main(["train", "run.yaml", "--dry-run"]) == 2
    assert "best.metric: 'nothing' is nothing that validation measures here" in capsys.readouterr().err


def test_memory_is_what_zero_leaves_on_a_process() -> None:
    fp32, bf16 = share_of("fp32", "adamw"), share_of("bf16", "adamw")
    assert bytes_of(100, 100, 0, 4, fp32) == 1600
    assert bytes_of(100, 100, 1, 4, fp32) == 400 + 400 + 200
    assert bytes_of(100, 100, 2, 4, fp32) == 400 + 100 + 200
    assert bytes_of(100, 100, 3, 4, fp32) == 400
    assert bytes_of(100, 100, 0, 1, bf16) == 1600
    assert bytes_of(100, 10, 0, 1, fp32) == 400 + 40 + 80
    assert bytes_of(100, 100, 0, 1, share_of("fp32", "sgd")) == 1200


def test_a_limit_that_sees_one_class_of_a_sorted_file_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path)
    train = folder / "task_templates" / "demo" / "train.jsonl"
    train.write_text(
        "".join(sorted(train.read_text().splitlines(keepends=True), key=lambda row: row.split("colour")[1]))
    )
    words = "its first 20 examples have one target: raise limit, or shuffle its file"
    assert words in said(folder, capsys, monkeypatch, "--set", "tasks.0.limit=20")
    assert "one target" not in said(folder, capsys, monkeypatch, "--set", "tasks.0.limit=180")

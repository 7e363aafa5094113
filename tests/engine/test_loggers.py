"""Loggers beside metrics.csv: what their own libraries read back, through a run that goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from t2t.engine.loggers import LOGGERS, check_loggers, open_loggers
from t2t.errors import RunFileError


def where(key: str) -> str:
    return f"run.yaml:{key}"


def test_tensorboard_reads_each_step_once_after_a_resume(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (first,) = open_loggers(["csv", "tensorboard"], tmp_path, 0)
    for step in (10, 20, 30, 40):
        first.write(step, {"loss": 1.0 / step, "valid/mean": 0.5})
    first.close()
    (second,) = open_loggers(["tensorboard", "tensorboard"], tmp_path, 20)  # from the checkpoint at 20
    for step in (30, 40, 50):
        second.write(step, {"loss": 2.0 / step})
    second.close()
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert [(one.step, round(one.value, 4)) for one in read.Scalars("loss")] == [
        (10, 0.1), (20, 0.05), (30, 0.0667), (40, 0.05), (50, 0.04)
    ]  # fmt: skip
    assert [one.step for one in read.Scalars("valid/mean")][:2] == [10, 20]


def test_wandb_offline_tells_no_step_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    (first,) = open_loggers(["wandb"], tmp_path, 0)
    told: list[dict[str, float]] = []
    original = type(first.run).log

    def log(self: object, data: dict[str, float]) -> None:
        told.append(data)
        original(self, data)

    monkeypatch.setattr(type(first.run), "log", log)
    first.write(10, {"loss": 1.0})
    first.write(10, {"valid/mean": 0.5})
    first.write(20, {"loss": 0.9})
    first.close()
    kept = json.loads((tmp_path / "wandb.json").read_text())
    assert kept["told"] == 20
    (second,) = open_loggers(["wandb"], tmp_path, 10)
    second.write(20, {"loss": 0.9})
    second.write(30, {"loss": 0.8})
    second.close()
    assert [(one["step"], len(one)) for one in told] == [(10, 2), (10, 2), (20, 2), (30, 2)]
    assert json.loads((tmp_path / "wandb.json").read_text())["id"] == kept["id"]


def test_what_is_not_there_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    check_loggers(["csv"], where)
    with pytest.raises(RunFileError, match=r"log\.to: unknown logger 'tensorbord'; did you mean 'tensorboard'"):
        check_loggers(["tensorbord"], where)
    LOGGERS.get("wandb", "")
    monkeypatch.setattr("t2t.engine.loggers.find_spec", lambda _: None)
    with pytest.raises(RunFileError, match=r"wandb needs the package wandb, .*pip install \"t2t\[wandb\]\""):
        check_loggers(["csv", "wandb"], where)

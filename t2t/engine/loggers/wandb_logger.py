"""Weights & Biases: one run of theirs for one of ours, online or offline as WANDB_MODE says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from t2t.engine.loggers import LOGGERS
from t2t.whole_files import write_text

_KEPT = "wandb.json"


@LOGGERS.register("wandb")
class WandbLogger:
    """The id of their run and the last step that was told are in wandb.json: a run that goes on goes on there too,
    and tells no step twice."""

    module = "wandb"

    def __init__(self, folder: Path, start: int) -> None:
        import wandb

        self.file = folder / _KEPT
        kept = json.loads(self.file.read_text(encoding="utf-8")) if start and self.file.is_file() else {}
        self.last_step = int(kept.get("told", -1))
        self.run = wandb.init(
            project="t2t", name=folder.name, dir=str(folder), id=kept.get("id"), resume="allow", reinit="create_new"
        )
        self.run.define_metric("*", step_metric="step")
        self.now: set[str] = set(kept.get("names", ()))  # of what was told of the step ``told``

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        if step < self.last_step or (step == self.last_step and not numbers.keys() - self.now):
            return
        self.now = (self.now if step == self.last_step else set()) | numbers.keys()
        self.last_step = step
        self.run.log({"step": step, **numbers})
        write_text(self.file, json.dumps({"id": self.run.id, "told": self.last_step, "names": sorted(self.now)}))

    def close(self) -> None:
        self.run.finish()

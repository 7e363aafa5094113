"""TensorBoard's event files, by torch's own writer, in the folder ``tensorboard/`` of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from t2t.engine.loggers import LOGGERS


@LOGGERS.register("tensorboard")
class TensorBoardLogger:
    """A run that goes on from a checkpoint tells TensorBoard to forget what it had said of later steps."""

    module = "tensorboard"

    def __init__(self, folder: Path, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1 if start else None)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        self.writer.close()

"""The log of training: metrics.csv, a row every so many steps, and the progress."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from t2t.engine import distributed
from t2t.engine.checkpoint import Position
from t2t.engine.loggers import Logger
from t2t.engine.progress import Progress
from t2t.engine.watching import Quiet, Seen
from t2t.structures import Json
from t2t.whole_files import whole_file

COLUMNS = ("step", "epoch", "loss", "learning_rate", "tokens", "tokens_per_second", "elapsed", "grad_norm")


class Log(Quiet):
    """metrics.csv and the progress of the first rank; the others add what they saw.

    ``every``: steps between rows. ``rate``: of the optimiser, which the schedule scales. ``length``: steps of the run;
    ``minutes``: it also ends by the clock.
    ``loggers``: have the same rows, on the first rank.
    """

    name = "log"
    quick = True

    def __init__(
        self,
        path: Path,
        every: int,
        rate: float,
        length: int,
        device: torch.device,
        loggers: Sequence[Logger] = (),
        minutes: float | None = None,
    ) -> None:
        self.path, self.device, self.every = path, device, every
        self.first = distributed.rank() == 0
        self.rate, self.length, self.minutes, self.loggers = rate, length, minutes, loggers
        self.summed = torch.zeros(3, dtype=torch.float64)  # nats, target tokens, all tokens
        self.last = time.monotonic()

    def begin(self, start: Position, state: Json) -> None:
        self.last = time.monotonic()
        if self.first and state is not None:
            self.summed = torch.tensor(state["summed"], dtype=torch.float64)
        if self.first:
            _keep_until(self.path, start.step)
            self.file = self.path.open("a", newline="")
            self.writer = csv.writer(self.file)
            self.progress = Progress(start.step, self.length, self.minutes)

    def see(self, seen: Seen) -> None:
        world = distributed.world_size()
        tokens = [seen.nats, seen.step.target_tokens / world, seen.step.tokens / world]
        self.summed += torch.tensor(tokens, dtype=torch.float64)
        if self.first:
            self.progress.at(seen.position.step)

    def due(self, position: Position) -> bool:
        return position.step % self.every == 0

    def act(self, seen: Seen) -> bool:
        """A row over the steps since the last one."""
        nats, targets, tokens = distributed.total(self.summed.to(self.device)).tolist()
        seconds = max(1e-9, time.monotonic() - self.last)
        if self.first and targets:
            loss, position = nats / targets, seen.position
            values = (position.step, position.epoch, f"{loss:.6f}", f"{self.rate * seen.factor:.6g}", position.tokens)
            speed = f"{tokens / seconds:.1f}"
            self.writer.writerow((*values, speed, f"{position.elapsed:.1f}", f"{seen.norm:.4f}"))
            self.file.flush()
            numbers = {"loss": loss, "learning_rate": self.rate * seen.factor, "tokens": float(position.tokens)}
            for logger in self.loggers:
                rest = {"tokens_per_second": tokens / seconds, "epoch": float(position.epoch), "grad_norm": seen.norm}
                logger.write(position.step, numbers | rest)
            self.progress.show(position, loss, tokens / seconds, seen.last)
        self.summed.zero_()
        self.last = time.monotonic()
        return False

    def state(self) -> Json:
        """What was seen since the last row, so that the next one is the same in a run that goes on."""
        return {"summed": distributed.total(self.summed.clone().to(self.device)).tolist()}

    def close(self) -> None:
        if self.first:
            self.progress.close()
            self.file.close()
            for logger in self.loggers:
                logger.close()


def _keep_until(path: Path, step: int) -> None:
    """Leave the rows of an earlier part of the run, none beyond its checkpoint; the file is replaced as a whole."""
    rows: list[list[str]] = []
    if step and path.exists():
        with path.open(newline="") as file:
            rows = [row for row in list(csv.reader(file))[1:] if row and row[0].isdigit() and int(row[0]) <= step]
    with whole_file(path, newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])

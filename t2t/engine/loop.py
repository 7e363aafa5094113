"""The training loop: plan, gradients, update, log, checkpoint; it ends by steps, by the clock or by a signal."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from tqdm import tqdm

from t2t.config.run import RunConfig
from t2t.data.batch import Plan, Step
from t2t.engine import checkpoint, distributed
from t2t.engine.checkpoint import Position
from t2t.engine.deepspeed import Engine
from t2t.engine.lifetime import Deferred
from t2t.engine.schedule import progress
from t2t.errors import T2TError

COLUMNS = ("step", "epoch", "loss", "learning_rate", "tokens", "tokens_per_second", "elapsed", "grad_norm")
_LOG_SECONDS = 2.0  # a row of metrics.csv at most so often


class NotFinite(T2TError):
    """The loss or its gradient became NaN or infinite; the weights are as before that step."""


class Terminated(T2TError):
    """A signal came; a checkpoint was written."""


class Log:
    """metrics.csv and the progress bar of rank 0; elsewhere nothing."""

    def __init__(self, path: Path, config: RunConfig, start: Position) -> None:
        self.first = distributed.rank() == 0
        self.rate = config.optimizer.learning_rate
        self.summed = torch.zeros(3, dtype=torch.float64)  # nats, target tokens, all tokens
        self.last = time.monotonic()
        if self.first:
            _keep_until(path, start.step)
            self.file = path.open("a", newline="")
            self.writer = csv.writer(self.file)
            self.bar = tqdm(total=config.schedule.length, initial=start.step, unit="step", mininterval=2.0, ncols=100)

    def add(self, nll: float, step: Step) -> None:
        """Count what a step saw on this rank (nats) and in all (tokens)."""
        self.summed += torch.tensor([nll, step.target_tokens / distributed.world_size(), 0.0], dtype=torch.float64)
        self.summed[2] += step.tokens / distributed.world_size()

    def due(self) -> bool:
        """True if the last row is old enough."""
        return time.monotonic() - self.last >= _LOG_SECONDS

    def write(self, position: Position, device: torch.device, factor: float, norm: float) -> None:
        """A row over the steps since the last one. Every rank must call it."""
        nats, targets, tokens = distributed.total(self.summed.to(device)).tolist()
        seconds = max(1e-9, time.monotonic() - self.last)
        if self.first and targets:
            loss = nats / targets
            values = (position.step, position.epoch, f"{loss:.6f}", f"{self.rate * factor:.6g}", position.tokens)
            speed = f"{tokens / seconds:.1f}"
            self.writer.writerow((*values, speed, f"{position.elapsed:.1f}", f"{norm:.4f}"))
            self.file.flush()
            self.bar.set_postfix(loss=f"{loss:.3f}", tokens_s=speed, refresh=False)
            self.bar.update(position.step - self.bar.n)
        self.summed.zero_()
        self.last = time.monotonic()

    def close(self) -> None:
        if self.first:
            self.bar.close()
            self.file.close()


def _keep_until(path: Path, step: int) -> None:
    """Leave the rows of an earlier part of the run, none beyond its checkpoint; the file is replaced as a whole."""
    rows: list[list[str]] = []
    if step and path.exists():
        with path.open(newline="") as file:
            rows = [row for row in list(csv.reader(file))[1:] if row and row[0].isdigit() and int(row[0]) <= step]
    part = path.with_suffix(".csv.tmp")
    with part.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    part.replace(path)


class Loop:
    """Trains until the schedule ends. ``run`` gives the position reached."""

    def __init__(self, engine: Engine, plan: Plan, config: RunConfig, folder: Path) -> None:
        self.engine, self.plan, self.config, self.folder = engine, plan, config, folder
        self.signals = Deferred()
        self.began = 0.0

    def run(self, start: Position) -> Position:
        """Train from ``start``. Raises NotFinite before a bad update is made, Terminated after SIGTERM or SIGINT."""
        with self.signals:
            log = Log(self.folder / "metrics.csv", self.config, start)
            self.began = time.monotonic() - start.elapsed
            try:
                return self._train(start, log)
            finally:
                log.close()

    def _train(self, start: Position, log: Log) -> Position:
        position, saved = start, start.step
        for step in self._steps(start):
            done = progress(self.config.schedule, position.step, position.elapsed / 60.0)
            if done >= 1.0:
                break
            position, stop = self._one(step, position, done, log)
            if stop:
                self._save(position)
                raise Terminated(
                    f"stopped by {self.signals.came or 'a signal'} after step {position.step}; checkpoint written"
                )
            if position.step % self.config.checkpoint.every == 0:
                saved = self._save(position)
        if position.step > saved:
            self._save(position)
        return position

    def _steps(self, start: Position) -> Iterator[Step]:
        epoch, after = start.epoch, start.step_in_epoch
        while True:
            yield from self.plan.steps(epoch, after)
            epoch, after = epoch + 1, 0

    def _one(self, step: Step, position: Position, done: float, log: Log) -> tuple[Position, bool]:
        """One step; gives the position after it, and whether a signal came to any rank."""
        nll, finite = self.engine.gradients(step)
        bad, stop, elapsed, due = self._agree(not finite or not math.isfinite(nll), log)
        if bad:
            raise NotFinite(f"loss is not finite at step {position.step + 1}; lower the learning rate")
        factor, norm = self.engine.update(position.step, done)
        if not math.isfinite(norm):
            raise NotFinite(f"gradient is not finite at step {position.step + 1}; lower the learning rate")
        position = Position(
            step=position.step + 1,
            epoch=step.epoch,
            step_in_epoch=step.number + 1,
            elapsed=elapsed,
            tokens=position.tokens + step.tokens,
        )
        log.add(nll, step)
        if due or progress(self.config.schedule, position.step, elapsed / 60.0) >= 1.0:
            log.write(position, self.engine.device, factor, norm)
        return position, bool(stop)

    def _agree(self, bad: bool, log: Log) -> list[float]:
        """Over all ranks: is any loss bad, did a signal come, the first rank's clock, and whether it wants a row."""
        clock = [time.monotonic() - self.began, float(log.due())] if log.first else [0.0, 0.0]
        values = torch.tensor([float(bad), float(self.signals.came is not None), *clock], dtype=torch.float64)
        agreed: list[float] = distributed.total(values.to(self.engine.device)).tolist()
        return agreed

    def _save(self, position: Position) -> int:
        folder = self.folder / "checkpoints"
        checkpoint.save(self.engine.engine, folder, position, self.config.checkpoint.keep)
        return position.step

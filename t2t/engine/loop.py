"""The training loop: plan, gradients, update, and what its watchers do; it ends by steps, by the clock, by a signal or
by a watcher."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from t2t.config.run import CheckpointSettings, ScheduleSettings
from t2t.data.batch import Plan, Step
from t2t.engine import checkpoint, distributed
from t2t.engine.checkpoint import Position
from t2t.engine.deepspeed import TrainingEngine
from t2t.engine.halving import NoRoom, OutOfMemory, StartAgain, note_halvings
from t2t.engine.lifetime import Deferred
from t2t.engine.pulse import Pulse
from t2t.engine.schedule import progress
from t2t.engine.watching import Seen, Watcher
from t2t.errors import T2TError

_LOWER = "lower the learning rate, with which the run goes on"
_LESS = "take shorter lengths:, precision: bf16, peft:, or a DeepSpeed file of a higher stage or with offload"
_TWICE = "micro-batches cut in two, of the same examples an update"


class NotFinite(T2TError):
    """The loss or its gradient became NaN or infinite; the weights are as before that step."""


class Terminated(T2TError):
    """A signal came; a checkpoint was written."""


class Loop:
    """Trains until the schedule ends, a watcher ends it, or micro-batches are to be cut. ``run`` gives the position
    reached, with one halving more in the last case.

    Checkpoints are written after all watchers have acted, in their order, with their states; a log stands last, since
    it has a row at the end too, which others may decide.
    """

    def __init__(
        self,
        engine: TrainingEngine,
        plan: Plan,
        schedule: ScheduleSettings,
        checkpoints: CheckpointSettings,
        folder: Path,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self.engine, self.plan, self.folder, self.watchers = engine, plan, folder, watchers
        self.schedule, self.checkpoints = schedule, checkpoints
        self.signals, self.pulse = Deferred(), Pulse()
        self.began = 0.0

    def run(self, start: Position) -> Position:
        """Train from ``start``. Raises NotFinite before a bad update is made, Terminated after SIGTERM or SIGINT,
        NoRoom and StartAgain where memory runs out."""
        with self.signals, self.pulse:
            for watcher in self.watchers:
                watcher.begin(start, start.watched.get(watcher.name))
            self.began = time.monotonic() - start.elapsed
            try:
                return self._train(start)
            finally:
                for watcher in self.watchers:
                    watcher.close()

    def _train(self, start: Position) -> Position:
        position, saved = start, start.step
        ended = [watcher.ends() for watcher in self.watchers]  # all are asked: each tells what it has to tell
        if start.step and any(ended):
            return position
        for step in self._steps(start):
            done = progress(self.schedule, position.step, position.elapsed / 60.0)
            if done >= 1.0:
                break
            try:
                with self.pulse.step():
                    seen, due, signalled = self._one(step, position, done)
            except OutOfMemory as lack:
                return self._halved(position, lack)
            ends = False
            for watcher, wanted in zip(self.watchers, due, strict=True):
                watcher.see(seen)
                if (wanted or seen.last or (ends and watcher.quick)) and (watcher.quick or not signalled):
                    ends = watcher.act(seen) or ends
            position = seen.position
            if signalled or ends or position.step % self.checkpoints.every == 0:
                saved = self._save(position)
            if signalled:
                raise self._terminated(position)
            if ends:
                break
        if position.step > saved:
            self._save(position)
        return position

    def _steps(self, start: Position) -> Iterator[Step]:
        epoch, after = start.epoch, start.step_in_epoch
        while True:
            yield from self.plan.steps(epoch, after)
            epoch, after = epoch + 1, 0

    def _one(self, step: Step, position: Position, done: float) -> tuple[Seen, list[bool], bool]:
        """One step; gives what it was, which watchers are due, and whether a signal came to any rank."""
        nats, finite = self.engine.gradients(step)
        after = replace(
            position,
            step=position.step + 1,
            epoch=step.epoch,
            step_in_epoch=step.number + 1,
            tokens=position.tokens + step.tokens,
        )
        bad, signalled, elapsed, *due = self._agree(not finite or not math.isfinite(nats), after)
        if bad:
            raise NotFinite(f"loss is not finite at step {after.step}; {_LOWER}")
        factor, norm = self.engine.update(position.step, done)
        if not math.isfinite(norm):
            raise NotFinite(f"gradient is not finite at step {after.step}; {_LOWER}")
        after = replace(after, elapsed=elapsed)
        last = progress(self.schedule, after.step, elapsed / 60.0) >= 1.0
        return Seen(after, step, nats, factor, norm, last), [bool(one) for one in due], bool(signalled)

    def _halved(self, position: Position, lack: OutOfMemory) -> Position:
        """Where training goes on with smaller micro-batches, since memory ran out in the step after ``position``."""
        found = f"memory ran out at step {position.step + 1}"
        if lack.single:
            raise NoRoom(f"{found} with a micro-batch of one example; {_LESS}")
        halved = replace(position, halvings=position.halvings + 1)
        if not lack.agreed:
            note_halvings(self.folder, halved.halvings)
            raise StartAgain(f"{found}; the same command goes on from the last checkpoint with {_TWICE}")
        if distributed.rank() == 0:
            print(f"{found}; it is taken again with {_TWICE}", flush=True)
        self._save(halved)
        if not distributed.all_agree(self.signals.came is None, self.engine.device):
            raise self._terminated(position)
        return halved

    def _agree(self, bad: bool, after: Position) -> list[float]:
        """Over all ranks: is a loss bad, did a signal come, the first rank's clock, and which watchers it finds due."""
        of_first = [0.0] * (1 + len(self.watchers))
        if distributed.rank() == 0:
            elapsed = time.monotonic() - self.began
            now = replace(after, elapsed=elapsed)
            of_first = [elapsed, *(float(watcher.due(now)) for watcher in self.watchers)]
        values = torch.tensor([float(bad), float(self.signals.came is not None), *of_first], dtype=torch.float64)
        agreed: list[float] = distributed.total(values.to(self.engine.device)).tolist()
        return agreed

    def _terminated(self, position: Position) -> Terminated:
        came = self.signals.came or "a signal"
        return Terminated(f"stopped by {came} after step {position.step}; checkpoint written")

    def _states(self) -> dict[str, object]:
        states = {watcher.name: watcher.state() for watcher in self.watchers}
        return {name: state for name, state in states.items() if state is not None}

    def _save(self, position: Position) -> int:
        folder, watched = self.folder / "checkpoints", self._states()
        position = replace(position, watched=watched)
        checkpoint.save(self.engine.engine, folder, position, self.checkpoints.keep)
        return position.step

"""One process of test_memory: trains a toy run where memory runs out, in several ways.

python memory_worker.py FOLDER, with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set.
"""

from __future__ import annotations

import json
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from t2t.config.run import load_run
from t2t.engine import distributed
from t2t.engine.deepspeed import TrainingEngine
from t2t.engine.halving import note_halvings
from t2t.engine.loss import TrainingModel
from t2t.engine.peers import leave
from t2t.errors import T2TError
from t2t.training.train import train

MOST = 6  # examples that fit; micro-batches have up to 10


class Killed(Exception):
    """As if the process were killed."""


def _run_out(*_: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@contextmanager
def lacking(most: int = MOST, updates: int = 1, backward: bool = True, killed: int = -1) -> Iterator[list[int]]:
    """Memory runs out on the last rank, after so many updates, with a micro-batch of more than ``most`` examples behind
    the first of its step: half-way through its backward, or in its forward. Gives how large they were."""
    forward, update, init = TrainingModel.forward, TrainingEngine.update, TrainingEngine.__init__
    made, in_step, sizes, engines = [0], [0], list[int](), list[weakref.ref[TrainingEngine]]()

    def small(self: TrainingModel, batch: dict[str, torch.Tensor], parts: int | None = None) -> Any:
        rows, handle = len(batch["labels"]), None
        if self.training:
            in_step[0] += 1
            if rows > most and made[0] >= updates and in_step[0] > 1 and distributed.rank() + 1 == world:
                sizes.append(rows)
                if not backward:
                    _run_out()
                block = self.model.decoder.block[0]  # the gradients of what is above it are there then
                handle = block.register_forward_hook(spoil)
        found = forward(self, batch, parts)
        if handle is not None:
            handle.remove()
        return found

    def spoil(module: object, given: object, out: Any) -> None:
        (out if torch.is_tensor(out) else out[0]).register_hook(_run_out)

    def counted(self: TrainingEngine, step: int, progress: float) -> tuple[float, float]:
        in_step[0] = 0
        if step == killed:
            raise Killed
        made[0] += 1
        return update(self, step, progress)

    def begun(self: TrainingEngine, *given: Any, **named: Any) -> None:
        assert not [one for one in engines if one() is not None], "the engine before it still has its memory"
        init(self, *given, **named)
        engines.append(weakref.ref(self))
        in_step[0] = 0

    world = distributed.world_size()
    TrainingModel.forward, TrainingEngine.update, TrainingEngine.__init__ = small, counted, begun  # type: ignore[method-assign]
    try:
        yield sizes
    finally:
        TrainingModel.forward, TrainingEngine.update, TrainingEngine.__init__ = forward, update, init  # type: ignore[method-assign]


def main(folder: Path) -> None:
    device = distributed.start()
    results: dict[str, Any] = {}

    def run(name: str, stage: int, *more: str) -> None:
        overrides = [f"run={name}of{distributed.world_size()}", f"deepspeed=ds_configs/zero{stage}.json", *more]
        train(load_run(folder / "run.yaml", overrides), device)

    dropped = "model.from_scratch.dropout=0.1"
    if distributed.world_size() == 2:
        for stage in (0, 2):
            with lacking():
                run(f"halved{stage}", stage)
    else:
        run("whole", 2)
        for stage in range(4):
            with lacking(backward=stage != 3):
                run(f"halved{stage}", stage)
        with lacking(updates=0) as results["sizes"]:
            run("dropped", 2, dropped)
        for name, killed, most in (("noted", 0, 99), ("killed", 2, MOST)):
            try:
                with lacking(most, 0, killed=killed):
                    run(name, 2, dropped)
            except Killed:
                if name == "noted":
                    note_halvings(folder / "runs" / "notedof1", 1)
                run(name, 2, dropped)
        try:
            with lacking(most=0):
                run("single", 1, "batch.tokens=64")
        except T2TError as error:
            results["single"] = str(error)
        (folder / "results.json").write_text(json.dumps(results))
    distributed.stop()
    leave(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

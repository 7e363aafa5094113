"""One process of test_resharding: trains, writes a checkpoint and trains on, or goes on from one.

python resharding_worker.py save|load FOLDER [KIND ..], with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from t2t.engine import checkpoint, distributed
from t2t.engine.checkpoint import Position
from t2t.engine.peers import leave
from tests.engine.worker import config, engine, step, weights

KINDS = {
    "fp32": [],
    "bf16": ["precision=bf16"],
    "sgd": ["optimizer={name: sgd, momentum: 0.9, learning_rate: 0.1}"],
    "parted": ["optimizer={weight_decay: 0.1, rates: {decoder: 0.5}}", "model.from_scratch.tied=false"],
    "frozen": ["freeze={parts: [encoder]}"],
    "offload": [],
}


def stages_of(kind: str) -> Iterable[int]:
    """At which stages a kind is tried."""
    return (2, 3) if kind == "offload" else range(4)


def main(mode: str, folder: Path, kinds: Sequence[str]) -> None:
    device = distributed.start()
    results = {}
    for name in kinds or KINDS:
        for stage in stages_of(name):
            file = f"zero{stage}_offload" if name == "offload" else f"zero{stage}"
            run = config(folder, f"deepspeed=ds_configs/{file}.json", *KINDS[name])
            made, place, losses = engine(run, device), folder / f"{name}{stage}", []
            if mode == "save":
                for number in range(2):
                    made.gradients(step(number, 3))
                    made.update(number, 0.1)
                checkpoint.save(made.engine, place, Position(2, 0, 2), keep=1)
            else:
                position = checkpoint.load_latest(made.engine, place, run.seed, lambda line: None)
                assert position is not None
                assert position.step == 2
            before = weights(made)
            for number in range(2, 4):
                nats, _ = made.gradients(step(number, 3))
                made.update(number, 0.1)
                losses.append(float(distributed.total(torch.tensor([nats], dtype=torch.float64))))
            results[f"{name}{stage}"] = {"before": before, "losses": losses, "after": weights(made)}
    if distributed.rank() == 0:
        (folder / f"{mode}{distributed.world_size()}.json").write_text(json.dumps(results))
    distributed.stop()
    leave(0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])

"""One process of test_orthogonality: trains a toy LoRA that is kept orthogonal to others, at every ZeRO stage.

python orthogonal_worker.py OUT.json, with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set.
"""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor

from t2t.config.run import RunConfig
from t2t.continual.strategy import Orthogonal
from t2t.engine import distributed
from t2t.engine.deepspeed import TrainingEngine
from t2t.engine.orthogonality import Orthogonality
from t2t.engine.peers import leave
from t2t.model.peft.low_rank import reads
from tests.engine.worker import STEPS, config, engine, step, trained_further

STRENGTH = 0.3
LORA = "peft={method: lora, r: 3, targets: [q, v, wo]}"


def earlier(made: TrainingEngine) -> dict[str, Tensor]:
    """Five rows by chance for each A of the LoRA."""
    draw = torch.Generator().manual_seed(4)
    named = sorted(name for name in made.model.parameters() if reads(name))
    return {name: torch.randn(5, 32 if ".wo." in name else 16, generator=draw) for name in named}


def trained(run: RunConfig, device: torch.device, strength: float) -> dict[str, object]:
    """See worker.trained; ``seen``: the penalty before each step, and behind the last."""
    made = engine(run, device)
    before = made.weights_for_use()
    apart = Orthogonality(made, Orthogonal(strength, earlier(made)))
    after = made.weights_for_use()
    assert before is None or after is None or all(torch.equal(after[name], one) for name, one in before.items())
    results = trained_further(made, 3, apart.penalty)
    return {**results, "last": apart.penalty(), "steps": STEPS}


def one_step(run: RunConfig, device: torch.device) -> dict[str, list[float]]:
    """What one update of SGD changes of each A, and what it should: the gradient of the loss is zero, as each B is."""
    made = engine(run, device)
    before = made.weights_for_use()
    rows = earlier(made)
    Orthogonality(made, Orthogonal(STRENGTH, rows))
    made.gradients(step(0, 3))
    rate = made.update(0, 0.0)[0] * run.optimizer.learning_rate
    after = made.weights_for_use()
    moved, expected = [], []
    for name, one in rows.items() if before is not None and after is not None else ():
        weight = before[name].requires_grad_()
        torch.autograd.backward(STRENGTH * (one @ weight.T).square().sum())
        moved += (after[name] - weight.detach()).flatten().tolist()
        expected += (-rate * weight.grad).flatten().tolist()
    return {"moved": moved, "expected": expected}


def main(out: Path) -> None:
    device, results = distributed.start(), {}
    for stage in range(4):
        zero = f"deepspeed=ds_configs/zero{stage}.json"
        run = config(out.parent, zero, LORA, "optimizer={learning_rate: 0.05, rates: {decoder: 0.5}}")
        results[f"zero{stage}"] = trained(run, device, STRENGTH)
        results[f"free zero{stage}"] = trained(run, device, 0.0)
        sgd = "optimizer={name: sgd, momentum: 0, learning_rate: 0.01}"
        results[f"one step zero{stage}"] = one_step(config(out.parent, zero, LORA, sgd), device)
    run = config(out.parent, "deepspeed=ds_configs/zero2.json", LORA, "precision=bf16")
    results["bf16"] = trained(run, device, STRENGTH)
    if distributed.rank() == 0:
        out.write_text(json.dumps(results))
    distributed.stop()
    leave(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

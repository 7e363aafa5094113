"""Memory and time of the loss with a large vocabulary: all logits at once, and in chunks of positions.

    python benchmarks/loss_memory.py [--positions 1024] [--vocabulary 250112] [--rounds 3]

The shapes of mT5-small (d_model 512, a head of its own; one block a stack, so that the head is what is measured),
fp32: one micro-batch forward and backward. Each row is a process of its own; "beyond" is the largest resident size
beyond what the process held before its first step; the gradients of head and embedding are half a GB of it each. The
losses and the norms of the gradients tell whether the rows compute the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

TARGET = 32  # tokens of a target


def resident(kind: str) -> float:
    """MB of this process: VmRSS, as it is, or VmHWM, the most it was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(kind))


def measure(positions: int, vocabulary: int, chunk: int | None, rounds: int) -> dict[str, float]:
    import torch

    from t2t.engine.loss import TrainingModel
    from t2t.model.backbone import build_from_scratch

    shape = {"d_model": 512, "d_kv": 64, "d_ff": 1024, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 6}
    model = TrainingModel(build_from_scratch({**shape, "tied": False, "init": "t5"}, vocabulary, 1), 0.0, False,
                          chunk=chunk)  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    rows = positions // TARGET
    batch = {
        "input_ids": torch.randint(3, vocabulary, (rows, TARGET), generator=generator),
        "attention_mask": torch.ones(rows, TARGET, dtype=torch.long),
        "labels": torch.randint(3, vocabulary, (rows, TARGET), generator=generator),
        "weights": torch.full((rows,), 1.0 / positions),
    }
    before, seconds, loss = resident("VmRSS"), [], 0.0
    for _ in range(rounds):
        model.zero_grad(set_to_none=True)
        began = time.perf_counter()
        found, _ = model(batch)
        found.backward()
        seconds.append(time.perf_counter() - began)
        loss = float(found.detach())
    norm = torch.stack([one.grad.norm() for one in model.parameters() if one.grad is not None]).norm()
    return {
        "beyond": resident("VmHWM") - before,
        "seconds": statistics.median(seconds),
        "loss": loss,
        "norm": float(norm),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positions", type=int, default=1024, help="with a target, in a micro-batch")
    parser.add_argument("--vocabulary", type=int, default=250_112)
    parser.add_argument("--chunks", nargs="+", default=["0", "auto", "256", "128"], help="0: all logits at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        chunk = None if given.one == "auto" else int(given.one)
        print(json.dumps(measure(given.positions, given.vocabulary, chunk, given.rounds)))
        return
    print("chunk   beyond, MB   seconds   against all at once    loss        norm of the gradient", flush=True)
    first = None
    for chunk in given.chunks:
        command = [sys.executable, __file__, "--one", chunk, "--positions", str(given.positions)]
        command += ["--vocabulary", str(given.vocabulary), "--rounds", str(given.rounds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        first = first or found
        memory, seconds = found["beyond"] / first["beyond"], found["seconds"] / first["seconds"]
        print(
            f"{chunk:<6} {found['beyond']:>11,.0f} {found['seconds']:>9.1f}   {memory:.2f} of the memory, "
            f"{seconds:.2f} of the time   {found['loss']:.6f}   {found['norm']:.6f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Useful tokens a second in training: ours against a plain loop over transformers' T5, in one run.

    python benchmarks/train_speed.py                                   # toy size, for a CPU
    python benchmarks/train_speed.py --size base --precision bf16      # for a GPU

Ours: units of similar length by a token budget, the loss over target positions only, DeepSpeed (one process). The peer:
random batches of 16, padded, the model's own loss, torch's AdamW. Both see examples of the same lengths (log-normal
prompts of median 40, sigma 0.6, targets half as long) and count tokens that are no padding. Prints the median of
several rounds, alternating.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import transformers

from t2t.config.deepspeed import read_deepspeed
from t2t.config.run import RunConfig, load_run
from t2t.data.batch import Plan
from t2t.data.collate import collate
from t2t.data.encode import Encoded
from t2t.engine import distributed
from t2t.engine.deepspeed import Engine
from t2t.model.backbone import build_from_scratch
from t2t.tasks.mixture import Mixture

SIZES = {
    "toy": {"d_model": 192, "d_kv": 32, "d_ff": 512, "num_layers": 3, "num_decoder_layers": 3, "num_heads": 6},
    "small": {"d_model": 512, "d_kv": 64, "d_ff": 1024, "num_layers": 8, "num_decoder_layers": 8, "num_heads": 6},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 2048, "num_layers": 12, "num_decoder_layers": 12, "num_heads": 12},
}
VOCABULARY = {"toy": 4000, "small": 32128, "base": 32128}
RUN = """\
run: speed
tasks: [none/none]
model: {from_scratch: {d_model: 8, d_kv: 8, d_ff: 8, num_layers: 1, num_decoder_layers: 1, num_heads: 1}}
schedule: {name: constant, steps: 1000000}
deepspeed: ds_configs/zero2.json
"""


def rows(count: int, vocabulary: int) -> list[Encoded]:
    """Random examples with the lengths of the module's docstring."""
    random = np.random.default_rng(1)
    prompts = np.clip(np.exp(random.normal(np.log(40), 0.6, count)), 4, 256).astype(int)
    return [
        Encoded(str(number), 0, *(random.integers(3, vocabulary, n).astype(np.int32) for n in (size, size // 2 + 1)))
        for number, size in enumerate(prompts)
    ]


def settings(precision: str, tokens: int) -> RunConfig:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.yaml"
        path.write_text(RUN)
        config = load_run(path, [f"precision={precision}", f"batch.tokens={tokens}", "batch.units=1"])
    return replace(config)


def ours(config: RunConfig, size: str, data: list[Encoded], device: torch.device) -> Callable[[float], float]:
    """A function that trains for some seconds and gives useful tokens a second."""
    model = build_from_scratch(SIZES[size], VOCABULARY[size]).to(device)
    engine = Engine(model, config, read_deepspeed(config.deepspeed, config), [1.0], device)
    plan = Plan(lambda epoch: [data], Mixture([len(data)], [1.0], 1), config.batch.tokens, 1, 4096)
    steps = (step for epoch in range(10**9) for step in plan.steps(epoch))

    def measure(seconds: float) -> float:
        began, tokens, number = time.perf_counter(), 0, 0
        while time.perf_counter() - began < seconds:
            for step in islice(steps, 4):
                engine.gradients(step)
                engine.update(number, 0.0)
                tokens, number = tokens + step.tokens, number + 1
        _wait(device)
        return tokens / (time.perf_counter() - began)

    return measure


def peer(precision: str, size: str, data: list[Encoded], device: torch.device) -> Callable[[float], float]:
    """The same of the plain loop."""
    model = build_from_scratch(SIZES[size], VOCABULARY[size]).to(device)
    model = model.to(torch.bfloat16) if precision == "bf16" else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    random = np.random.default_rng(2)

    def measure(seconds: float) -> float:
        began, tokens = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            batch = [data[index] for index in random.integers(0, len(data), 16)]
            tensors = {name: tensor.to(device) for name, tensor in collate(batch, lambda row: 1.0).items()}
            del tensors["weights"]
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "autocast_bf16"):
                loss = model(**tensors).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            tokens += sum(len(row.input_ids) + len(row.labels) for row in batch)
        _wait(device)
        return tokens / (time.perf_counter() - began)

    return measure


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="toy")
    parser.add_argument("--precision", choices=("fp32", "bf16", "autocast_bf16"), default="fp32")
    parser.add_argument("--tokens", type=int, default=4096, help="positions a unit")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    device = distributed.start()
    data = rows(20_000, VOCABULARY[arguments.size])
    measures = {
        "ours": ours(settings(arguments.precision, arguments.tokens), arguments.size, data, device),
        "peer": peer(arguments.precision, arguments.size, data, device),
    }
    for measure in measures.values():
        measure(min(3.0, arguments.seconds))
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(arguments.rounds):
        for name, measure in measures.items():
            found[name].append(measure(arguments.seconds))
    medians = {name: statistics.median(values) for name, values in found.items()}
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"{where}; torch {torch.__version__}, transformers {transformers.__version__}; {arguments.size}")
    print(f"{arguments.precision}: ours {medians['ours']:,.0f}, peer {medians['peer']:,.0f} useful tokens/s, ", end="")
    print(f"ratio {medians['ours'] / medians['peer']:.2f}")
    distributed.stop()


if __name__ == "__main__":
    main()

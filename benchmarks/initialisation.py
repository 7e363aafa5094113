"""The loss of a small T5 on atlas tasks from T5's own initialisation and from ours, update by update, in one run.

    python benchmarks/initialisation.py --updates 600 --seeds 3

Prints the median loss over seeds at every 100th update. One process, fp32 or bf16 autocast, the data and the order of
the data are the same for both.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from itertools import islice

import torch

from t2t.data.batch import Plan, Step
from t2t.data.collate import collate
from t2t.data.encode import Encoded, Encoder
from t2t.engine.loss import TrainingModel
from t2t.engine.optimizer import ModelOptimizer
from t2t.engine.optimizers.adamw import AdamW
from t2t.model.backbone import T5_IDS, build_from_scratch
from t2t.model.tokenizer import train_tokenizer
from t2t.tasks.mixture import Mixture
from t2t.tasks.task import load_task

TASKS = ("atlas/intent_en", "atlas/ner_en", "atlas/ner_zh", "atlas/relation_en", "atlas/qa_en", "atlas/summary_en")
SHAPE = {"d_model": 192, "d_kv": 32, "d_ff": 512, "num_layers": 3, "num_decoder_layers": 3, "num_heads": 6}
EVERY = 100
WARMUP = 100


def data(examples: int) -> tuple[int, list[list[Encoded]]]:
    """Vocabulary size and encoded training examples of TASKS."""
    tasks = [load_task(name) for name in TASKS]
    kept = [list(islice(task.examples("train"), examples)) for task in tasks]
    texts = (
        text
        for task, rows in zip(tasks, kept, strict=True)
        for row in rows
        for text in (task.prompt(row), task.target_text(row))
    )
    tokenizer = train_tokenizer(texts, 2500)
    encoder = Encoder(tokenizer, 256, 128)
    rows = zip(tasks, kept, strict=True)
    return len(tokenizer), [
        list(encoder.encode_many(task, examples, task_index=index)) for index, (task, examples) in enumerate(rows)
    ]


def curve(init: str, seed: int, vocabulary: int, steps: Iterator[Step], updates: int, bf16: bool) -> list[float]:
    """The mean loss of each EVERY updates, in nats a target token."""
    model = build_from_scratch({**SHAPE, "gated": True, "tied": True, "init": init}, vocabulary, seed)
    settings = AdamW(learning_rate=2e-2, betas=(0.9, 0.99))
    optimizer = ModelOptimizer(model, settings)
    losses: list[float] = []
    for number, step in enumerate(islice(steps, updates)):
        for micro_batch in step.micro_batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                nats, _ = TrainingModel(model, 0.0, False)(collate(micro_batch, T5_IDS, lambda row: 1.0))
            (nats / step.target_tokens).backward()
            losses.append(float(nats.detach()) / step.target_tokens)
        torch.nn.utils.clip_grad_norm_(model.module.parameters(), 1.0)
        optimizer.set_rates(optimizer.torch.param_groups, min(1.0, (number + 1) / WARMUP))
        optimizer.torch.step()
        optimizer.torch.zero_grad()
    return [statistics.fmean(losses[start : start + EVERY]) for start in range(0, len(losses), EVERY)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--examples", type=int, default=5000, help="training examples a task")
    parser.add_argument("--bf16", action="store_true", help="autocast to bf16")
    arguments = parser.parse_args()
    vocabulary, rows = data(arguments.examples)
    curves: dict[str, list[list[float]]] = {"t5": [], "copy": []}
    for seed in range(arguments.seeds):
        mixture = Mixture([len(task) for task in rows], [1.0] * len(rows), seed)
        plan = Plan(lambda epoch: rows, mixture, 1500, 1, 4096)
        for init, found in curves.items():
            steps = (step for epoch in range(1000) for step in plan.steps(epoch))
            found.append(curve(init, seed, vocabulary, steps, arguments.updates, arguments.bf16))
    print(f"{'updates':>8}  {'t5':>7}  {'copy':>7}")
    for place in range(len(curves["t5"][0])):
        medians = [statistics.median(one[place] for one in curves[init]) for init in ("t5", "copy")]
        print(f"{(place + 1) * EVERY:>8}  {medians[0]:7.3f}  {medians[1]:7.3f}")


if __name__ == "__main__":
    main()

"""Useful tokens a second in training: ours against transformers, in one run.

    python benchmarks/train_speed.py                                               # toy size, for a CPU
    python benchmarks/train_speed.py --size base --precision bf16 --tokens 16384   # for a GPU

Ours: micro-batches of similar length by a token budget, the loss over target positions only, DeepSpeed (one process);
with ``--compile`` once more through torch.compile. The peers take random batches of ``--rows``, padded, and the
model's own loss: ``loop`` is a plain loop with torch's AdamW, ``trainer`` is Seq2SeqTrainer, which in bf16 trains under
autocast.
All see examples of the same lengths (log-normal prompts of median 40, sigma 0.6, targets half as long) and count
tokens that are no padding. Prints the median of several rounds, alternating; the share of the device's matrix peak (as
a large product reaches it in the same run) that the useful tokens need; on a GPU the peak of its memory. With
``--json`` the last line is {"ratio": ours over trainer}.
"""

from __future__ import annotations

import argparse
import json
import os
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
from torch import Tensor

from t2t.config.run import RunConfig, load_run
from t2t.data.batch import Plan
from t2t.data.collate import collate
from t2t.data.encode import Encoded
from t2t.engine import distributed
from t2t.engine.deepspeed import TrainingEngine
from t2t.engine.deepspeed_file import read_deepspeed
from t2t.model.backbone import T5_IDS, build_from_scratch
from t2t.tasks.mixture import Mixture

SIZES = {
    "toy": {"d_model": 192, "d_kv": 32, "d_ff": 512, "num_layers": 3, "num_decoder_layers": 3, "num_heads": 6},
    "small": {"d_model": 512, "d_kv": 64, "d_ff": 1024, "num_layers": 8, "num_decoder_layers": 8, "num_heads": 6},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 2048, "num_layers": 12, "num_decoder_layers": 12, "num_heads": 12},
}
VOCABULARY = {"toy": 4000, "small": 32128, "base": 32128}
Measure = Callable[[float], float]
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
        config = load_run(path, [f"precision={precision}", f"batch.tokens={tokens}", "batch.micro_batches=1"])
    return replace(config)


def ours(config: RunConfig, size: str, data: list[Encoded], device: torch.device, compiled: bool) -> Measure:
    """A function that trains for some seconds and gives useful tokens a second."""
    model = build_from_scratch(SIZES[size], VOCABULARY[size])
    model.module.to(device)
    engine = TrainingEngine(model, config, read_deepspeed(config.deepspeed, config), [1.0], device)
    if compiled:
        engine.engine.compile(compile_kwargs={"dynamic": True})
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


def loop(precision: str, size: str, data: list[Encoded], device: torch.device, rows: int) -> Measure:
    """The same of a plain loop."""
    model = build_from_scratch(SIZES[size], VOCABULARY[size]).module.to(device)
    model = model.to(torch.bfloat16) if precision == "bf16" else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    random = np.random.default_rng(2)

    def measure(seconds: float) -> float:
        began, tokens = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            batch = [data[index] for index in random.integers(0, len(data), rows)]
            tensors = {name: tensor.to(device) for name, tensor in padded(batch).items()}
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "autocast_bf16"):
                loss = model(**tensors).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            tokens += useful(batch)
        _wait(device)
        return tokens / (time.perf_counter() - began)

    return measure


def trainer(precision: str, size: str, data: list[Encoded], device: torch.device, rows: int) -> Measure:
    """The same of Seq2SeqTrainer with its defaults, but for the batch and the precision."""
    model = build_from_scratch(SIZES[size], VOCABULARY[size]).module.to(device)
    folder = tempfile.mkdtemp()
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):  # else it takes itself for one of several ranks and wraps in DDP
        os.environ.pop(name, None)

    def measure(seconds: float) -> float:
        counts: list[int] = []
        clock = _Clock(seconds)

        def collator(batch: list[Encoded]) -> dict[str, Tensor]:
            counts.append(useful(batch))
            return padded(batch)

        settings = transformers.Seq2SeqTrainingArguments(
            folder,
            per_device_train_batch_size=rows,
            bf16=precision != "fp32",
            use_cpu=device.type == "cpu",
            max_steps=10**6,
            lr_scheduler_type="constant",
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        made = transformers.Seq2SeqTrainer(
            model, settings, data_collator=collator, train_dataset=data, callbacks=[clock]
        )
        made.train()
        _wait(device)
        return sum(counts[: clock.steps]) / (time.perf_counter() - clock.began)

    return measure


class _Clock(transformers.TrainerCallback):
    """Ends training after some seconds from its first step."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.steps, self.began = seconds, 0, 0.0

    def on_step_begin(self, args: object, state: object, control: transformers.TrainerControl, **_: object) -> None:
        self.began = self.began or time.perf_counter()

    def on_step_end(self, args: object, state: object, control: transformers.TrainerControl, **_: object) -> None:
        self.steps += 1
        control.should_training_stop = time.perf_counter() - self.began >= self.seconds


def padded(batch: list[Encoded]) -> dict[str, Tensor]:
    """A batch as transformers takes it."""
    tensors = collate(batch, T5_IDS, lambda row: 1.0)
    del tensors["weights"]
    return tensors


def useful(batch: list[Encoded]) -> int:
    """Tokens of a batch that are no padding."""
    return sum(len(row.input_ids) + len(row.labels) for row in batch)


def operations(size: str) -> tuple[float, float]:
    """Matrix operations of forward and backward for a prompt token and for a target token, attention scores left out.

    6 for each weight that a token passes (2 forward, 4 backward). The decoder's cross-attention keys and values are
    computed of prompt tokens; the head counts for target tokens.
    """
    spec, width = SIZES[size], SIZES[size]["d_model"]
    inner = spec["d_kv"] * spec["num_heads"]
    attention, feed_forward = 4 * width * inner, 2 * width * spec["d_ff"]
    prompt = spec["num_layers"] * (attention + feed_forward) + spec["num_decoder_layers"] * 2 * width * inner
    target = spec["num_decoder_layers"] * (attention + 2 * width * inner + feed_forward) + width * VOCABULARY[size]
    return 6.0 * prompt, 6.0 * target


def matrix_peak(device: torch.device, precision: str) -> float:
    """Operations a second of a large matrix product."""
    size = 8192 if device.type == "cuda" else 1024
    left, right = (torch.randn(size, size, device=device) for _ in range(2))
    if precision != "fp32":
        left, right = left.bfloat16(), right.bfloat16()
    rates = []
    for _ in range(5):
        _wait(device)
        began = time.perf_counter()
        for _ in range(5):
            left @ right
        _wait(device)
        rates.append(5 * 2 * size**3 / (time.perf_counter() - began))
    return statistics.median(rates)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="toy")
    parser.add_argument("--precision", choices=("fp32", "bf16", "autocast_bf16"), default="fp32")
    parser.add_argument("--tokens", type=int, default=4096, help="positions a unit, of ours")
    parser.add_argument("--rows", type=int, default=16, help="examples a batch, of the peers")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="measure ours through torch.compile as well")
    parser.add_argument("--json", action="store_true", help='end with {"ratio": ours over trainer}')
    given = parser.parse_args()
    device = distributed.start()
    data = rows(20_000, VOCABULARY[given.size])
    config = settings(given.precision, given.tokens)
    makers: dict[str, Callable[[], Measure]] = {
        "ours": lambda: ours(config, given.size, data, device, False),
        "ours, compiled": lambda: ours(config, given.size, data, device, True),
        "loop": lambda: loop(given.precision, given.size, data, device, given.rows),
        "trainer": lambda: trainer(given.precision, given.size, data, device, given.rows),
    }
    if not given.compile:
        del makers["ours, compiled"]
    found: dict[str, list[float]] = {name: [] for name in makers}
    memory: dict[str, float] = {}
    measures = {}
    for name, make in makers.items():
        before = _memory(device)
        measures[name] = make()
        first = measures[name](min(3.0, given.seconds))
        memory[name] = _memory(device, peak=True) - before
        print(f"warming up, {name}: {first:,.0f} useful tokens/s", flush=True)  # seen also if the rest is cut short
    for _ in range(given.rounds):
        for name, measure in measures.items():
            found[name].append(measure(given.seconds))
    medians = {name: statistics.median(values) for name, values in found.items()}
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"{where}; torch {torch.__version__}, transformers {transformers.__version__}; {given.size}, {given.precision}"
    )
    peak = matrix_peak(device, given.precision)
    prompts, targets = (sum(len(getattr(row, part)) for row in data) for part in ("input_ids", "labels"))
    needed = np.dot(operations(given.size), (prompts, targets)) / (prompts + targets)
    print(
        f"a large matrix product: {peak / 1e12:,.1f} TFLOP/s; ours in units of {given.tokens}, peers {given.rows} rows"
    )
    for name, speed in medians.items():
        used = f", {memory[name] / 2**30:.2f} GiB" if device.type == "cuda" else ""
        print(f"{name}: {speed:,.0f} useful tokens/s, {speed * needed / peak:.1%} of that product{used}, ", end="")
        print(f"ours is {medians['ours'] / speed:.2f} times as fast" if name != "ours" else "the reference")
    if given.json:
        print(json.dumps({"ratio": round(medians["ours"] / medians["trainer"], 3)}))
    distributed.stop()


def _memory(device: torch.device, peak: bool = False) -> float:
    """Bytes allocated on a GPU now, or at most since the last question; 0 elsewhere."""
    if device.type != "cuda":
        return 0.0
    found = torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return float(found)


if __name__ == "__main__":
    main()

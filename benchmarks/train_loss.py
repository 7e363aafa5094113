"""Speed and what is learned, ours against Seq2SeqTrainer, after equally many examples of SNIPS.

    python benchmarks/train_loss.py --precision fp32

Both start from the same random weights (toy size) and see the same encoded rows of SNIPS (intent and slots in one
target), each once an epoch: ours with the defaults of a run file but for the batch (``--tokens`` positions, one
micro-batch an update), the lengths and the warm-up, which neither has; the peer in batches of ``--rows`` with the rates
of ``--rates``, of which 5e-5 is its default, and its linear schedule. Prints useful tokens a second of the training as
a whole, its setting up counted, updates, and the loss on the 700 validation utterances (nats a target token, dropout
off, fp32). The last line is {"ratio": ours over the peer of the best loss, "loss": ours, "peer": its}. Parts by the
clock want the machine alone.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from torch import Tensor
from torch.nn import functional
from train_speed import SIZES, padded, useful

from t2t.config.run import RunConfig, load_run
from t2t.data.batch import Plan
from t2t.data.cache import encode_split
from t2t.data.encode import Encoded
from t2t.engine import distributed
from t2t.engine.deepspeed import TrainingEngine
from t2t.engine.deepspeed_file import read_deepspeed
from t2t.model.backbone import build_from_scratch
from t2t.runs.run_tasks import load_tasks
from t2t.tasks.mixture import Mixture
from t2t.training.preparation import prepare

Trained = tuple[torch.nn.Module, int, float]  # a model, its updates, the seconds that they took
RUN = """\
run: loss
tasks: [{task: snips/joint, limit: LIMIT}]
model: {from_scratch: {d_model: 8, d_kv: 8, d_ff: 8, num_layers: 1, num_decoder_layers: 1, num_heads: 1}}
lengths: {prompt: 128, target: 128}
schedule: {name: linear, warmup: 0, steps: 1}
deepspeed: ds_configs/zero2.json
"""


def run_of(precision: str, tokens: int, steps: int, limit: int) -> RunConfig:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.yaml"
        path.write_text(RUN.replace("LIMIT", str(limit)))
        settings = {"precision": precision, "batch.tokens": tokens, "batch.micro_batches": 1, "schedule.steps": steps}
        return load_run(path, [f"{key}={value}" for key, value in settings.items()])


def loss_on(model: torch.nn.Module, rows: Sequence[Encoded]) -> float:
    """Nats a target token."""
    model.eval()
    nats, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(rows), 50):
            tensors = padded(list(rows[start : start + 50]))
            logits: Tensor = model.float()(**tensors).logits
            labels = tensors["labels"]
            nats += float(functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum"))
            count += int((labels != -100).sum())
    return nats / count


def ours(given: argparse.Namespace, data: list[Encoded], vocabulary: int) -> Trained:
    """With the defaults of a run file."""
    device = torch.device("cpu")

    model = build_from_scratch(SIZES["toy"], vocabulary)
    began = time.perf_counter()
    plan = Plan(lambda epoch: [data], Mixture([len(data)], [1.0], 1), given.tokens, 1, 2048)
    steps = [step for epoch in range(given.epochs) for step in plan.steps(epoch)]
    config = run_of(given.precision, given.tokens, len(steps), given.limit)
    engine = TrainingEngine(model, config, read_deepspeed(config.deepspeed, config), [1.0], device)
    for number, step in enumerate(steps):
        engine.gradients(step)
        engine.update(number, number / len(steps))
    seconds = time.perf_counter() - began
    weights = engine.weights_for_use()
    assert weights is not None
    return model.copy_with(weights).module, len(steps), seconds


def peer(given: argparse.Namespace, data: list[Encoded], vocabulary: int, rate: float) -> Trained:
    """The same of Seq2SeqTrainer."""
    model = build_from_scratch(SIZES["toy"], vocabulary).module
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):  # else it takes itself for one of several ranks and wraps in DDP
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        settings = transformers.Seq2SeqTrainingArguments(
            folder,
            per_device_train_batch_size=given.rows,
            learning_rate=rate,
            bf16=given.precision != "fp32",
            use_cpu=True,
            num_train_epochs=given.epochs,
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        made = transformers.Seq2SeqTrainer(model, settings, data_collator=padded, train_dataset=data)
        began = time.perf_counter()
        made.train()
        return model, int(made.state.global_step), time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=("fp32", "autocast_bf16"), default="fp32")
    parser.add_argument("--tokens", type=int, default=4096, help="positions of an update, of ours")
    parser.add_argument("--rows", type=int, default=16, help="examples a batch, of the peer")
    parser.add_argument("--rates", type=float, nargs="+", default=[5e-5, 3e-4, 1e-3, 3e-3], help="of the peer")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--limit", type=int, default=13_084, help="training utterances")
    given = parser.parse_args()
    distributed.start()
    config = run_of(given.precision, given.tokens, 1, given.limit)
    tasks = load_tasks(config.tasks, config.where)
    prepared = prepare(config, tasks)
    data, vocabulary = prepared.data[0], len(prepared.tokenizer)
    valid = encode_split(prepared.new_encoder(), tasks[0], "valid", task_index=0, folder=prepared.folder)
    tokens = useful(data) * given.epochs
    print(f"{len(data):,} utterances, {given.epochs} epochs, {len(valid)} to validate; {given.precision}")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, transformers {transformers.__version__}")

    def measured(name: str, trained: Trained) -> tuple[float, float]:
        model, updates, seconds = trained
        loss = loss_on(model, valid)
        print(f"{name}: {tokens / seconds:,.0f} useful tokens/s, {updates} updates, loss {loss:.4f}", flush=True)
        return tokens / seconds, loss

    speed, loss = measured("ours", ours(given, data, vocabulary))
    peers = [
        measured(f"Seq2SeqTrainer, batches of {given.rows}, {rate:g}", peer(given, data, vocabulary, rate))
        for rate in given.rates
    ]
    best_speed, best_loss = min(peers, key=lambda one: one[1] if math.isfinite(one[1]) else math.inf)
    print(json.dumps({"ratio": round(speed / best_speed, 3), "loss": round(loss, 4), "peer": round(best_loss, 4)}))
    distributed.stop()


if __name__ == "__main__":
    main()

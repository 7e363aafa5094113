"""Does one model help? Each of six tasks alone against all of them in one mixture, at equal examples and equal compute.

    T2T_DATA=../shared/data python benchmarks/transfer.py --folder DIR --start runs/pretrain/model [--jobs 2]
    python benchmarks/transfer.py --folder DIR --toy          # from random weights at toy size, in a minute or two

All start from the same model. A task alone has ``--steps`` updates, the mixture as many for each of its tasks, with
equal weights; learning rate, batches and lengths are the same. Scores are the first metric of each template on its test
split (at most ``--limit`` examples, in the order of the file), free greedy outputs, with the bootstrap's 95% interval.
Zero-shot: multiple_choice/csqa, a set that neither saw, by the mixture and by the model of its family alone
(multiple_choice/comve_reason). What is there already is not done again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from real_runs import at_once, command, train

TASKS: Mapping[str, Mapping[str, Any]] = {
    "intents": {"task": "classification/banking77"},
    "slots": {"task": "snips/joint"},
    "names": {"task": "wnut17/ner"},
    "descriptions": {"task": "e2e_nlg/text", "limit": 8000},
    "translation": {"task": "tatoeba/en-zh", "limit": 8000},
    "choice": {"task": "multiple_choice/comve_reason"},
}
HELD_OUT, FAMILY = "multiple_choice/csqa", "choice"
SHAPE = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 4}
Scores = Mapping[str, tuple[float, float, float]]


def run_file(name: str, names: Sequence[str], given: argparse.Namespace) -> dict[str, Any]:
    """The run that learns some of the tasks."""
    limit = {"limit": 100} if given.toy else {}
    model: dict[str, Any] = {"model": {"from": str(given.start), "dropout": 0.1}}
    if given.start is None:
        model = {"model": {"from_scratch": SHAPE}, "tokenizer": {"vocab_size": 2000, "sample": 600}}
    return {
        "run": name,
        "tasks": [{**TASKS[one], **limit, "weight": 1} for one in names],
        **model,
        "lengths": {"prompt": 160, "target": 128},
        "optimizer": {"learning_rate": given.rate, "betas": [0.9, 0.99]},
        "schedule": {"name": "linear", "steps": given.steps * len(names), "warmup": 2 if given.toy else 50},
        "batch": {"tokens": 2400, "micro_batches": 1, "window": 8192},
        "deepspeed": "ds_configs/zero0.json",
        "checkpoint": {"every": 1000000, "keep": 1},
        "generate": {"constrain": False, "limit": given.limit, "splits": ["test"]},
    }


def scored(folder: Path, run: Mapping[str, Any]) -> Scores:
    """The first metric of each task of a run file, by the model that is in its folder."""
    found = folder / "runs" / str(run["run"]) / "scores.json"
    if not found.is_file():
        for word in ("generate", "evaluate"):
            command(folder, word, run)
    scores: dict[str, tuple[float, float, float]] = {}
    for one in json.loads(found.read_text(encoding="utf-8")):
        scores.setdefault(one["task"], (one["value"], one["low"], one["high"]))
    return scores


def learned(folder: Path, given: argparse.Namespace, name: str) -> Scores:
    """Train one task, or all, and score."""
    run = run_file(name, list(TASKS) if name == "all" else [name], given)
    train(folder, run)
    return scored(folder, run)


def zero_shot(folder: Path, given: argparse.Namespace, name: str) -> tuple[float, float, float]:
    """What a trained model has of the set that it never saw: the run's folder under another name."""
    run = {**run_file(f"{name}_held_out", [FAMILY], given), "tasks": [{"task": HELD_OUT}]}
    run["generate"] = {**run["generate"], "splits": ["valid"], "constrain": True}
    made = folder / "runs" / str(run["run"])
    made.mkdir(parents=True, exist_ok=True)
    if not (made / "model").exists():
        (made / "model").symlink_to(folder / "runs" / name / "model")
    return next(iter(scored(folder, run).values()))


def shown(score: tuple[float, float, float]) -> str:
    value, low, high = score
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--start", type=Path, help="a model folder; without it random weights, at toy size only")
    parser.add_argument("--steps", type=int, default=300, help="of a task alone")
    parser.add_argument("--rate", type=float, default=1.0e-2)
    parser.add_argument("--limit", type=int, default=500, help="test examples of a task")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--toy", action="store_true")
    given = parser.parse_args()
    if given.start is None and not given.toy:
        parser.error("--start is missing: examples/pretrain.yaml makes one")
    if given.toy:
        given.steps, given.limit = 4, 10
    given.start = given.start and given.start.resolve()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    names = ["all", *TASKS]
    found = dict(
        zip(names, at_once([partial(learned, folder, given, name) for name in names], given.jobs), strict=True)
    )
    print("| task | alone | in the mixture | difference |\n|---|---|---|---|")
    for name, settings in TASKS.items():
        alone, mixed = (found[run][settings["task"]] for run in (name, "all"))
        print(f"| {settings['task']} | {shown(alone)} | {shown(mixed)} | {mixed[0] - alone[0]:+.3f} |")
    alone, mixed = (zero_shot(folder, given, name) for name in (FAMILY, "all"))
    print(f"| {HELD_OUT}, never seen | {shown(alone)} | {shown(mixed)} | {mixed[0] - alone[0]:+.3f} |")


if __name__ == "__main__":
    main()

"""What a pretrained start is worth: the same fine-tuning from it and from random weights, at equal updates.

    T2T_DATA=../shared/data python benchmarks/pretraining.py --folder runs/pretraining [--seeds 3] [--jobs 2]
    python benchmarks/pretraining.py --folder DIR --toy        # everything at toy size, in a minute or two

Starts, all of one shape and vocabulary: random weights; examples/pretrain.yaml for ``--steps`` updates, span corruption
of English and Chinese text (1.5 M parameters), of which none is of SNIPS or CSL; and that one adapted, for 3,000 more
updates of which half hide spans of the training texts of SNIPS and CSL, without their labels. From each SNIPS (intent
and slots) and the categories of Chinese titles (CSL) are learned from 16, 64, 256 and all training examples, which each
seed draws anew, the same for all starts. Scores are those of the whole test splits, greedy outputs as the model writes
them, and differences are paired by seed. What is there already is not done again: start it again to go on.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from real_runs import ROOT, SHARED_DATA, at_once, interval, scores, train

SIZES: tuple[int | None, ...] = (16, 64, 256, None)
UPDATES = {16: 150, 64: 200, 256: 300, None: 600}
RATES = {
    "random": 2e-2,
    "pretrained": 2e-2,
    "adapted": 2e-2,
}  # each the better of two on a seed of its own, 64 examples
MODELS = {"pretrained": "runs/pretrain/model", "adapted": "runs/adapted/model"}
METRICS = {"snips": ("accuracy", "span_f1"), "csl": ("accuracy",)}
FILES = {
    "snips": [f"snips_slots/train/{name}" for name in ("seq.in", "seq.out", "label")],
    "csl": ["csl_zh/cls_ctg/train.tsv"],
}


def template(task: str, few: str) -> dict[str, Any]:
    """A shipped template with one wording and the training files of ``few``."""
    shipped = {"snips": "snips/joint", "csl": "classification/csl_category"}[task]
    found: dict[str, Any] = yaml.safe_load((ROOT / "task_templates" / f"{shipped}.yaml").read_text(encoding="utf-8"))
    found.pop("replace_mentions", None)
    found.pop("prompts")
    if task == "snips":
        found["prompt"] = "snips: {text}"
        found["source"]["train"] = {
            name: f"{few}/{Path(file).name}" for name, file in zip(("text", "tags", "intent"), FILES[task], strict=True)
        }
    else:  # a few examples have not every label
        lines = (SHARED_DATA / FILES[task][0]).read_text(encoding="utf-8").splitlines()
        found["prompt"] = "学科门类：{title}"
        found["source"]["train"] = f"{few}/train.tsv"
        found["target"]["fields"]["category"]["label"] = sorted({line.split("\t")[2] for line in lines})
    return found


def few_examples(folder: Path, task: str, seed: int, size: int | None) -> str:
    """Write the training examples of a seed and a template that reads them; gives the task's name."""
    name = f"{task}_{size or 'all'}_{seed}"
    texts = [(SHARED_DATA / file).read_text(encoding="utf-8").splitlines() for file in FILES[task]]
    chosen = sorted(random.Random(seed).sample(range(len(texts[0])), size or len(texts[0])))
    place = folder / "data" / "few" / name
    place.mkdir(parents=True, exist_ok=True)
    for file, lines in zip(FILES[task], texts, strict=True):
        (place / Path(file).name).write_text("".join(f"{lines[at]}\n" for at in chosen), encoding="utf-8")
    for shared in SHARED_DATA.iterdir():
        link = folder / "data" / shared.name
        if not link.exists():
            link.symlink_to(shared)
    file = folder / "task_templates" / "few" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    written = {**template(task, f"few/{name}"), "task": f"few/{name}"}
    file.write_text(yaml.safe_dump(written, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return f"few/{name}"


def pretrain(steps: int) -> dict[str, Any]:
    run: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "pretrain.yaml").read_text(encoding="utf-8"))
    return {**run, "schedule": {"name": "linear", "warmup": min(100, steps // 2), "steps": steps}}


def adapt(folder: Path, steps: int) -> dict[str, Any]:
    """The run file that goes on from the pretrained start with the texts of the tasks, and templates for these."""
    tasks = []
    for task, spec, field in (
        ("snips", {"format": "parallel", "train": {"text": FILES["snips"][0]}}, "text"),
        ("csl", {"format": "tsv", "header": ["prompt", "title", "category"], "train": FILES["csl"][0]}, "title"),
    ):
        name = f"few/{task}_texts"
        hidden = {"span_corruption": {"of": "text", "noise": 0.2, "mean_span": 1.5, "anywhere": True}}
        written = {
            "task": name, "version": 1, "description": "Hidden words of the training texts, without labels.",
            "language": {"snips": "en", "csl": "zh"}[task], "source": spec, "fields": {"text": field},
            "token_task": hidden,
        }  # fmt: skip
        file = folder / "task_templates" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(written, allow_unicode=True, sort_keys=False), encoding="utf-8")
        tasks.append({"task": name, "weight": 1})
    kept = ("tatoeba_spans/en", "commongen_spans", "tatoeba_spans/zh", "docs_spans/zh")
    run = {key: value for key, value in pretrain(steps).items() if key not in ("tokenizer", "model")}
    mixed = [*tasks, *({"task": f"pretraining/{one}", "weight": 0.5} for one in kept)]
    return {**run, "run": "adapted", "tasks": mixed, "model": {"from": MODELS["pretrained"]}}


def fine_tune(start: str, task: str, seed: int, size: int | None, rate: float, toy: bool = False) -> dict[str, Any]:
    """The run file of one fine-tuning."""
    shape = pretrain(2)["model"]["from_scratch"]
    random_start = {"tokenizer": {"from": MODELS["pretrained"]}, "model": {"from_scratch": {**shape, "dropout": 0.1}}}
    chosen = random_start if start == "random" else {"model": {"from": MODELS[start], "dropout": 0.1}}
    return {
        "run": f"{start}_{task}_{size or 'all'}_{seed}_{rate:g}",
        "seed": seed,
        "tasks": [f"few/{task}_{size or 'all'}_{seed}"],
        **chosen,
        "lengths": {"prompt": 128, "target": 192},
        "optimizer": {"learning_rate": rate, "betas": [0.9, 0.99]},
        "schedule": {"steps": 4 if toy else UPDATES[size], "warmup": 2 if toy else 50},
        "batch": {"tokens": 2400, "micro_batches": 1, "window": 8192},
        "deepspeed": "ds_configs/zero0.json",
        "checkpoint": {"every": 1000000, "keep": 1},
        "generate": {"constrain": False, "limit": 16 if toy else None},
    }


def one(folder: Path, task: str, run: dict[str, Any]) -> dict[str, float]:
    return scores(folder, run, METRICS[task], folder / "data")


def study(folder: Path, task: str, size: int | None, starts: Sequence[str], given: argparse.Namespace) -> str:
    """The rows of a task and size: one a metric and start, beside random weights."""
    runs: list[Callable[[], dict[str, float]]] = []
    for seed in range(1, given.seeds + 1):
        few_examples(folder, task, seed, size)
        for start in ("random", *starts):
            runs.append(partial(one, folder, task, fine_tune(start, task, seed, size, RATES[start], given.toy)))
    found = at_once(runs, given.jobs)
    step = len(starts) + 1
    theirs, rows = found[::step], []
    for number, start in enumerate(starts, 1):
        ours = found[number::step]
        for metric in METRICS[task]:
            means = [statistics.mean(row[metric] for row in side) for side in (theirs, ours)]
            gain = interval([row[metric] - other[metric] for row, other in zip(ours, theirs, strict=True)])
            rows.append(f"| {task} | {size or 'all'} | {metric} | {means[0]:.3f} | {start} | {means[1]:.3f} | {gain} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/pretraining"))
    parser.add_argument("--steps", type=int, default=9000, help="of pretraining")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--sizes", nargs="+", type=int, default=[size or 0 for size in SIZES], help="0: all examples")
    parser.add_argument("--starts", nargs="+", choices=MODELS, default=list(MODELS), help="beside random weights")
    parser.add_argument("--rates", nargs="+", type=float, help="try these with 64 examples of seed 0, and end")
    parser.add_argument("--toy", action="store_true")
    given = parser.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    few_examples(folder, "snips", 0, 64)  # which links the data
    train(folder, pretrain(4 if given.toy else given.steps), folder / "data")
    if "adapted" in given.starts:
        train(folder, adapt(folder, 4 if given.toy else 3000), folder / "data")
    if given.rates:
        for task in METRICS:
            few_examples(folder, task, 0, 64)
            runs = [fine_tune(start, task, 0, 64, rate, given.toy) for start in given.starts for rate in given.rates]
            for run, row in zip(
                runs, at_once([partial(one, folder, task, run) for run in runs], given.jobs), strict=True
            ):
                print(run["run"], json.dumps(row), flush=True)
        return
    print("| task | examples | metric | random weights | start | from it | difference |\n|---|---|---|---|---|---|---|")
    for size in (size or None for size in given.sizes):
        for task in METRICS:
            print(study(folder, task, size, given.starts, given), flush=True)


if __name__ == "__main__":
    main()

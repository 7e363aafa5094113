"""What a pretrained start is worth: the same fine-tuning from it and from random weights, at equal updates.

    T2T_DATA=../shared/data python benchmarks/pretraining.py [--out runs/pretraining] [--minutes 12] [--seeds 3] [--toy]

A small T5 (3 + 3 layers of 192) learns T5's span corruption from ../shared/data's English and Chinese text, as
examples/pretrain.yaml says but for the time. Intents of BANKING77 and fields of study of Chinese titles (CSL) are then
learned from the first k examples (of a shuffled train set, one order a seed) from these weights and from random ones:
the same shape, vocabulary, updates and rate, greedy outputs for the same test examples. Both starts try the same rates;
a rate is chosen for each start on a valid split of the first seed's k = 64, then kept. results.jsonl in --out has one
line a fine-tuning, what is there is not done again. One process of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
STARTS = ("pretrained", "random")
RATES = (1.0e-2, 3.0e-3)
SIZES: tuple[int | None, ...] = (16, 64, 256, None)
TESTED, VALID, DRAWS = 500, 100, 10_000
TASKS = {"banking77": ("text", "category", "banking intent of: "), "csl": ("title", "category", "学科门类：")}


def records(name: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Train and test records of a data set, as its template reads them."""
    from t2t.tasks.task import load_task

    task = load_task({"banking77": "classification/banking77", "csl": "classification/csl_category"}[name])
    field, label, _ = TASKS[name]
    splits = (
        [{field: str(one.fields[field]), label: str(one.fields[label])} for one in task.examples(split)]
        for split in ("train", "test")
    )
    train, test = splits
    return train, test


def write_task(folder: Path, name: str, seed: int, k: int | None) -> str:
    """A template of one wording over k shuffled records, its valid split from the rest; its path."""
    train, test = records(name)
    random.Random(seed).shuffle(train)
    random.Random(0).shuffle(test)
    parts = {"valid": train[-VALID:], "test": test[:TESTED], "train": train[:-VALID][:k]}
    stem = f"{name}_{k or 'all'}_{seed}"
    for split, rows in parts.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{stem}.{split}.jsonl").write_text(lines, encoding="utf-8")
    field, label, said = TASKS[name]
    template = {
        "task": f"{folder.name}/{stem}",
        "version": 1,
        "source": {"format": "jsonl"} | {split: f"{stem}.{split}.jsonl" for split in parts},
        "prompt": f"{said}{{{field}}}",
        "shorten": {"field": field, "keep": "start"},
        "target": {"label": sorted({row[label] for row in train}), "gold": label},
        "metrics": ["accuracy"],
    }
    (folder / f"{stem}.yaml").write_text(yaml.safe_dump(template, allow_unicode=True), encoding="utf-8")
    return f"{stem}.yaml"


def pretrain(folder: Path, minutes: float, toy: bool) -> None:
    """The start, in runs/pretrain/model of the folder."""
    given = yaml.safe_load((ROOT / "examples" / "pretrain.yaml").read_text(encoding="utf-8"))
    given["schedule"] |= {"minutes": None, "steps": 4, "warmup": 1} if toy else {"minutes": minutes}
    given["batch"]["tokens"] = 1200
    if toy:
        given["tasks"], given["tokenizer"] = given["tasks"][:1], {"vocab_size": 2000}
    given["deepspeed"] = "ds_configs/zero0.json"
    start(folder, given, [[str(ROOT / "launch.sh")]], "model/model.safetensors")


def start(folder: Path, run: Mapping[str, Any], commands: Sequence[list[str]], makes: str) -> Path:
    """Run the commands for a run file, unless what they make is there; its path."""
    found = folder / "runs" / str(run["run"]) / makes
    if not found.is_file():
        file = folder / f"{run['run']}.run.yaml"
        file.write_text(json.dumps(run, ensure_ascii=False), encoding="utf-8")
        environment = {**os.environ, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
        environment["T2T_DATA"] = str(Path(os.environ.get("T2T_DATA", ROOT.parent / "shared" / "data")).resolve())
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        for command in commands:
            with (folder / "said.txt").open("a") as said:
                whole = [sys.executable, *command, "--config", file.name]
                done = subprocess.run(whole, cwd=folder, env=environment, stdout=said, stderr=said)
            if done.returncode:
                sys.exit(f"{' '.join(whole)}: exit code {done.returncode}, see {folder / 'said.txt'}")
    return found


def tune(folder: Path, task: str, key: Mapping[str, Any], steps: int, split: str) -> list[float]:
    """Fine-tune and score: 1.0 or 0.0 for each example of ``split``, in the order of its ids."""
    shape = yaml.safe_load((ROOT / "examples" / "pretrain.yaml").read_text(encoding="utf-8"))["model"]["from_scratch"]
    model: dict[str, Any] = {"from": "runs/pretrain/model", "dropout": 0.1}
    tokenizer: dict[str, Any] = {}
    if key["start"] == "random":
        model = {"from_scratch": {**shape, "dropout": 0.1}}
        tokenizer = {"tokenizer": {"from": "runs/pretrain/model"}}
    name = "_".join(str(part) for part in key.values()).replace(".", "-")
    run = {
        "run": name, "seed": key["seed"], "tasks": [task], **tokenizer, "model": model,
        "lengths": {"prompt": 192, "target": 32},
        "optimizer": {"learning_rate": key["rate"], "scale": "rms", "betas": [0.9, 0.99]},
        "schedule": {"steps": steps, "warmup": min(20, steps // 2)},
        "batch": {"tokens": 1200, "micro_batches": 1}, "precision": "auto",
        "deepspeed": "ds_configs/zero0.json", "generate": {"splits": [split]},
    }  # fmt: skip
    commands = [[str(ROOT / "launch.sh")], ["-m", "t2t", "generate"], ["-m", "t2t", "evaluate"]]
    scores = start(folder, run, commands, "scores.json")
    said = TASKS[key["task"]][2]
    field, label, _ = TASKS[key["task"]]
    rows = [json.loads(line) for line in (folder / f"{task[:-5]}.{split}.jsonl").read_text("utf-8").splitlines()]
    gold = {said + row[field]: row[label] for row in rows}
    (file,) = (scores.parent / "predictions").rglob("*.jsonl")
    told = {row["prompt"]: row["text"] for row in map(json.loads, file.read_text("utf-8").splitlines())}
    missing = sum(prompt not in told for prompt in gold)
    if missing:
        sys.exit(f"{file}: {missing} of {len(gold)} prompts are not there as they were asked; raise lengths: prompt")
    return [float(told[prompt] == label) for prompt, label in gold.items()]


def interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean of paired differences and its 95% bootstrap interval."""
    draw = random.Random(0)
    means = sorted(sum(draw.choices(differences, k=len(differences))) / len(differences) for _ in range(DRAWS))
    return sum(differences) / len(differences), means[int(0.025 * DRAWS)], means[int(0.975 * DRAWS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/pretraining"))
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--toy", action="store_true", help="a size that shows that it runs")
    given = parser.parse_args()
    sizes, tasks, seeds, steps = SIZES, list(TASKS), given.seeds, given.steps
    if given.toy:
        sizes, tasks, seeds, steps = (16,), ["csl"], 1, 4
    folder = given.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    pretrain(folder, given.minutes, given.toy)
    for name in tasks:
        few = sizes[min(1, len(sizes) - 1)]
        rate = {
            one: max(RATES, key=lambda rate: mean(done(folder, name, one, few, 1, rate, steps, "valid")))
            for one in STARTS
        }
        for k in sizes:
            pairs: list[float] = []
            means = []
            both = [
                [done(folder, name, one, k, seed, rate[one], steps, "test") for one in STARTS]
                for seed in range(1, seeds + 1)
            ]
            for pretrained, untrained in both:
                pairs += [a - b for a, b in zip(pretrained, untrained, strict=True)]
                means.append((mean(pretrained), mean(untrained)))
            least = interval(pairs)
            print(
                f"{name:<10} k {k or 'all':>4} rates {rate['pretrained']:g} {rate['random']:g}  pretrained"
                f" {mean([a for a, _ in means]):.3f}  random {mean([b for _, b in means]):.3f}"
                f"  difference {least[0]:+.3f} [{least[1]:+.3f}, {least[2]:+.3f}]",
                flush=True,
            )


def mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def done(
    folder: Path, name: str, start_: str, k: int | None, seed: int, rate: float, steps: int, split: str
) -> list[float]:
    """What ``tune`` says, from results.jsonl where it is there."""
    key = {"task": name, "start": start_, "k": k, "seed": seed, "rate": rate, "steps": steps, "split": split}
    file = folder / "results.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        row = json.loads(line)
        if row["key"] == key:
            return list(row["right"])
    right = tune(folder, write_task(folder, name, seed, k), key, steps, split)
    with file.open("a", encoding="utf-8") as rows:
        rows.write(json.dumps({"key": key, "right": right}) + "\n")
    return right


if __name__ == "__main__":
    main()

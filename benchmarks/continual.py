"""Continual learning on real data: how much each strategy keeps, and what it costs.

    python benchmarks/continual.py --out DIR                    # the start, CLINC150 in ten stages, three orders
    python benchmarks/continual.py --out DIR --strategies replay ewc --orders 1
    python benchmarks/continual.py --out DIR --toy              # everything at toy size, in a minute or two

CLINC150 is cut into its ten domains of 15 intents, learned one after the other in text form: the prompt is the same and
the model may say any of the 150 intents at any time (class-incremental). All strategies start from one model, trained
here on other data: span corruption of English text, sentence polarity and BANKING77. Each line of DIR/results.jsonl
is one strategy and order; a run that was killed goes on. At the end the table for RESULTS.md is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("T2T_SHARED", ROOT.parent / "shared"))
# The same budget of tuning for each: one setting that was tried beside the default, on order 0.
STRATEGIES: dict[str, dict[str, Any]] = {
    "sequential": {},
    "l2": {"strategy": "l2"},
    "ewc": {"strategy": "ewc"},
    "online ewc": {"strategy": "ewc", "online": True},
    "lwf": {"strategy": "lwf"},
    "averaging": {"strategy": "averaging"},
    "replay 1%": {"strategy": "replay", "keep": 0.01},
    "replay 5%": {"strategy": "replay", "keep": 0.05},
    "generative": {"strategy": "generative"},
    "adapters": {"strategy": "adapters"},
    "adapters by score": {"strategy": "adapters", "route": "score"},
    "progressive": {"strategy": "progressive"},
    "lora": {"strategy": "sequential"},
    "olora": {"strategy": "olora"},
    "joint": {"strategy": "joint"},
}
LORA = {"method": "lora", "r": 8, "targets": ["q", "k", "v", "o", "wi_0", "wi_1", "wo"]}
PROMPT = {"method": "prompt", "length": 20}
LORAS = ("adapters", "adapters by score", "lora", "olora")
PEFT = dict.fromkeys(LORAS, (LORA, 5.0e-3))  # with their rates
PEFT["progressive"] = PROMPT, 0.3
SHAPE = {"d_model": 192, "d_kv": 32, "d_ff": 512, "num_layers": 3, "num_decoder_layers": 3, "num_heads": 6}


def write_data(out: Path) -> list[str]:
    """Lines of CLINC150 by domain and a template for each; gives the domains."""
    folder = out / "task_templates" / "clinc"
    folder.mkdir(parents=True, exist_ok=True)
    data = json.loads((SHARED / "data/clinc150/data_full.json").read_text())
    domains = json.loads((SHARED / "data/clinc150/domains.json").read_text())
    labels = {intent: intent.replace("_", " ") for own in domains.values() for intent in own}
    names = []
    for domain, intents in domains.items():
        name = domain.replace(" ", "_").replace("&", "and").lower()
        names.append(name)
        for split, ours in (("train", "train"), ("val", "valid"), ("test", "test")):
            rows = [{"text": text, "intent": intent} for text, intent in data[split] if intent in intents]
            (folder / f"{name}.{ours}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        files = {split: f"{name}.{split}.jsonl" for split in ("train", "valid", "test")}
        template = {
            "task": f"clinc/{name}", "version": 1, "description": f"Intents of the domain {domain}.", "language": "en",
            "source": {"format": "jsonl", **files}, "fields": {"text": "text", "intent": "intent"},
            "prompt": "intent of: {text}", "target": {"label": labels, "gold": "intent"}, "metrics": ["accuracy"],
        }  # fmt: skip
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(template, sort_keys=False))
    return names


def run(out: Path, name: str, settings: Mapping[str, Any], log: Path) -> float:
    """Train a run file in two processes, in the folder ``out``; gives the seconds."""
    file = out / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"run": name, **settings}, sort_keys=False))
    began = time.perf_counter()
    with log.open("a") as said:
        command = [sys.executable, "-m", "t2t", "train", str(file.name)]
        subprocess.run(command, cwd=out, stdout=said, stderr=said, check=True)
    return time.perf_counter() - began


def common(toy: bool) -> dict[str, Any]:
    return {
        "lengths": {"prompt": 128, "target": 32},
        "optimizer": {"betas": [0.9, 0.99]},
        "batch": {"tokens": 1200, "micro_batches": 2},
        "deepspeed": "ds_configs/zero2.json",
        "checkpoint": {"every": 1000000, "keep": 1},
        "log": {"every": 50},
        "generate": {"splits": ["test"], "limit": 20 if toy else 100},
    }


def start(out: Path, given: argparse.Namespace) -> Path:
    """The model that all strategies start from."""
    made = out / "runs" / "start" / "model"
    if not made.is_dir():
        shape = {**SHAPE, "init": "copy"}
        tasks = ["pretraining/docs_spans/en", "classification/sentence_polarity", "classification/banking77"]
        settings = {
            "tasks": [{"task": task, "weight": weight} for task, weight in zip(tasks, (1, 1, 2), strict=True)],
            "tokenizer": {"vocab_size": 4000, "sample": 4000},
            "model": {"from_scratch": shape},
            "schedule": {"steps": 20 if given.toy else 100000, "minutes": given.start_minutes, "warmup": 10},
        }
        run(out, "start", {**common(given.toy), **settings}, out / "log.txt")
    return made


def stages(
    out: Path, given: argparse.Namespace, model: Path, domains: list[str], name: str, order: int
) -> dict[str, Any]:
    """Train one strategy in one order; gives its line of results."""
    order_of = random.Random(order).sample(domains, len(domains))[: 3 if given.toy else None]
    settings: dict[str, Any] = {
        **common(given.toy),
        "seed": order,
        "model": {"from": str(model.relative_to(out)), "dropout": 0.1},
        "schedule": {"steps": 5 if given.toy else given.steps, "warmup": 10, "name": "linear"},
        "stages": [{"name": domain, "tasks": [f"clinc/{domain}"]} for domain in order_of],
    }
    settings["optimizer"]["learning_rate"] = given.rate
    if name in PEFT:
        settings["peft"], settings["optimizer"]["learning_rate"] = PEFT[name]
    if STRATEGIES[name]:
        settings["continual"] = STRATEGIES[name]
    if name == "joint":  # one stage of everything, with the updates of all stages
        settings["stages"] = [{"name": "all", "tasks": [f"clinc/{domain}" for domain in order_of]}]
        settings["schedule"]["steps"] *= len(order_of)
        del settings["continual"]
    label = f"{name.replace(' ', '-').replace('%', '')}-{order}"
    seconds = run(out, label, settings, out / "log.txt")
    matrix = json.loads((out / "runs" / label / "continual.json").read_text())
    return {"strategy": name, "order": order, "seconds": round(seconds, 1), **matrix["summary"], "matrix": matrix}


def table(lines: list[dict[str, Any]]) -> str:
    """The table for RESULTS.md: mean and spread over the orders."""
    rows = ["| strategy | accuracy | forgetting | BWT | orders | seconds |", "|---|---|---|---|---|---|"]
    for name in STRATEGIES:
        own = [line for line in lines if line["strategy"] == name]
        if own:
            cells = [spread([line[key] for line in own]) for key in ("accuracy", "forgetting", "backward")]
            seconds = statistics.fmean(line["seconds"] for line in own)
            rows.append(f"| {name} | {' | '.join(cells)} | {len(own)} | {seconds:.0f} |")
    return "\n".join(rows)


def spread(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    more = f" ± {statistics.stdev(known):.3f}" if len(known) > 1 else ""
    return f"{statistics.fmean(known):.3f}{more}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--orders", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="of a stage")
    parser.add_argument("--rate", type=float, default=1.0e-2)
    parser.add_argument("--start-minutes", type=float, default=6.0)
    parser.add_argument("--toy", action="store_true")
    given = parser.parse_args()
    out = given.out.absolute()
    domains = write_data(out)
    model = start(out, given)
    file = out / "results.jsonl"
    done = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
    for order in range(given.orders):
        for name in given.strategies:
            if not any(line["strategy"] == name and line["order"] == order for line in done):
                done.append(stages(out, given, model, domains, name, order))
                with file.open("a") as lines:
                    lines.write(json.dumps(done[-1]) + "\n")
                print(name, order, {key: value for key, value in done[-1].items() if key != "matrix"}, flush=True)
    print(table(done))


if __name__ == "__main__":
    main()

"""What each PEFT method is worth: full fine-tuning and every method from one start, on SNIPS and on CLINC150.

    T2T_SHARED=../shared python benchmarks/peft_methods.py --out DIR [--jobs 2]
    python benchmarks/peft_methods.py --out DIR --methods full lora --data snips --toy     # in a minute

The start is that of benchmarks/continual.py (1.2 M parameters, pretrained here). Each method has the same updates on
the same examples and three rates; the one that is best on the validation split is in the table, with its test scores.
Memory is the largest of the training process, seconds are of one core, tokens/s the best line of metrics.csv (what else
runs on the machine only lowers it), and the size on disk is that of what was trained alone. Each run is a line of
DIR/peft.jsonl; what is there is not done again.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import json
import math
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from continual import start
from continual_runs import as_table, common, run
from continual_ways import LORA
from real_runs import at_once
from safetensors import safe_open

_SMALL, _LARGE = (1e-3, 3e-3, 1e-2), (3e-3, 1e-2, 3e-2)
METHODS: Mapping[str, tuple[Mapping[str, Any] | None, tuple[float, float, float]]] = {
    "full": (None, (5e-3, 1e-2, 2e-2)),  # relative to the size of the weights
    "lora": (LORA, _SMALL),
    "lora, q and v": ({"method": "lora", "r": 8}, _SMALL),
    "ia3": ({"method": "ia3"}, _LARGE),
    "layernorm": ({"method": "layernorm"}, _LARGE),
    "bitfit": ({"method": "bitfit"}, _LARGE),
    "houlsby": ({"method": "houlsby"}, _SMALL),
    "pfeiffer": ({"method": "pfeiffer"}, _SMALL),
    "prefix": ({"method": "prefix"}, _LARGE),
    "prompt": ({"method": "prompt"}, (0.1, 0.3, 1.0)),
}
DATA = {"snips": "snips/joint", "clinc150": "classification/clinc150"}
METRICS = {"snips": ("accuracy", "span_f1"), "clinc150": ("accuracy",)}
Line = dict[str, Any]


def measure(out: Path, given: argparse.Namespace, method: str, data: str, rate: float) -> Line:
    """A method at one rate: its scores on both splits and what it cost."""
    peft, _ = METHODS[method]
    name = f"{method.replace(', ', '-').replace(' ', '-')}-{data}-{rate:g}"
    settings = {
        **common(given.toy),
        "tasks": [{"task": DATA[data], **({"limit": 200} if given.toy else {})}],
        "model": {"from": "runs/start/model", "dropout": 0.1},
        "lengths": {"prompt": 96, "target": 96},
        "batch": {"tokens": 1200, "micro_batches": 1},
        "schedule": {"steps": 4 if given.toy else given.steps, "warmup": 2 if given.toy else 30, "name": "linear"},
        "optimizer": {"betas": [0.9, 0.99], "learning_rate": rate},
        "generate": {"splits": ["valid", "test"], "constrain": False, "limit": 20 if given.toy else None},
    }
    if peft is not None:
        settings["peft"] = dict(peft)
    cost = run(out, name, settings)
    for command in ("generate", "evaluate"):
        subprocess.run(
            [sys.executable, "-m", "t2t", command, "--config", f"{name}.yaml"], cwd=out, check=True, capture_output=True
        )
    made = out / "runs" / name
    scores = json.loads((made / "scores.json").read_text())
    found = {f"{one['split']} {one['metric']}": one["value"] for one in scores if one["metric"] in METRICS[data]}
    trained, whole = _counts((out / f"{name}.log").read_text(), made)
    alone = made / ("model" if peft is None else "adapter")
    if not alone.is_dir():  # a method that does not merge
        alone = made / "model"
    weights = "adapter.safetensors" if peft is not None else "model.safetensors"
    return {
        "method": method, "data": data, "rate": rate, **found, **asdict(cost), "trained": trained, "whole": whole,
        "tokens": _tokens_a_second(made), "disk": (alone / weights).stat().st_size,
    }  # fmt: skip


def _counts(log: str, made: Path) -> tuple[int, int]:
    """Parameters that were trained, and all of them. Where nothing is said all are trained."""
    said = re.search(r"([\d,]+) of ([\d,]+) parameters are trained", log)
    if said is not None:
        trained, whole = (int(number.replace(",", "")) for number in said.groups())
        return trained, whole
    with safe_open(made / "model" / "model.safetensors", "pt") as weights:
        count = sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    return count, count


def _tokens_a_second(made: Path) -> float:
    with (made / "metrics.csv").open(newline="") as file:
        return max(float(row["tokens_per_second"]) for row in csv.DictReader(file))


def measured(out: Path, given: argparse.Namespace, method: str, data: str, rate: float) -> Line:
    """The same, as far as it is not done."""
    file = out / "peft.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
    for line in lines:
        if (line["method"], line["data"], line["rate"]) == (method, data, rate):
            return line  # type: ignore[no-any-return]
    line = measure(out, given, method, data, rate)
    with file.open("a") as added:
        fcntl.flock(added, fcntl.LOCK_EX)
        added.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)
    return line


def table(lines: list[Line], data: str) -> str:
    """Of each method the rate that validation prefers, by the mean of the metrics."""
    metrics = METRICS[data]
    rows = []
    for method in METHODS:
        own = [line for line in lines if (line["method"], line["data"]) == (method, data)]
        if own:
            best = max(own, key=lambda line: sum(line[f"valid {metric}"] for metric in metrics))
            share = f"{best['trained'] / best['whole']:.2%}"
            scores = [f"{best[f'test {metric}']:.3f}" for metric in metrics]
            sizes = [f"{best['megabytes']:.0f}", f"{best['tokens']:,.0f}", f"{best['disk'] / 1e3:,.0f}"]
            rows.append([method, f"{best['rate']:g}", share, *scores, *sizes])
    heading = ["method", "rate", "trained", *(f"test {metric}" for metric in metrics), "MB", "tokens/s", "kB on disk"]
    return as_table(heading, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--toy", action="store_true")
    given = parser.parse_args()
    out = given.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    start(out, given)
    asked = [
        partial(measured, out, given, method, data, rate)
        for data in given.data
        for method in given.methods
        for rate in METHODS[method][1][: 1 if given.toy else None]
    ]
    lines = at_once(asked, given.jobs)
    for data in given.data:
        print(f"\n{data}\n\n{table(lines, data)}")


if __name__ == "__main__":
    main()

"""How benchmarks/continual.py trains one strategy: run files, a process each, and what came of it."""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from continual_ways import Way

Stage = tuple[str, Sequence[Mapping[str, Any]]]  # its name and its tasks


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took: seconds by the clock and of a processor, and the most memory of its process (MB)."""

    seconds: float
    processor: float
    megabytes: float


def common(toy: bool) -> dict[str, Any]:
    """What all runs have."""
    return {
        "optimizer": {"betas": [0.9, 0.99]},
        "deepspeed": "ds_configs/zero2.json",
        "checkpoint": {"every": 1000000, "keep": 1},
        "log": {"every": 5 if toy else 10},
        "generate": {"splits": ["test"], "limit": 10 if toy else 50},
    }


def run(out: Path, name: str, settings: Mapping[str, Any]) -> Cost:
    """Train a run file in one process, in the folder ``out``. What it says is in NAME.log there."""
    file = out / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"run": name, **settings}, sort_keys=False))
    began = time.perf_counter()
    with (out / f"{name}.log").open("w") as said:
        command = [sys.executable, "-m", "t2t.commands.launch", "--config", file.name]
        environment = {**os.environ, "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "10000"}
        process = subprocess.Popen(command, cwd=out, stdout=said, stderr=said, env=environment)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((out / f"{name}.log").read_text()[-2000:])
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def staged(way: Way, stages: Sequence[Stage], steps: int) -> dict[str, Any]:
    """What a run of ``stages``, each a name and its tasks, has for a strategy. Joint trains one stage of all of them,
    with the updates of all."""
    if way.gathers:
        stages, steps = [("all", [task for _, tasks in stages for task in tasks])], steps * len(stages)
    found: dict[str, Any] = {
        "schedule": {"steps": steps, "warmup": max(1, steps // 10), "name": "linear"},
        "stages": [{"name": name, "tasks": [dict(task) for task in tasks]} for name, tasks in stages],
        "optimizer": {"betas": [0.9, 0.99], "learning_rate": way.rate},
    }
    if way.continual and not way.gathers:
        found["continual"] = dict(way.continual)
    if way.peft:
        found["peft"] = dict(way.peft)
    return found


def matrix_of(out: Path, name: str) -> dict[str, Any]:
    """continual.json of a run."""
    found: dict[str, Any] = json.loads((out / "runs" / name / "continual.json").read_text())
    return found


def learned(matrix: Mapping[str, Any]) -> float:
    """The mean score of the tasks right after the stage that each came in."""
    return statistics.fmean(matrix["scores"][came][task] for task, came in enumerate(matrix["came"]))


def seconds_a_step(out: Path, name: str, stage: str) -> float:
    """The least of the lines of metrics.csv of a stage, but for the first, whose kernels are new: what else runs on
    the machine only adds to it."""
    with (out / "runs" / name / "stages" / stage / "metrics.csv").open(newline="") as file:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    spans = [
        (now["tokens"] - before["tokens"]) / now["tokens_per_second"] / (now["step"] - before["step"])
        for before, now in pairwise(rows)
    ]
    return min(spans)


def spread(values: Sequence[float | None]) -> str:
    """Mean and standard deviation."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    more = f" ± {statistics.stdev(known):.3f}" if len(known) > 1 else ""
    return f"{statistics.fmean(known):.3f}{more}"


def as_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """For RESULTS.md."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""Whole runs on real data, each trained, generated and scored by its commands: one process of one thread each."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = Path(os.environ.get("T2T_DATA", ROOT.parent / "shared" / "data")).resolve()
T = TypeVar("T")
# Of two-sided 95% intervals, by the number of differences (Student's t).
_STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36}


def scores(
    folder: Path, run: Mapping[str, Any], metrics: Collection[str], data: Path = SHARED_DATA
) -> dict[str, float]:
    """Train, generate and score a run file, as far as that is not done; its first task's metrics on its test split."""
    found = train(folder, run, data) / "scores.json"
    if not found.is_file():
        for word in ("generate", "evaluate"):
            command(folder, word, run, data)
    read = json.loads(found.read_text(encoding="utf-8"))
    return {one["metric"]: one["value"] for one in read if one["metric"] in metrics}


def train(folder: Path, run: Mapping[str, Any], data: Path = SHARED_DATA) -> Path:
    """Train a run file, as far as that is not done; gives the run's folder."""
    made = folder / "runs" / str(run["run"])
    if not (made / "model" / "config.json").is_file():
        file = folder / f"{run['run']}.yaml"
        file.write_text(json.dumps(run), encoding="utf-8")
        _call(folder, [sys.executable, str(ROOT / "launch.sh"), "--config", file.name], data)
    return made


def command(folder: Path, word: str, run: Mapping[str, Any], data: Path = SHARED_DATA) -> None:
    """Call a command for a run file, which is written anew."""
    file = folder / f"{run['run']}.yaml"
    file.write_text(json.dumps(run), encoding="utf-8")
    _call(folder, [sys.executable, "-m", "t2t", word, "--config", file.name], data)


def _call(folder: Path, command: list[str], data: Path) -> None:
    environment = {**os.environ, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "T2T_DATA": str(data)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    log = folder / "log.txt"
    with log.open("a") as output:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=output)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}, see {log}")


def at_once(jobs: Sequence[Callable[[], T]], workers: int) -> list[T]:
    """What each job gives, ``workers`` of them at a time."""
    with ThreadPoolExecutor(workers) as pool:
        return [one.result() for one in [pool.submit(job) for job in jobs]]


def interval(differences: Sequence[float]) -> str:
    """Mean and half the 95% interval of paired differences."""
    mean = statistics.mean(differences)
    if len(differences) < 2:
        return f"{mean:+.3f}"
    half = _STUDENT.get(len(differences), 2.3) * statistics.stdev(differences) / math.sqrt(len(differences))
    return f"{mean:+.3f} ±{half:.3f}"

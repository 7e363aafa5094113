"""What bf16 changes in the outputs of a trained run: speed, share of changed outputs and values, and scores, by task.

    python benchmarks/generation_precision.py runs/atlas/run.yaml --limit 200

Generates for the splits of the run in fp32 and in bf16, with the decoding that its run file asks for, into a folder
that is removed again. On a machine that does not multiply bf16 in hardware (said in the first line) the speeds say
nothing of one that does; the outputs do.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from t2t.commands.generate import generate
from t2t.config.run import RunConfig, load_run
from t2t.engine.distributed import device_name, has_gpu, multiplies_bf16
from t2t.evaluation.evaluate import evaluate
from t2t.runs.run_files import prediction_file
from t2t.runs.run_tasks import answering_tasks
from t2t.structures import Json
from t2t.tasks.task import Task


def generated(run: RunConfig, task: Task, precision: str, limit: int | None, out: Path) -> tuple[float, list[Json]]:
    """Seconds, the loading of the model counted, and the lines of all splits."""
    started = time.perf_counter()
    settings = replace(run.generate, limit=limit, precision=precision)
    generate(run.directory, [task], settings, run.lengths, out=out)
    seconds = time.perf_counter() - started
    files = [prediction_file(out, task.name, split) for split in run.generate.splits if split in task.splits()]
    return seconds, [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def compared(run: RunConfig, task: Task, limit: int | None, folder: Path) -> tuple[int, int]:
    """Print the line of a task; gives how many outputs there are and how many of them changed."""
    seconds, lines, scores = {}, {}, {}
    generated(run, task, "fp32", 8, folder / "warm")  # grammars are compiled once a process
    for precision in ("fp32", "bf16"):
        out = folder / precision
        seconds[precision], lines[precision] = generated(run, task, precision, limit, out)
        splits = [split for split in run.generate.splits if split in task.splits()]
        scores[precision] = evaluate(out, [task], splits, limit=limit)[0].value
    pairs = list(zip(lines["fp32"], lines["bf16"], strict=True))
    texts = sum(one["text"] != other["text"] for one, other in pairs)
    values = sum(one["value"] != other["value"] for one, other in pairs)
    print(
        f"{task.name:<28} {len(pairs):>6} outputs  texts changed {texts / len(pairs):7.2%}  "
        f"values changed {values / len(pairs):7.2%}  score {scores['fp32']:.4f} to {scores['bf16']:.4f}  "
        f"seconds {seconds['fp32']:.1f} to {seconds['bf16']:.1f}",
        flush=True,
    )
    return len(pairs), texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="the run file of a run that is trained, e.g. runs/atlas/run.yaml")
    parser.add_argument("--limit", type=int, help="inputs a task and split; by default as the run file says")
    given = parser.parse_args()
    run = load_run(given.run)
    fast = multiplies_bf16(torch.device("cuda" if has_gpu() else "cpu"))
    print(
        f"{device_name()}, {'multiplies' if fast else 'does not multiply'} bf16 in hardware; torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as folder:
        tasks, limit = answering_tasks(run.tasks, run.where), given.limit or run.generate.limit
        counts = [compared(run, task, limit, Path(folder)) for task in tasks]
    everything, changed = (sum(column) for column in zip(*counts, strict=True))
    print(f"all tasks: {changed} of {everything} outputs changed ({changed / everything:.2%})")


if __name__ == "__main__":
    main()

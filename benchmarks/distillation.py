"""What a teacher is worth to a small student: intent and slots of SNIPS, with and without it, at equal updates.

    T2T_DATA=../shared/data python benchmarks/distillation.py [--folder runs/distillation] [--seeds 3]

A teacher (mini, 3.1 M parameters without the embedding) learns all 13,084 training utterances. Students of a tenth of
that size then learn in five ways, the same number of updates of the same size each: from all utterances or from 256
alone with their gold, with and without the teacher's distributions (weight and temperature below), and from the targets
that the teacher writes for 2,000 prompts, of whose gold nothing is used. One process of one thread; greedy outputs for
the 700 test utterances, as the model writes them. What is there already is not done again: start it again to go on.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from real_runs import ROOT, interval, scores

TASK = "snips/joint"
METRICS = ("accuracy", "span_f1", "exact_match")
SHAPE = {"d_model": 96, "d_kv": 16, "d_ff": 256, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 6}
TEACHER_STEPS, STUDENT_STEPS, FEW, PROMPTS = 1000, 300, 256, 2000
LEARNS_FROM = {"weight": 0.5, "temperature": 2.0}


def template(folder: Path) -> None:
    """snips/joint with one wording and its utterances as they are, so that all students see the same."""
    text = (ROOT / "task_templates" / "snips" / "joint.yaml").read_text(encoding="utf-8")
    before, after = text.split("prompts:\n")[0], text[text.index("shorten:") :]
    path = folder / "task_templates" / "snips" / "joint.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{before}prompt: "snips: {{text}}"\n{after}', encoding="utf-8")


def settings(
    name: str, seed: int, steps: int, model: Mapping[str, Any], micro_batches: int = 2, **more: Any
) -> dict[str, Any]:
    return {
        "run": name,
        "seed": seed,
        "tasks": [{"task": TASK, **more.pop("entry", {})}],
        "tokenizer": {"from": "runs/teacher/model"},
        "model": {"from_scratch": dict(model)},
        "lengths": {"prompt": 128, "target": 192},
        "optimizer": {"learning_rate": 2.0e-2, "betas": [0.9, 0.99]},
        "schedule": {"steps": steps, "warmup": 50},
        "batch": {"tokens": 1200, "micro_batches": micro_batches, "window": 8192},
        "precision": "auto",
        "deepspeed": "ds_configs/zero0.json",
        "checkpoint": {"every": 200},
        "generate": {"constrain": False},
        **more,
    }


def students(seed: int) -> dict[str, dict[str, Any]]:
    """The run files of a seed's students by what they learn from."""
    taught = {"from": "runs/teacher/model", **LEARNS_FROM}
    ways: dict[str, dict[str, Any]] = {
        f"{FEW}, gold": {"entry": {"limit": FEW}},
        f"{FEW}, gold and teacher": {"entry": {"limit": FEW}, "teacher": taught},
        f"{PROMPTS:,} prompts, the teacher's targets": {
            "entry": {"limit": PROMPTS},
            "teacher": {"from": "runs/teacher/model", "targets": "generated"},
        },
        "all, gold": {},
        "all, gold and teacher": {"teacher": taught},
    }
    return {
        way: settings(f"student{place}_{seed}", seed, STUDENT_STEPS, {**SHAPE, "dropout": 0.1}, micro_batches=1, **more)
        for place, (way, more) in enumerate(ways.items())
    }


def show(found: Mapping[str, list[dict[str, float]]]) -> None:
    few, everything = f"{FEW}, gold", "all, gold"
    print(f"{'learned from':<40}" + "".join(f"{name:>14}{'against gold alone':>20}" for name in METRICS))
    for way, rows in found.items():
        peer = found[everything if way.startswith("all") else few][: len(rows)]
        cells = []
        for name in METRICS:
            cells.append(f"{statistics.mean(row[name] for row in rows):>14.3f}")
            differences = [row[name] - other[name] for row, other in zip(rows, peer, strict=True)]
            cells.append(f"{interval(differences) if peer != rows else '':>20}")
        print(f"{way:<40}{''.join(cells)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/distillation"))
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    folder = given.folder.resolve()
    template(folder)
    teacher = settings("teacher", 1, TEACHER_STEPS, {"size": "mini", "dropout": 0.1})
    teacher["tokenizer"] = {"vocab_size": 2000}
    print("teacher", scores(folder, teacher, METRICS), flush=True)
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(1, given.seeds + 1):
        for way, run in students(seed).items():
            found.setdefault(way, []).append(scores(folder, run, METRICS))
        print(f"\nseeds 1 to {seed}:")
        show(found)


if __name__ == "__main__":
    main()

"""``t2t demo``: the whole way in one command, and ``t2t train``: what launch.sh does, from anywhere."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from t2t.errors import T2TError

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = ROOT / "launch.sh"


class TrainingFailed(T2TError):
    """The training processes ended with an exit code other than 0; they have said why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"training ended with exit code {code}")
        self.code = code


def launch(config: Path, overrides: list[str]) -> None:
    """Train by ``deepspeed launch.sh``. TrainingFailed carries the exit code of the training.

    Mistakes in run file, DeepSpeed file and templates, as far as no data are needed to see them, are found before
    anything is started: InputError.
    """
    from t2t.config.deepspeed import read_deepspeed
    from t2t.config.run import load_run
    from t2t.engine.forwarding import run_and_forward
    from t2t.runs.run_tasks import load_tasks

    run = load_run(config, overrides)
    read_deepspeed(run.deepspeed, run)
    load_tasks(run)
    arguments = ["--config", str(config), *(part for override in overrides for part in ("--set", override))]
    launcher = Path(sys.executable).with_name("deepspeed")
    path = os.pathsep.join([str(launcher.parent), os.environ.get("PATH", "")])
    code = run_and_forward([str(launcher), str(LAUNCH), *arguments], {**os.environ, "PATH": path})
    if code:
        raise TrainingFailed(code)


def demo(overrides: list[str]) -> Path:
    """Train examples/atlas.yaml, generate, evaluate, print the table; returns the report's path."""
    from t2t.config.run import load_run
    from t2t.runs.evaluate import evaluate_run, print_table
    from t2t.runs.generate import generate_run
    from t2t.runs.report import write_report

    started = time.monotonic()
    config = ROOT / "examples" / "atlas.yaml"
    run = load_run(config, overrides)
    launch(config, overrides)
    trained = time.monotonic()
    generate_run(run)
    print_table(evaluate_run(run))
    report = write_report(run.directory)
    print(f"trained in {(trained - started) / 60:.1f} minutes, all in {(time.monotonic() - started) / 60:.1f}")
    print(f"report: {report}")
    return report

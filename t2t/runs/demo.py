"""``t2t demo``: the whole way in one command."""

from __future__ import annotations

import time
from pathlib import Path

from t2t.config.library import shipped
from t2t.runs.start import start_training


def demo(overrides: list[str]) -> Path:
    """Train examples/atlas.yaml, generate, evaluate, print the table; returns the report's path."""
    from t2t.config.run import load_run
    from t2t.runs.evaluate import evaluate_run, print_table
    from t2t.runs.generate import generate_run
    from t2t.runs.report import write_report

    started = time.monotonic()
    config = shipped("examples") / "atlas.yaml"
    run = load_run(config, overrides)
    start_training(config, overrides)
    trained = time.monotonic()
    generate_run(run)
    print_table(evaluate_run(run))
    report = write_report(run.directory)
    print(f"trained in {(trained - started) / 60:.1f} minutes, all in {(time.monotonic() - started) / 60:.1f}")
    print(f"report: {report}")
    return report

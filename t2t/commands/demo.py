"""``t2t demo``: the whole way in one command."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from t2t.commands.start import start_training
from t2t.config.shipped_files import shipped
from t2t.structures import Span, Value

if TYPE_CHECKING:
    from t2t.serving.model import AdaptedModel, Model

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
SENTENCES = ("He speaks Finnish and pays in euros.", "Oslo is the capital of Norway.", "北京是中国的首都。")


def demo(overrides: list[str], sentences: Sequence[str] | None = None) -> Path:
    """Train examples/atlas.yaml, generate, evaluate, print the table and what the model finds in ``sentences``
    (three of ours by default); returns the report's path."""
    from t2t.commands.generate import generate_run
    from t2t.config.run import load_run
    from t2t.evaluation.evaluate import evaluate_run, print_table
    from t2t.report import write_report
    from t2t.serving.model import load

    started = time.monotonic()
    config = shipped("examples") / "atlas.yaml"
    run = load_run(config, overrides)
    start_training(config, overrides)
    trained = time.monotonic()
    generate_run(run)
    print_table(evaluate_run(run))
    report = write_report(run.directory)
    for line in found_in(load(run.directory), sentences or SENTENCES):
        print(line)
    print(f"\nask it yourself: echo 'Your sentence.' | t2t generate --model {run.directory} --task TASK --input -")
    print(f"trained in {(trained - started) / 60:.1f} minutes, all in {(time.monotonic() - started) / 60:.1f}")
    print(f"report: {report}")
    return report


def found_in(model: Model | AdaptedModel, sentences: Sequence[str]) -> Iterator[str]:
    """For each sentence what the demo's tasks for its language find in it."""
    for sentence in sentences:
        yield f"\n{sentence}"
        tasks = ("atlas/ner_zh",) if _CHINESE.search(sentence) else ("atlas/ner_en", "atlas/relation_en")
        for task in (task for task in tasks if task in model.tasks):
            (answer,) = model(task, [sentence])
            yield f"  {task:18} {_shown(answer.value)}"


def _shown(value: Value) -> str:
    """A value in one line, spans as their surfaces."""
    if isinstance(value, Span):
        return value.text
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_shown(inner)}" for name, inner in value.items())
    return " ; ".join(map(_shown, value)) or "nothing" if isinstance(value, list) else str(value)

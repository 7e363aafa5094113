"""Evaluate: prediction lines in, scores and the worst examples out. No model is loaded."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from t2t import __version__
from t2t.config.run import RunConfig
from t2t.errors import DataError, RunDirectoryError
from t2t.linear.parsed import Issue, Parsed
from t2t.metrics import Metric, build_metrics, health_metrics, score, segments
from t2t.metrics.base import Columnar, Stats, each_alone
from t2t.metrics.ceiling import Ceiling
from t2t.runs.prediction_lines import Parser, parse_line
from t2t.runs.run_files import prediction_file, prediction_name, read_lines, write_json
from t2t.runs.run_tasks import answering_tasks
from t2t.structures import Example, Json, Value

WORST = 10
HEALTH = ("unparseable", "ungrounded")


class Scorable(Parser, Protocol):
    """What evaluation needs of a task (see t2t.tasks.task.Task)."""

    name: str
    version: int
    language: str

    @property
    def metrics(self) -> Sequence[Json]: ...

    @property
    def metrics_where(self) -> str: ...

    def splits(self) -> list[str]: ...

    def examples(self, split: str) -> Iterator[Example]: ...

    def references(self, example: Example) -> list[Value]: ...

    def target_text(self, example: Example) -> str: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One line of scores.json: a metric of a task's split, its 95% interval, and the best value it can have.

    ``ceiling``: what the task's own gold scores, where that is not the best (see t2t.metrics.ceiling).
    """

    task: str
    split: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    signature: str
    best: float
    ceiling: float


@dataclass(frozen=True, slots=True)
class Judged:
    """An example, the line that was predicted for it, what the line says, and what it should say."""

    example: Example
    line: Json
    parsed: Parsed
    references: list[Value]


def evaluate(
    run_dir: str | Path,
    tasks: Sequence[Scorable],
    splits: Sequence[str],
    *,
    limit: int | None = None,
    decoding: str = "greedy",
) -> list[Row]:
    """Score the predictions in ``run_dir`` for those of ``splits`` that each task has; ``limit`` as in generate.
    ``decoding`` stands in the signatures.

    Writes scores.json and worst.json (each replaced as a whole). Raises RunDirectoryError where a predictions file is
    missing, DataError where its ids are not exactly those of the examples.
    """
    directory = Path(run_dir)
    rows: list[Row] = []
    worst: dict[str, Json] = {}
    for task in tasks:
        metrics = task_metrics(task)
        for split in [split for split in splits if split in task.splits()]:
            with _no_cycle_search():
                judged = list(judge(directory, task, split, limit))
                pairs = [(one.references, one.parsed) for one in judged]
                scored = [(metric, segments(metric, pairs)) for metric in metrics]
            ceilings = _ceilings(task, judged, metrics)
            rows += [_row(task, split, decoding, *pair, ceilings[pair[0].name]) for pair in scored]
            worst[prediction_name(task.name, split)] = _worst(task, judged, scored)
    if not rows:
        raise RunDirectoryError(str(directory), f"no task has a split of {list(splits)}", "name other splits")
    write_json(directory / "scores.json", [asdict(row) for row in rows])
    write_json(directory / "worst.json", worst)
    return rows


@contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Golds and values are trees: searching millions of them for cycles, again and again, would take half the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def evaluate_run(run: RunConfig) -> list[Row]:
    """``evaluate`` as a run file asks for: its tasks but for token tasks, splits and limit, in its directory."""
    return evaluate(
        run.directory,
        answering_tasks(run),
        run.generate.splits,
        limit=run.generate.limit,
        decoding=run.generate.decoding,
    )


def task_metrics(task: Scorable) -> list[Metric]:
    """The metrics of a task's template and the two of every task. TemplateError, with FILE:LINE, for a wrong one."""
    wanted = [spec for spec in task.metrics if spec not in HEALTH]
    return [*build_metrics(wanted, task.metrics_where, task.language), *health_metrics()]


def judge(directory: Path, task: Scorable, split: str, limit: int | None = None) -> Iterator[Judged]:
    """The examples of a split with their predictions, parsed again, in the order of the examples.

    That an output was cut at the length limit is known to the line alone, so that issue is taken over from it.
    """
    path = prediction_file(directory, task.name, split)
    lines = _lines(path)
    for example in islice(task.examples(split), limit):
        line = lines.pop(example.id, None)
        if line is None:
            raise DataError(str(path), f"no prediction for example {example.id!r}", "generate the predictions again")
        parsed = parse_line(task, line, example)
        cut = tuple(Issue("cut", "", "") for issue in line.get("issues", []) if issue["kind"] == "cut")
        yield Judged(
            example, line, Parsed(parsed.value, parsed.issues + cut, line.get("score")), task.references(example)
        )
    if lines:
        found = f"predictions for ids that are no examples, {next(iter(lines))!r} among them ({len(lines)} in all)"
        raise DataError(str(path), found, "evaluate with the data and limit that it was generated with")


def _lines(path: Path) -> dict[str, Json]:
    if not path.is_file():
        raise RunDirectoryError(str(path), "no such predictions", "run `t2t generate` first")
    lines: dict[str, Json] = {}
    for where, line in read_lines(path):
        if line["id"] in lines:
            raise DataError(where, f"id {line['id']!r} stands there twice", "generate the predictions again")
        lines[line["id"]] = line
    return lines


def _ceilings(task: Scorable, judged: Sequence[Judged], metrics: Sequence[Metric]) -> Mapping[str, float]:
    ceiling = Ceiling(metrics)
    for one in judged:
        if ceiling.full:
            break
        ceiling.add(one.references, task.parse(task.target_text(one.example), one.example))
    return ceiling.values()


def _row(task: Scorable, split: str, decoding: str, metric: Metric, stats: Stats, ceiling: float) -> Row:
    parts = [metric.name, f"{prediction_name(task.name, split)}@{task.version}", decoding, f"t2t:{__version__}"]
    signature = "|".join([*parts, metric.detail] if metric.detail else parts)
    found = score(metric, stats, len(stats), signature)
    numbers = found.value, found.low, found.high, found.n
    return Row(task.name, split, found.name, *numbers, signature, metric.best, ceiling)


def _worst(task: Scorable, judged: list[Judged], scored: Sequence[tuple[Metric, Stats]]) -> list[Json]:
    """The ten examples furthest from the best of a metric, worst first; those that reach it are not among them.

    The metric is the first that tells single examples apart: a correlation does not.
    """
    tried = [(m, each_alone(m, rows)) for m, rows in scored if not isinstance(m, Columnar) and len(rows)]
    if not tried:
        return []
    metric, values = next(((m, found) for m, found in tried if len(set(found.tolist())) > 1), tried[0])
    distance = np.abs(values - metric.best)
    order = np.argsort(-distance, kind="stable")[:WORST]
    return [_entry(task, judged[i], metric.name, float(values[i])) for i in order if distance[i] > 1e-9]


def _entry(task: Scorable, judged: Judged, metric: str, value: float) -> Json:
    issues = [asdict(issue) for issue in judged.parsed.issues]
    line = {"id": judged.example.id, "prompt": judged.line.get("prompt", ""), "gold": task.target_text(judged.example)}
    return {**line, "text": judged.line["text"], "issues": issues, "metric": metric, "value": value}


def table(rows: Sequence[Row]) -> str:
    """The rows as an aligned table; the share of unparseable outputs stands beside the metrics of its task.

    What the gold itself scores has a column where any metric's best is out of reach.
    """
    health = {(row.task, row.split): row.value for row in rows if row.metric == "unparseable"}
    lines = [("task", "metric", "value", "95% interval", "ceiling", "n", "unparseable")]
    shown = ("", "")
    for row in rows:
        if row.metric in HEALTH:
            continue
        first = (row.task, row.split) != shown
        shown = (row.task, row.split)
        name = prediction_name(row.task, row.split) if first else ""
        share = f"{health[shown]:.1%}" if first and shown in health else ""
        interval = f"{number(row.low, row.best)} to {number(row.high, row.best)}"
        ceiling = number(row.ceiling, row.best) if row.ceiling != row.best else ""
        count = f"{row.n:,}" if first else ""
        lines.append((name, row.metric, number(row.value, row.best), interval, ceiling, count, share))
    columns = [column for column in zip(*lines, strict=True) if column[0] != "ceiling" or any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    cells = [[cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))]
             for line in zip(*columns, strict=True)]  # fmt: skip
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join("  ".join(line).rstrip() for line in cells)


def number(value: float, best: float) -> str:
    """A score with the decimals that its scale deserves: 0.8312, 26.60."""
    return f"{value:.2f}" if best == 100 or abs(value) >= 10 else f"{value:.4f}"


def print_table(rows: Sequence[Row]) -> None:
    """Print ``table``."""
    print(table(rows))

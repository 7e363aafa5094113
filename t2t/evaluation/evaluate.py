"""Evaluate: prediction lines in, scores and the worst examples out. No model is loaded."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from t2t import __version__
from t2t.config.run import RunConfig, load_run
from t2t.errors import RunDirectoryError, UnreachableGold
from t2t.evaluation.certainty import Certainty
from t2t.evaluation.pairs import Judged, Scorable, judge
from t2t.evaluation.worst import Worst
from t2t.linear.parsed import Issue, Parsed
from t2t.metrics import Metric, build_metrics, health_metrics, score
from t2t.metrics.ceiling import Ceiling
from t2t.metrics.metric import Stats, stacked
from t2t.runs.rejects import bad_places
from t2t.runs.run_files import prediction_name, write_json
from t2t.runs.run_tasks import answering_tasks
from t2t.structures import Example, Json
from t2t.table import table

_AT_ONCE = 1000  # examples held in memory
HEALTH = ("unparseable", "ungrounded")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of scores.json: a metric of a task's split, its 95% interval, and the best value it can have.

    ``ceiling``: what the task's own gold scores, where that is not the best (see t2t.metrics.ceiling). Of the ``n``
    examples ``unreachable`` have a gold that no output can say, and count as wrong; ``aside`` further records of the
    split were set aside. ``again``: the share of the outputs that were decoded again under the constraint.
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
    unreachable: int = 0
    aside: int = 0
    again: float = 0.0


def evaluate(
    run_dir: str | Path,
    tasks: Sequence[Scorable],
    splits: Sequence[str],
    *,
    limit: int | None = None,
    decoding: str = "greedy",
) -> list[Row]:
    """Score the predictions in ``run_dir`` for those of ``splits`` that each task has; ``limit`` as in generate.
    ``decoding`` is in the signatures.

    Writes scores.json, worst.json and confidence.json (each replaced as a whole). Raises RunDirectoryError where a
    predictions file is missing, DataError where its ids are not exactly those of the examples.
    """
    directory = Path(run_dir)
    rows: list[Row] = []
    worst: dict[str, Json] = {}
    sure: dict[str, Json] = {}
    for task in tasks:
        metrics = task_metrics(task)
        for split in [split for split in splits if split in task.splits()]:
            with _no_cycle_search():
                judged, name = judge(directory, task, split, limit), prediction_name(task.name, split)
                found, worst[name], sure[name] = _score(task, split, decoding, metrics, judged)
            aside = len(bad_places(directory, task.name, split))
            rows += [replace(row, aside=aside) for row in found]
    if not rows:
        raise RunDirectoryError(str(directory), f"no task has a split of {list(splits)}", "name other splits")
    write_json(directory / "scores.json", [asdict(row) for row in rows])
    write_json(directory / "worst.json", worst)
    write_json(directory / "confidence.json", {name: one for name, one in sure.items() if one is not None})
    return rows


def _score(
    task: Scorable, split: str, decoding: str, metrics: Sequence[Metric], judged: Iterator[Judged]
) -> tuple[list[Row], list[Json], Json]:
    """The rows of one split of a task, its worst examples, and how sure the outputs were. Of the other examples only
    the statistics are kept."""
    rows: list[list[Stats]] = [[] for _ in metrics]
    ceiling, worst, sure, unreachable, again = Ceiling(metrics), Worst(metrics), Certainty(), 0, 0
    while some := list(islice(judged, _AT_ONCE)):
        found = [[metric.segment(one.references, one.parsed) for one in some] for metric in metrics]
        for known, more in zip(rows, found, strict=True):
            known += more
        worst.add(some, found)
        sure.add(some)
        unreachable += sum(task.is_unreachable(one.example) for one in some)
        again += sum(bool(one.line.get("constrained")) for one in some)
        _raise_ceiling(ceiling, task, some)
    best = ceiling.values()
    scored = [(metric, stacked(known), best[metric.name]) for metric, known in zip(metrics, rows, strict=True)]
    made = [_row(task, split, decoding, *one) for one in scored]
    complete = [replace(row, unreachable=unreachable, again=again / row.n if row.n else 0.0) for row in made]
    return complete, worst.entries(task), sure.to_json()


def _raise_ceiling(ceiling: Ceiling, task: Scorable, judged: Sequence[Judged]) -> None:
    for one in judged:
        if ceiling.full:
            break
        ceiling.add(one.references, fed_back(task, one.example))


def fed_back(task: Scorable, example: Example) -> Parsed:
    """What the target of an example's gold says; nothing readable where no output can say the gold."""
    try:
        return task.parse(task.target_text(example), example)
    except UnreachableGold:
        return Parsed(None, (Issue("unreadable", "", ""),))


@contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Golds and values are trees: searching them for cycles, again and again, would take a quarter of the time."""
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
        answering_tasks(run.tasks, run.where),
        run.generate.splits,
        limit=run.generate.limit,
        decoding=run.generate.decoding,
    )


def evaluate_file(path: str | Path, overrides: Sequence[str] = ()) -> list[Row]:
    """Score the predictions of a run file's run, as ``t2t evaluate --config FILE`` does; see ``evaluate``.

    ``overrides``: settings of the run file, "a.b=c".
    """
    return evaluate_run(load_run(path, overrides))


def task_metrics(task: Scorable) -> list[Metric]:
    """The metrics of a task's template and the two of every task. TemplateError, with FILE:LINE, for a wrong one."""
    wanted = [spec for spec in task.metrics if spec not in HEALTH]
    return [*build_metrics(wanted, task.metrics_where, task.language), *health_metrics()]


def quality_metrics(task: Scorable) -> list[Metric]:
    """Those of a task's metrics that tell how well it is done."""
    return [metric for metric in task_metrics(task) if metric.name not in HEALTH]


def more_is_better(metric: Metric) -> bool:
    """False for errors, which are best at 0, and for what says so of itself (perplexity is best at 1)."""
    return metric.best != 0 and not getattr(metric, "less_is_better", False)


def share_of_best(metric: Metric, found: float) -> float:
    """A score as a share of the best it can be; of an error, what is left of 1."""
    return found / metric.best if more_is_better(metric) else 1.0 / (1.0 + abs(found - metric.best))


def _row(task: Scorable, split: str, decoding: str, metric: Metric, stats: Stats, ceiling: float) -> Row:
    parts = [metric.name, f"{prediction_name(task.name, split)}@{task.version}", decoding, f"t2t:{__version__}"]
    signature = "|".join([*parts, metric.detail] if metric.detail else parts)
    found = score(metric, stats, len(stats), signature)
    numbers = found.value, found.low, found.high, found.n
    return Row(task.name, split, found.name, *numbers, signature, metric.best, ceiling)


def score_table(rows: Sequence[Row]) -> str:
    """The rows as an aligned table: a line for each metric of a task, its splits side by side.

    What the gold itself scores has a column where any metric's best is out of reach; so have the records that were set
    aside, the examples whose gold no output can say, and the outputs that were decoded again under the constraint.
    """
    splits = list(dict.fromkeys(row.split for row in rows))
    health = {(row.task, row.split): row.value for row in rows if row.metric == "unparseable"}
    shown = {(row.task, row.metric, row.split): row for row in rows if row.metric not in HEALTH}
    lines = list(dict.fromkeys((task, metric) for task, metric, _ in shown))
    is_first = [index == 0 or lines[index - 1][0] != task for index, (task, _) in enumerate(lines)]
    columns = [
        ["task", *(task if first else "" for first, (task, _) in zip(is_first, lines, strict=True))],
        ["metric", *(metric for _, metric in lines)],
    ]
    for split in splits:
        cells = [
            _cells(shown.get((*line, split)), health.get((line[0], split)), first)
            for first, line in zip(is_first, lines, strict=True)
        ]
        titles = (split if len(splits) > 1 else "value", *_TITLES)
        columns += [
            [title, *column]
            for title, column in zip(titles, zip(*cells, strict=True), strict=True)
            if title not in _AT_NEED or any(column)
        ]
    return "\n".join(table(list(zip(*columns, strict=True)), left=2, rule=True))


_TITLES = ("95% interval", "ceiling", "n", "set aside", "unreachable", "unparseable", "again")
_AT_NEED = ("ceiling", "set aside", "unreachable", "again")  # where there is something to say


def _cells(row: Row | None, unparseable: float | None, first: bool) -> tuple[str, ...]:
    """What is under a split: the value and ``_TITLES``; counts and shares on the first line of a task alone."""
    if row is None:
        return ("",) * (1 + len(_TITLES))
    interval = f"{number(row.low, row.best)} to {number(row.high, row.best)}"
    ceiling = number(row.ceiling, row.best) if row.ceiling != row.best else ""
    counts = [f"{row.n:,}", *(f"{one:,}" if one else "" for one in (row.aside, row.unreachable))]
    shares = ["" if unparseable is None else f"{unparseable:.1%}", f"{row.again:.1%}" if row.again else ""]
    counted = [*counts, *shares] if first else [""] * 5
    return (number(row.value, row.best), interval, ceiling, *counted)


def number(value: float, best: float) -> str:
    """A score with the decimals that its scale deserves: 0.8312, 26.60."""
    return f"{value:.2f}" if best == 100 or abs(value) >= 10 else f"{value:.4f}"


def print_table(rows: Sequence[Row]) -> None:
    """Print ``table``."""
    print(score_table(rows))

"""What the parts of the report say, as the template shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from t2t.config.yaml_file import write_yaml
from t2t.report.charts import Chart, draw, interval
from t2t.report.compare import compare
from t2t.report.files import RunFiles
from t2t.structures import Json

HEALTH = ("unparseable", "ungrounded")
_PROMPT = 1200  # characters of a prompt shown
_NOTES = {"test": "held-out examples", "patterns": "sentence patterns never trained on"}


@dataclass(frozen=True, slots=True)
class Head:
    """The run's name and its figures at a glance, by name."""

    name: str
    tasks: int
    chips: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """A metric of a task; what is said once a task is in its first line alone."""

    task: str
    metric: str
    signature: str
    gold: str
    value: str
    bar: Markup
    n: str
    beside: str
    unparseable: str
    ungrounded: str
    again: str
    follows: bool


@dataclass(frozen=True, slots=True)
class SplitScores:
    """The table of a split."""

    name: str
    note: str
    rows: list[ScoreLine]
    again: bool


@dataclass(frozen=True, slots=True)
class Scores:
    """The test split and the others beside it; ``gold``: a gold does not score the best, ``ungrounded``: some spans do
    not stand in the source."""

    splits: list[SplitScores]
    gold: bool
    ungrounded: bool


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart."""

    title: str
    svg: Markup
    note: str = ""


@dataclass(frozen=True, slots=True)
class WorstExample:
    """An example with both texts, what differs marked."""

    id: str
    metric: str
    prompt: str
    gold: Markup
    text: Markup
    issues: list[str]


@dataclass(frozen=True, slots=True)
class WorstOfTask:
    """A task's worst examples."""

    name: str
    note: str
    opened: bool
    examples: list[WorstExample]


@dataclass(frozen=True, slots=True)
class Data:
    """The mixture as it was used: a line a task."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class Settings:
    """Nested facts (versions), and the resolved run file."""

    facts: list[tuple[str, list[tuple[str, str]]]]
    yaml: str


def duration(seconds: float) -> str:
    """48 s, 12 min 30 s, 3 h 05 min."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, below = divmod(minutes, 60)
    return f"{hours} h {below:02d} min" if hours else f"{minutes} min {rest:02d} s"


def head(run: RunFiles) -> Head:
    tasks = {row["task"] for row in run.scores} or {_task_name(entry) for entry in run.config.get("tasks", [])}
    chips: list[tuple[str, str]] = []
    if run.parameters:
        chips.append(("parameters", f"{run.parameters / 1e6:.1f} M"))
    curves = run.curves
    if curves.get("step"):
        chips += [("steps", f"{curves['step'][-1]:,.0f}"), ("final loss", _last_loss(curves.get("loss", [])))]
    if curves.get("elapsed"):
        chips.append(("training time", duration(curves["elapsed"][-1])))
    shown = {name for name, _ in chips}
    facts = ((name.replace("_", " "), value) for name, value in run.facts.items() if _plain(value))
    chips += [(name, _fact(value)) for name, value in facts if name not in shown]
    return Head(run.name, len(tasks), chips)


def _task_name(entry: Json) -> str:
    return str(entry["task"] if isinstance(entry, Mapping) else entry)


def _last_loss(losses: Sequence[float]) -> str:
    """The mean of the last twentieth of the steps: one step alone says little."""
    tail = losses[-max(1, len(losses) // 20) :]
    return f"{sum(tail) / len(tail):.3f}" if tail else "unknown"


def _plain(value: Json) -> bool:
    return isinstance(value, (str, int, float))


def _fact(value: Json) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def scores(run: RunFiles) -> Scores:
    names = sorted({str(row["split"]) for row in run.scores}, key=lambda split: (split != "test", split))
    splits = []
    for name in names:
        rows = [row for row in run.scores if row["split"] == name]
        lines = [line for _, group in groupby(rows, key=lambda row: str(row["task"])) for line in _lines(list(group))]
        splits.append(SplitScores(name, _NOTES.get(name, ""), lines, any(row.get("again") for row in rows)))
    gold = any(row.get("ceiling", row.get("best")) != row.get("best") for row in run.scores)
    return Scores(splits, gold, any(row["metric"] == "ungrounded" and row["value"] for row in run.scores))


def _lines(rows: Sequence[Mapping[str, Json]]) -> list[ScoreLine]:
    """The lines of one task."""
    health = {row["metric"]: row["value"] for row in rows if row["metric"] in HEALTH}
    shown = [row for row in rows if row["metric"] not in HEALTH]
    lines = []
    for index, row in enumerate(shown):
        best, first = float(row.get("best", 1.0)), index == 0
        scale = best or max(1.0, float(row["high"]))
        bounded = row.get("ceiling", best) != best
        lines.append(
            ScoreLine(
                task=str(row["task"]) if first else "",
                metric=str(row["metric"]),
                signature=str(row["signature"]),
                gold=_number(float(row["ceiling"]), scale) if bounded else "",
                value=_number(float(row["value"]), scale),
                bar=Markup(interval(row["value"], row["low"], row["high"], scale)),
                n=f"{row['n']:,}" if first else "",
                beside=_beside(row) if first else "",
                unparseable=f"{health['unparseable']:.1%}" if first and "unparseable" in health else "",
                ungrounded=f"{health['ungrounded']:.1%}" if first and health.get("ungrounded") else "",
                again=f"{row.get('again', 0.0):.1%}" if first else "",
                follows=index < len(shown) - 1,
            )
        )
    return lines


def _beside(row: Mapping[str, Json]) -> str:
    """What is beside the number of examples that were scored."""
    counts = [(row.get("unreachable", 0), "unreachable"), (row.get("aside", 0), "set aside")]
    return ", ".join(f"{count:,} {what}" for count, what in counts if count)


def _number(value: float, scale: float) -> str:
    return f"{value:.1f}" if scale > 1 else f"{value:.3f}"


def training(run: RunFiles) -> list[Drawn]:
    """Loss, learning rate and speed by step."""
    curves, steps = run.curves, run.curves.get("step", [])
    if not steps:
        return []
    return [drawn(chart) for chart in (
        Chart("Loss", "", steps, curves.get("loss", []), smooth=True, log=True),
        Chart("Learning rate", "", steps, curves.get("learning_rate", [])),
        Chart("Tokens per second", " tokens/s", steps, curves.get("tokens_per_second", []), smooth=True),
        Chart("Gradient norm", "", steps, curves.get("grad_norm", []), smooth=True),
    ) if chart.values]  # fmt: skip


def drawn(chart: Chart, note: str = "") -> Drawn:
    """A chart for the page; what it draws escapes its own texts."""
    return Drawn(chart.title, Markup(draw(chart)), note)


def worst(run: RunFiles) -> list[WorstOfTask]:
    """For each task its worst examples, those of the first unfolded."""
    return [
        WorstOfTask(
            name,
            f"{len(entries)} shown, by {entries[0]['metric']}" if entries else "none below the best",
            index == 0 and bool(entries),
            [_example(entry) for entry in entries],
        )
        for index, (name, entries) in enumerate(run.worst.items())
    ]


def _example(entry: Mapping[str, Json]) -> WorstExample:
    gold, text = compare(str(entry["gold"]), str(entry["text"]))
    prompt = str(entry["prompt"])
    return WorstExample(
        str(entry["id"]),
        f"{entry['metric']} {entry['value']:.3g}",
        prompt if len(prompt) <= _PROMPT else prompt[:_PROMPT] + " …",
        Markup(gold),
        Markup(text),
        [_issue(issue) for issue in entry["issues"]],
    )


def _issue(issue: Mapping[str, Json]) -> str:
    place = f" in {issue['path']}" if issue["path"] else ""
    quoted = f": {issue['text']}" if issue["text"] else ""
    return f"{str(issue['kind']).replace('_', ' ')}{place}{quoted}"


def data(run: RunFiles) -> Data | None:
    rows = {name: entry for name, entry in run.data.items() if isinstance(entry, Mapping)}
    columns = list(dict.fromkeys(key for entry in rows.values() for key, value in entry.items() if _plain(value)))
    if not columns:
        return None
    lines = [(name, _cells(entry, columns)) for name, entry in rows.items()]
    return Data([column.replace("_", " ") for column in columns], lines)


def _cells(entry: Mapping[str, Json], columns: Iterable[str]) -> list[str]:
    return [_cell(entry.get(column, "")) for column in columns]


def _cell(value: Json) -> str:
    return f"{value:.4g}" if isinstance(value, float) else _fact(value)


def settings(run: RunFiles) -> Settings | None:
    nested = {name: value for name, value in run.facts.items() if isinstance(value, Mapping)}
    facts = [(name, [(str(key), _fact(one)) for key, one in values.items()]) for name, values in nested.items()]
    return Settings(facts, write_yaml(run.config) if run.config else "") if facts or run.config else None

"""The parts of the report as HTML. Every text that comes from a file is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby

from t2t.config.yaml_file import write_yaml
from t2t.report.charts import Chart, draw, interval
from t2t.report.compare import compare
from t2t.report.files import RunFiles
from t2t.structures import Json

HEALTH = ("unparseable", "ungrounded")
_PROMPT = 1200  # characters of a prompt shown


def duration(seconds: float) -> str:
    """48 s, 12 min 30 s, 3 h 05 min."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, below = divmod(minutes, 60)
    return f"{hours} h {below:02d} min" if hours else f"{minutes} min {rest:02d} s"


def head(run: RunFiles) -> str:
    """The run's name and its figures at a glance."""
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
    boxes = "".join(f'<div class="chip"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
                    for name, value in chips)  # fmt: skip
    count = f"{len(tasks)} task{'' if len(tasks) == 1 else 's'}, one model"
    return f'<h1>{escape(run.name)}</h1><p class="quiet">{count}</p><div class="chips">{boxes}</div>'


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


def scores(run: RunFiles) -> str:
    """The table of the test split, and beside it one for each other split."""
    splits = sorted({str(row["split"]) for row in run.scores}, key=lambda split: (split != "test", split))
    if not splits:
        return '<h2>Scores</h2><p class="quiet">Not evaluated yet.</p>'
    notes = {"test": "held-out examples", "patterns": "sentence patterns never trained on"}
    cards = []
    for split in splits:
        table = _table([row for row in run.scores if row["split"] == split])
        note = f' <span class="quiet">{notes[split]}</span>' if split in notes else ""
        cards.append(f'<div class="card"><h3>{escape(split)}{note}</h3><div class="scroll">{table}</div></div>')
    starred = " * some generated spans do not stand in the source." if _ungrounded(run) else ""
    gold = any(row.get("ceiling", row.get("best")) != row.get("best") for row in run.scores)
    ceiling = " Where it stands, gold is what the task's own gold scores." if gold else ""
    words = f"Bars run from 0 to the best value; whiskers are 95% bootstrap intervals.{ceiling}{starred}"
    what = f'<p class="quiet small">{words}</p>'
    return f'<h2>Scores</h2><div class="pair scores">{"".join(cards)}</div><div style="height:8px"></div>{what}'


def _ungrounded(run: RunFiles) -> bool:
    return any(row["metric"] == "ungrounded" and row["value"] for row in run.scores)


def _table(rows: Sequence[Mapping[str, Json]]) -> str:
    number = '<th class="num">'
    again = f'{number}<span title="decoded again under the constraint">again</span>' if _again(rows) else ""
    titles = f"<tr><th>task<th>metric{number}value<th>95% interval{number}n{number}unparseable{again}</tr>"
    body = [_task_rows(list(group), bool(again)) for _, group in groupby(rows, key=lambda row: str(row["task"]))]
    return f"<table>{titles}{''.join(body)}</table>"


def _again(rows: Sequence[Mapping[str, Json]]) -> bool:
    return any(row.get("again") for row in rows)


def _task_rows(rows: Sequence[Mapping[str, Json]], with_again: bool) -> str:
    health = {row["metric"]: row["value"] for row in rows if row["metric"] in HEALTH}
    shown = [row for row in rows if row["metric"] not in HEALTH]
    share = f"{health['unparseable']:.1%}" if "unparseable" in health else ""
    if health.get("ungrounded"):
        share = f'<span title="{health["ungrounded"]:.1%} of the spans do not stand in the source">{share} *</span>'
    lines = []
    for index, row in enumerate(shown):
        best = float(row.get("best", 1.0))
        scale = best or max(1.0, float(row["high"]))
        number = _number(float(row["value"]), scale)
        bar = interval(row["value"], row["low"], row["high"], scale)
        task, n, last = (escape(row["task"]), _count(row), share) if index == 0 else ("", "", "")
        follows = ' class="next"' if index < len(shown) - 1 else ""
        reach = _number(float(row["ceiling"]), scale) if row.get("ceiling", best) != best else ""
        below = f' <span class="quiet">gold {reach}</span>' if reach else ""
        metric = f'<td title="{escape(row["signature"], quote=True)}">{escape(row["metric"])}{below}'
        cells = f'<td>{task}{metric}<td class="num">{number}<td>{bar}<td class="num">{n}<td class="num">{last}'
        if with_again:
            cells += f'<td class="num">{row.get("again", 0.0):.1%}' if index == 0 else "<td>"
        lines.append(f"<tr{follows}>{cells}</tr>")
    return "".join(lines)


def _count(row: Mapping[str, Json]) -> str:
    """How many examples were scored, and what stands beside them."""
    beside = [(row.get("unreachable", 0), "unreachable"), (row.get("aside", 0), "set aside")]
    told = ", ".join(f"{count:,} {what}" for count, what in beside if count)
    return f"{row['n']:,}" + (f' <span class="quiet">({told})</span>' if told else "")


def _number(value: float, scale: float) -> str:
    return f"{value:.1f}" if scale > 1 else f"{value:.3f}"


def training(run: RunFiles) -> str:
    """Loss, learning rate and speed by step."""
    curves, steps = run.curves, run.curves.get("step", [])
    if not steps:
        return ""
    charts = [
        Chart("Loss", "", steps, curves.get("loss", []), smooth=True, log=True),
        Chart("Learning rate", "", steps, curves.get("learning_rate", [])),
        Chart("Tokens per second", " tokens/s", steps, curves.get("tokens_per_second", []), smooth=True),
        Chart("Gradient norm", "", steps, curves.get("grad_norm", []), smooth=True),
    ]
    cards = [f'<div class="card"><h3>{chart.title}</h3>{draw(chart)}</div>' for chart in charts if chart.values]
    return f'<h2>Training</h2><div class="pair">{"".join(cards)}</div>'


def worst(run: RunFiles) -> str:
    """For each task its worst examples, folded."""
    if not run.worst:
        return ""
    parts = [_worst_task(name, entries, first=i == 0) for i, (name, entries) in enumerate(run.worst.items())]
    legend = "<del>missing from the prediction</del> <ins>not in the gold</ins>"
    return f'<h2>Worst examples</h2><p class="quiet small">{legend}</p>{"".join(parts)}'


def _worst_task(name: str, entries: Sequence[Mapping[str, Json]], first: bool) -> str:
    note = f"{len(entries)} shown, by {escape(str(entries[0]['metric']))}" if entries else "none below the best"
    body = "".join(_example(entry) for entry in entries)
    opened = " open" if first and entries else ""
    return f"<details{opened}><summary>{escape(name)}<span>{note}</span></summary>{body}</details>"


def _example(entry: Mapping[str, Json]) -> str:
    gold, text = compare(str(entry["gold"]), str(entry["text"]))
    prompt = str(entry["prompt"])
    prompt = prompt if len(prompt) <= _PROMPT else prompt[:_PROMPT] + " …"
    issues = "".join(f'<span class="issue">{_issue(issue)}</span>' for issue in entry["issues"])
    facts = f"<span>{escape(str(entry['id']))}</span><span>{escape(str(entry['metric']))} {entry['value']:.3g}</span>"
    empty = '<span class="quiet">(empty)</span>'
    return (
        f'<div class="example"><header>{facts}</header><p class="text prompt">{escape(prompt)}</p><div class="sides">'
        f'<div class="side"><small>gold</small><div class="text">{gold or empty}</div></div>'
        f'<div class="side"><small>prediction</small><div class="text">{text or empty}</div></div></div>{issues}</div>'
    )


def _issue(issue: Mapping[str, Json]) -> str:
    place = f" in {issue['path']}" if issue["path"] else ""
    quoted = f": {issue['text']}" if issue["text"] else ""
    return escape(f"{str(issue['kind']).replace('_', ' ')}{place}{quoted}")


def data(run: RunFiles) -> str:
    """The mixture as it was used: one line a task, the figures that data.json has."""
    rows = {name: entry for name, entry in run.data.items() if isinstance(entry, Mapping)}
    columns = list(dict.fromkeys(key for entry in rows.values() for key, value in entry.items() if _plain(value)))
    if not columns:
        return ""
    titles = "".join(f'<th class="num">{escape(column.replace("_", " "))}' for column in columns)
    lines = [f"<tr><td>{escape(name)}{_cells(entry, columns)}</tr>" for name, entry in rows.items()]
    table = f"<table><tr><th>task{titles}</tr>{''.join(lines)}</table>"
    return f'<h2>Data</h2><div class="card scroll">{table}</div>'


def _cells(entry: Mapping[str, Json], columns: Iterable[str]) -> str:
    return "".join(f'<td class="num">{escape(_cell(entry.get(column, "")))}' for column in columns)


def _cell(value: Json) -> str:
    return f"{value:.4g}" if isinstance(value, float) else _fact(value)


def settings(run: RunFiles) -> str:
    """Nested facts (versions) as a list, and the resolved run file, folded."""
    nested = {name: value for name, value in run.facts.items() if isinstance(value, Mapping)}
    parts = ["<h2>Run</h2>"]
    for name, values in nested.items():
        rows = "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(_fact(v))}</dd>" for k, v in values.items())
        parts.append(f'<div class="card" style="margin-bottom:10px"><h3>{escape(name)}</h3><dl>{rows}</dl></div>')
    if run.config:
        text = write_yaml(run.config)
        title = "<summary>run.yaml<span>every setting</span></summary>"
        parts.append(f"<details>{title}<pre>{escape(text)}</pre></details>")
    return "".join(parts) if len(parts) > 1 else ""

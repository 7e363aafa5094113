"""The part of the report on validation: start, best, last and test side by side, and the curve of each number."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from t2t.report.charts import Chart, draw
from t2t.report.files import RunFiles
from t2t.structures import Json

_MOST = 24  # curves


def validation(run: RunFiles) -> str:
    """Nothing where the run was not validated."""
    if not run.validations:
        return ""
    names = [name for name in run.validations[0] if name not in ("step", "elapsed")]
    names = [name for name in run.validations[-1] if name in names]
    curves = "".join(_curve(run, name) for name in _drawn(names)[:_MOST])
    told = '<p class="quiet small">On the first examples of the valid splits; test is on all of its own.</p>'
    table = f'<div class="card"><div class="scroll">{_table(run, names)}</div></div>'
    return f'<h2>Validation</h2>{table}{told}<div class="pair">{curves}</div>'


def _drawn(names: list[str]) -> list[str]:
    """Mean and loss, then what tasks score; their losses stand in the table."""
    return [*(name for name in ("mean", "loss") if name in names),
            *(name for name in names if "." in name and not name.endswith(".loss"))]  # fmt: skip


def _table(run: RunFiles, names: list[str]) -> str:
    first, last = run.validations[0], run.validations[-1]
    best = _best(run)
    columns: list[tuple[str, Mapping[str, Json]]] = [("start", first)] if first.get("step") == 0 else []
    columns += [(f"best, step {best['step']:,}", best)] if best is not None else []
    columns += [(f"last, step {last['step']:,}", last)]
    tests = {f"{row['task']}.{row['metric']}": row["value"] for row in run.scores if row["split"] == "test"}
    columns += [("test", tests)] if tests else []
    titles = "".join(f'<th class="num">{escape(title)}' for title, _ in columns)
    rows = [
        f"<tr><td>{escape(name)}{''.join(_cell(values.get(name)) for _, values in columns)}</tr>"
        for name in [*_drawn(names), *(name for name in names if name.endswith(".loss"))]
    ]
    return f"<table><tr><th>measured{titles}</tr>{''.join(rows)}</table>"


def _cell(found: Json) -> str:
    return f'<td class="num">{found:.4f}' if isinstance(found, (int, float)) else '<td class="num">'


def _best(run: RunFiles) -> Mapping[str, Json] | None:
    step = run.facts.get("best_step")
    return next((row for row in run.validations if row.get("step") == step), None)


def _curve(run: RunFiles, name: str) -> str:
    rows = [row for row in run.validations if isinstance(row.get(name), (int, float))]
    chart = Chart(name, "", [float(row["step"]) for row in rows], [float(row[name]) for row in rows])
    return f'<div class="card"><h3>{escape(name)}</h3>{draw(chart)}</div>'

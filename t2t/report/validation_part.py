"""The part of the report on validation: start, best, last and test side by side, and the curve of each number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from t2t.report.charts import Chart
from t2t.report.files import RunFiles
from t2t.report.sections import Drawn, drawn
from t2t.structures import Json

_MOST = 24  # curves


@dataclass(frozen=True, slots=True)
class ValidationTable:
    """A column for each of the moments ``titles``, a row for each number, and its curve."""

    titles: list[str]
    rows: list[tuple[str, list[str]]]
    charts: list[Drawn]


def validation(run: RunFiles) -> ValidationTable | None:
    """None where the run was not validated."""
    if not run.validations:
        return None
    names = [name for name in run.validations[0] if name not in ("step", "elapsed")]
    names = [name for name in run.validations[-1] if name in names]
    columns = _columns(run)
    shown = [*_drawn(names), *(name for name in names if name.endswith(".loss"))]
    rows = [(name, [_cell(values.get(name)) for _, values in columns]) for name in shown]
    curves = [_curve(run, name) for name in _drawn(names)[:_MOST]]
    return ValidationTable([title for title, _ in columns], rows, curves)


def _drawn(names: list[str]) -> list[str]:
    """Mean and loss, then what tasks score; their losses are in the table."""
    return [*(name for name in ("mean", "loss") if name in names),
            *(name for name in names if "." in name and not name.endswith(".loss"))]  # fmt: skip


def _columns(run: RunFiles) -> list[tuple[str, Mapping[str, Json]]]:
    first, last = run.validations[0], run.validations[-1]
    best = _best(run)
    columns: list[tuple[str, Mapping[str, Json]]] = [("start", first)] if first.get("step") == 0 else []
    columns += [(f"best, step {best['step']:,}", best)] if best is not None else []
    columns += [(f"last, step {last['step']:,}", last)]
    tests = {f"{row['task']}.{row['metric']}": row["value"] for row in run.scores if row["split"] == "test"}
    return columns + ([("test", tests)] if tests else [])


def _cell(found: Json) -> str:
    return f"{found:.4f}" if isinstance(found, (int, float)) else ""


def _best(run: RunFiles) -> Mapping[str, Json] | None:
    step = run.facts.get("best_step")
    return next((row for row in run.validations if row.get("step") == step), None)


def _curve(run: RunFiles, name: str) -> Drawn:
    rows = [row for row in run.validations if isinstance(row.get(name), (int, float))]
    return drawn(Chart(name, "", [float(row["step"]) for row in rows], [float(row[name]) for row in rows]))

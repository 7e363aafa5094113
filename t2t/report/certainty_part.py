"""The part of the report on confidence: how well it is calibrated, and what is wrong among the surest outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from t2t.report.charts import Chart
from t2t.report.files import RunFiles
from t2t.report.sections import Drawn, drawn
from t2t.structures import Json

_MOST = 24  # curves
_KEPT = (0.5, 0.9)  # coverages that the table has a column for


@dataclass(frozen=True, slots=True)
class CertaintyChart:
    """A row for each task, and the curves of risk over coverage."""

    titles: list[str]
    rows: list[tuple[str, list[str]]]
    charts: list[Drawn]


def certainty(run: RunFiles) -> CertaintyChart | None:
    """None where no prediction says how sure it is."""
    if not run.certainty:
        return None
    titles = ["outputs", "right", "calibration error", "on validation: as it is", "calibrated"]
    titles += [f"wrong of the surest {share:.0%}" for share in _KEPT]
    rows = [
        (name, _cells(found, run.calibration.get(name.partition("@")[0], {}))) for name, found in run.certainty.items()
    ]
    # A curve says something where some outputs are right and others are not.
    known = [(name, found) for name, found in run.certainty.items() if 0.02 <= found["right"] <= 0.999]
    charts = [_curve(name, found) for name, found in known if len(found["coverage"]) > 1]
    return CertaintyChart(titles, rows, charts[:_MOST])


def _cells(found: Mapping[str, Json], calibrated: Mapping[str, Json]) -> list[str]:
    errors = [calibrated.get("error_before"), calibrated.get("error_after")]
    return [
        f"{found['n']:,}",
        f"{found['right']:.1%}",
        f"{found['calibration_error']:.3f}",
        *("" if error is None else f"{error:.3f}" for error in errors),
        *(_risk(found, share) for share in _KEPT),
    ]


def _risk(found: Mapping[str, Json], share: float) -> str:
    """At the first point of the curve that keeps so many."""
    kept = (risk for coverage, risk in zip(found["coverage"], found["risk"], strict=True) if coverage >= share)
    return f"{next(kept, found['risk'][-1]):.1%}"


def _curve(name: str, found: Mapping[str, Json]) -> Drawn:
    chart = Chart(name, "", found["coverage"], found["risk"], across="share of outputs kept")
    return drawn(chart, f"area {found['area']:.3f}")

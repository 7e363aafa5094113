"""The part of the report on continual learning: the scores of every task after every stage, and how much is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from t2t.continual.matrix import Matrix
from t2t.report.charts import Chart
from t2t.report.files import RunFiles
from t2t.report.sections import Drawn, drawn

_TOLD = {
    "accuracy": "mean score of the tasks seen so far",
    "backward": "BWT: what later stages changed of earlier tasks",
    "forward": "FWT: what earlier stages brought to tasks not yet seen",
    "forgetting": "what earlier tasks lost since their best",
}
_DEEPEST = 55  # per cent of the colour, on which the ink is still readable in light and dark


@dataclass(frozen=True, slots=True)
class Cell:
    """A score; its ground is the deeper the higher it is. ``framed``: the stage that its task came in."""

    score: str
    share: int
    framed: bool


@dataclass(frozen=True, slots=True)
class Stages:
    """The matrix, a row a stage; what is read off it; and the curves of that over the stages."""

    chips: list[tuple[str, str]]
    tasks: tuple[str, ...]
    rows: list[tuple[str, list[Cell]]]
    charts: list[Drawn]


def stages(run: RunFiles) -> Stages | None:
    """None where the run has no stage that has ended."""
    matrix = run.matrix
    if matrix is None or not matrix.scores:
        return None
    summary = asdict(matrix.summary())
    chips = [(title, f"{summary[name]:.4f}") for name, title in _TOLD.items() if summary[name] is not None]
    rows = [] if matrix.start is None else [("start", [_cell(score, False) for score in matrix.start])]
    for number, (stage, scores) in enumerate(zip(matrix.stages, matrix.scores, strict=False)):
        rows.append((stage, [_cell(score, came == number) for came, score in zip(matrix.came, scores, strict=True)]))
    return Stages(chips, matrix.tasks, rows, _curves(matrix))


def _cell(score: float, framed: bool) -> Cell:
    return Cell(f"{score:.3f}", round(_DEEPEST * min(1.0, max(0.0, score))), framed)


def _curves(matrix: Matrix) -> list[Drawn]:
    """Over the stages: the mean of the tasks seen so far, and what is forgotten of them."""
    known = [
        Matrix(matrix.tasks, matrix.stages, matrix.came, matrix.scores[: last + 1]).summary()
        for last in range(len(matrix.scores))
    ]
    found = []
    for name in ("accuracy", "forgetting"):
        points = [(number + 1.0, getattr(one, name)) for number, one in enumerate(known)]
        points = [(number, value) for number, value in points if value is not None]
        if len(points) > 1:
            chart = Chart(name, "", [number for number, _ in points], [value for _, value in points], across="stage")
            found.append(drawn(chart, "by stage"))
    return found

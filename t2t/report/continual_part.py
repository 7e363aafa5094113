"""The part of the report on continual learning: the scores of every task after every stage, and how much is kept."""

from __future__ import annotations

from html import escape

from t2t.continual.matrix import Matrix
from t2t.report.charts import Chart, draw
from t2t.report.files import RunFiles

_TOLD = {
    "accuracy": "mean score of the tasks seen so far",
    "backward": "BWT: what later stages changed of earlier tasks",
    "forward": "FWT: what earlier stages brought to tasks not yet seen",
    "forgetting": "what earlier tasks lost since their best",
}


def continual(run: RunFiles) -> str:
    """Nothing where the run has no stages that have ended."""
    matrix = run.matrix
    if matrix is None or not matrix.scores:
        return ""
    curves = "".join(_curves(matrix)) if len(matrix.scores) > 1 else ""
    return (
        f'<h2>Stages</h2><div class="chips">{_chips(matrix)}</div><br>'
        f'<div class="card"><div class="scroll">{_heat_map(matrix)}</div></div>'
        '<p class="quiet small">A row is the model after a stage, a column a task; framed: the stage that it came in. '
        f'Right of the frame is what was not yet learned.</p><div class="pair">{curves}</div>'
    )


def _chips(matrix: Matrix) -> str:
    summary = matrix.summary()
    known = [(name, getattr(summary, name)) for name in _TOLD]
    return "".join(
        f'<div class="chip"><b>{value:.4f}</b><span>{_TOLD[name]}</span></div>'
        for name, value in known
        if value is not None
    )


def _heat_map(matrix: Matrix) -> str:
    head = "".join(f'<th class="num">{escape(task)}' for task in matrix.tasks)
    rows = [f"<tr><td>start{''.join(_cell(one) for one in matrix.start)}</tr>"] if matrix.start is not None else []
    for number, (stage, scores) in enumerate(zip(matrix.stages, matrix.scores, strict=False)):
        cells = (_cell(score, matrix.came[task] == number) for task, score in enumerate(scores))
        rows.append(f"<tr><td>{escape(stage)}{''.join(cells)}</tr>")
    return f'<table class="heat"><tr><th>after{head}</tr>{"".join(rows)}</table>'


def _cell(score: float, framed: bool = False) -> str:
    """Its ground is the deeper the higher the score is; the ink stays readable on both ends in light and dark."""
    share = round(55 * min(1.0, max(0.0, score)))
    frame = ";outline:2px solid var(--ink);outline-offset:-2px" if framed else ""
    return f'<td class="num" style="background:color-mix(in srgb,var(--main) {share}%,transparent){frame}">{score:.3f}'


def _curves(matrix: Matrix) -> list[str]:
    """Over the stages: the mean of the tasks seen so far, and what is forgotten of them."""
    known = [
        Matrix(matrix.tasks, matrix.stages, matrix.came, matrix.scores[: last + 1]).summary()
        for last in range(len(matrix.scores))
    ]
    drawn = []
    for name in ("accuracy", "forgetting"):
        points = [(number + 1.0, getattr(one, name)) for number, one in enumerate(known)]
        points = [(number, value) for number, value in points if value is not None]
        if len(points) > 1:
            chart = Chart(name, "", [number for number, _ in points], [value for _, value in points])
            drawn.append(f'<div class="card"><h3>{name} <span class="quiet">by stage</span></h3>{draw(chart)}</div>')
    return drawn

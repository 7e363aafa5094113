"""How much each stage forgets: the matrix of the scores of every task after every stage, and what is read off it.

R[i, j] is the score of task j after stage i, from 0; b[j] that of the model before the first stage. A stage has one
task or several, and a task first comes in some stage: ``came[j]``. Scores are between 0 and 1, more is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from t2t.structures import Json
from t2t.table import table


@dataclass(frozen=True, slots=True)
class Summary:
    """What is read off a matrix after its last stage; None where nothing is to be read.

    ``accuracy``: the mean over the tasks seen so far (ACC; Lopez-Paz and Ranzato 2017). ``backward``: the mean over the
    tasks of earlier stages of R[last, j] - R[came[j], j] (BWT). ``forward``: the mean over the tasks of later stages
    than the first of R[came[j] - 1, j] - b[j] (FWT). ``forgetting``: the mean over the tasks of earlier stages of the
    best that a stage before the last had, less R[last, j] (Chaudhry et al. 2018).
    """

    accuracy: float
    backward: float | None
    forward: float | None
    forgetting: float | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """``scores``: R, a row for each stage that has ended, a column for each task. ``start``: b, None if not known."""

    tasks: tuple[str, ...]
    stages: tuple[str, ...]
    came: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    start: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if any(len(row) != len(self.tasks) for row in self.scores) or len(self.came) != len(self.tasks):
            raise ValueError("a matrix has a score of every task in every row")

    @property
    def last(self) -> int:
        """The newest stage that has ended."""
        return len(self.scores) - 1

    def forgetting_of(self, task: int) -> float:
        """The best score of a task after any stage from the one that it came in, but for the last, less the last."""
        best = max(self.scores[stage][task] for stage in range(self.came[task], self.last))
        return best - self.scores[self.last][task]

    def summary(self) -> Summary:
        """ValueError where no stage has ended."""
        if not self.scores:
            raise ValueError("no stage has ended")
        last = self.scores[self.last]
        seen = [task for task, stage in enumerate(self.came) if stage <= self.last]
        old = [task for task in seen if self.came[task] < self.last]
        later = [task for task in seen if self.came[task] > 0]
        ahead = None if self.start is None else [self.scores[self.came[j] - 1][j] - self.start[j] for j in later]
        return Summary(
            fmean(last[task] for task in seen),
            fmean(last[task] - self.scores[self.came[task]][task] for task in old) if old else None,
            fmean(ahead) if ahead else None,
            fmean(self.forgetting_of(task) for task in old) if old else None,
        )

    def to_json(self) -> dict[str, Json]:
        summary = asdict(self.summary()) if self.scores else {}
        return {**asdict(self), "summary": summary}

    @classmethod
    def from_json(cls, data: Json) -> Matrix:
        """What ``to_json`` gave. KeyError, TypeError or ValueError for anything else."""
        start = data["start"]
        rows = tuple(tuple(map(float, row)) for row in data["scores"])
        tasks, stages = (tuple(map(str, data[key])) for key in ("tasks", "stages"))
        return cls(
            tasks, stages, tuple(map(int, data["came"])), rows, None if start is None else tuple(map(float, start))
        )

    def lines(self) -> list[str]:
        """The matrix as a table, a row a stage, and below it its summary."""
        rows = [["start", *(f"{one:.3f}" for one in self.start)]] if self.start is not None else []
        for stage, scores in zip(self.stages, self.scores, strict=False):
            rows.append([stage, *(f"{one:.3f}" for one in scores)])
        found = table([["after", *self.tasks], *rows], rule=True)
        if self.scores:
            found += ["", *(f"{name} {one:.4f}" for name, one in asdict(self.summary()).items() if one is not None)]
        return found


def intransigence(joint: Sequence[float], scores: Sequence[float]) -> float:
    """How much worse each stage's own task is learned than where all data are there together: the mean over the tasks
    of the joint model's score less R[came[j], j] (Chaudhry et al. 2018). ValueError for rows of different lengths."""
    return fmean(one - other for one, other in zip(joint, scores, strict=True))

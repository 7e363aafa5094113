"""Experience replay: some examples of earlier stages are kept and mixed in (Rolnick et al. 2019; de Masson d'Autume et
al. 2019)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from t2t.config.settings import Positive, settings
from t2t.continual.strategy import KEPT, STRATEGIES, Stage, Strategy, Support, Trained
from t2t.data.cache import read_rows, write_rows
from t2t.data.encode import Encoded
from t2t.draws import chance_of
from t2t.errors import RunDirectoryError
from t2t.whole_files import write_text

ROWS, HEAD = "replay.npz", "replay.json"
_CHOOSE = "replay"


@STRATEGIES.register("replay")
@settings
class Replay(Strategy):
    """``keep``: the share of each task's examples that is kept, at least one; ``examples``: or so many of all tasks
    together, equally many of each. ``share``: of the draws of a stage; None: as many as the kept are of all."""

    strategy: Literal["replay"] = "replay"
    keep: Annotated[float, Field(gt=0, le=1)] = 0.05
    examples: Positive | None = None
    share: Annotated[float, Field(gt=0, lt=1)] | None = None

    def begin(self, stage: Stage, vocabulary: str) -> Support:
        if not stage.earlier:
            return Support()
        folder = stage.earlier[-1] / KEPT
        if _head(folder)["vocabulary"] != vocabulary:
            found = "the examples that it keeps were encoded by another tokenizer"
            raise RunDirectoryError(str(folder / ROWS), found, "start the run anew under another name")
        return Support(read_rows(folder / ROWS), self.share)

    def end(self, stage: Stage, trained: Trained) -> None:
        """Which examples are kept is a function of the seed, the task and their ids: of all that were seen, each as
        likely as any other, as a reservoir would have it."""
        store, seen = _stored(stage.earlier[-1] / KEPT) if stage.earlier else ({}, {})
        for task, rows in trained.rows.items():
            seen[task] = seen.get(task, 0) + len(rows)
            most = self.examples or max(1, round(self.keep * seen[task]))
            store[task] = chosen([*store.get(task, ()), *rows], most, trained.seed, task)
        if self.examples is not None:
            each = max(1, self.examples // len(store))
            store = {task: chosen(rows, each, trained.seed, task) for task, rows in store.items()}
        stage.kept.mkdir(parents=True, exist_ok=True)
        write_rows(stage.kept / ROWS, [row for rows in store.values() for row in rows])
        tasks = {task: [len(rows), seen[task]] for task, rows in store.items()}
        write_text(stage.kept / HEAD, json.dumps({"vocabulary": trained.vocabulary, "tasks": tasks}))


def chosen(rows: Sequence[Encoded], most: int, seed: int, task: str) -> list[Encoded]:
    """``most`` of the rows, the same whatever their order: those with the smallest draws by (seed, task, id)."""
    return sorted(rows, key=lambda row: (chance_of(seed, _CHOOSE, task, row.id), row.id))[:most]


def _head(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / HEAD).read_text(encoding="utf-8"))
    return found


def _stored(folder: Path) -> tuple[dict[str, list[Encoded]], dict[str, int]]:
    """What earlier stages kept, by task, and how many examples of each they have seen."""
    tasks, rows = _head(folder)["tasks"], iter(read_rows(folder / ROWS))
    store = {task: [next(rows) for _ in range(count)] for task, (count, _) in tasks.items()}
    return store, {task: int(seen) for task, (_, seen) in tasks.items()}

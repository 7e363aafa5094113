"""Experience replay: some examples of earlier stages are kept and mixed in (Rolnick et al. 2019; de Masson d'Autume et
al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from t2t.config.settings import Positive, settings
from t2t.continual.store import Store, read_store, write_store
from t2t.continual.strategy import KEPT, STRATEGIES, Stage, Strategy, Support, Trained, Training
from t2t.data.encode import Encoded
from t2t.draws import chance_of

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

    def begin(self, stage: Stage, training: Training) -> Support:
        if not stage.earlier:
            return Support()
        return Support(read_store(stage.earlier[-1] / KEPT, training.vocabulary).all_rows, self.share)

    def end(self, stage: Stage, trained: Trained) -> None:
        """Which examples are kept is a function of the seed, the task and their ids and targets: of all that were seen,
        each as likely as any other, as a reservoir would have it."""
        before = read_store(stage.earlier[-1] / KEPT, trained.vocabulary) if stage.earlier else Store()
        store, seen = dict(before.rows), before.with_seen(trained.rows)
        for task, rows in trained.rows.items():
            most = self.examples or max(1, round(self.keep * seen[task]))
            old = store.get(task, ())
            of_old = min(len(old), round(most * before.seen.get(task, 0) / seen[task]))
            store[task] = [
                *chosen(old, of_old, trained.seed, task),
                *chosen(rows, most - of_old, trained.seed, task),
            ]
        if self.examples is not None:
            each = max(1, self.examples // len(store))
            store = {task: chosen(rows, each, trained.seed, task) for task, rows in store.items()}
        write_store(stage.kept, Store(store, seen), trained.vocabulary)


def chosen(rows: Sequence[Encoded], most: int, seed: int, task: str) -> list[Encoded]:
    """``most`` of the rows, the same whatever their order, each as likely as any other.

    Rows with one target stand together, in an order drawn by (seed, task, target) and (seed, task, id), and are taken
    at even distances: so a label that a tenth of the rows have is a tenth of the chosen, one more or less.
    """
    most = min(most, len(rows))

    def place(row: Encoded) -> tuple[float, bytes, float, str]:
        target = row.labels.tobytes()
        return chance_of(seed, _CHOOSE, task, target), target, chance_of(seed, _CHOOSE, task, row.id), row.id

    ordered = sorted(rows, key=place)
    return [ordered[(2 * number + 1) * len(rows) // (2 * most)] for number in range(most)]

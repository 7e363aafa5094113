"""Which of several adapters beside a base answers what: ``adapters.json`` of a model folder, with a folder of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from t2t.errors import InputError
from t2t.whole_files import write_text

ROUTES, ADAPTERS = "adapters.json", "adapters"
By = Literal["task", "score"]


@dataclass(frozen=True, slots=True)
class Routes:
    """``tasks``: those of each adapter, by its name, the oldest adapter first.

    ``by`` task: an adapter answers the tasks that it knows; of several that know one the surest does. By score: the
    surest of all does, whatever the task of a record says.
    """

    by: By
    tasks: Mapping[str, tuple[str, ...]]

    def of(self, task: str) -> tuple[str, ...]:
        """The adapters of which the surest answers a task; none: the base does."""
        knowing = tuple(name for name, own in self.tasks.items() if task in own)
        return tuple(self.tasks) if knowing and self.by == "score" else knowing


def adapter_of(folder: Path, name: str) -> Path:
    """Where an adapter is in a model folder."""
    return folder / ADAPTERS / name


def write_routes(folder: Path, routes: Routes) -> None:
    """Write ``adapters.json`` of a model folder."""
    content = {"by": routes.by, "tasks": {name: list(own) for name, own in routes.tasks.items()}}
    write_text(folder / ROUTES, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_routes(folder: Path) -> Routes | None:
    """What a model folder says of adapters in it; None where it has none. InputError for a file that cannot be read."""
    path = folder / ROUTES
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        tasks = {str(name): tuple(map(str, own)) for name, own in found["tasks"].items()}
        if found["by"] not in get_args(By) or not tasks or any("/" in name or name == ".." for name in tasks):
            raise ValueError("an unknown route, or no adapter's name")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(str(path), f"it says of no adapters what they answer ({error})", "put it back") from None
    return Routes(found["by"], tasks)


def check_one_model(source: str) -> None:
    """InputError for a folder whose base knows nothing of what was trained without the adapters beside it."""
    if (Path(source) / ROUTES).is_file():
        found = f"{ROUTES} stands there: what was trained is in several adapters and no part of the base beside them"
        raise InputError(source, found, "name one model: that of a stage (stages/NN-NAME/model), or the base itself")

"""The tasks of a run that have outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from t2t.config.run import TaskSettings
from t2t.errors import RunFileError
from t2t.tasks.task import Task, load_task


def load_tasks(entries: Sequence[TaskSettings], where: Callable[[str], str]) -> list[Task]:
    """The tasks of a run in the order of its file; RunFileError if one is there twice, by whatever name or path.

    ``where``: FILE:LINE of a dotted key of the run file.
    """
    tasks: dict[str, Task] = {}
    for index, entry in enumerate(entries):
        place = where(f"tasks.{index}")
        task = load_task(entry.task, place, entry.limit)
        if task.name in tasks:
            raise RunFileError(place, f"the task {task.name!r} stands twice", "keep one, with a weight")
        tasks[task.name] = task
    return list(tasks.values())


def answering_tasks(entries: Sequence[TaskSettings], where: Callable[[str], str]) -> list[Task]:
    """The tasks that a run generates and scores: token tasks are left out, since they only train.

    RunFileError if there are no others.
    """
    answering = [task for task in load_tasks(entries, where) if task.token_task is None]
    if not answering:
        found = "the run has token tasks only, which have no outputs to score"
        raise RunFileError(where("tasks.0"), found, "use the model in another run, or add a task of strings")
    return answering

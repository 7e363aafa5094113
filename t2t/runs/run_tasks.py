"""The tasks of a run that have outputs."""

from __future__ import annotations

from t2t.config.run import RunConfig
from t2t.errors import RunFileError
from t2t.tasks.task import Task, load_task


def answering_tasks(run: RunConfig) -> list[Task]:
    """The tasks that a run generates and scores: each once, token tasks left out, since they only train.

    RunFileError if there are no others.
    """
    places = {entry.task: entry.where for entry in run.tasks}
    tasks = [load_task(name, where) for name, where in places.items()]
    answering = [task for task in tasks if task.token_task is None]
    if not answering:
        found = "the run has token tasks only, which have no outputs to score"
        raise RunFileError(run.tasks[0].where, found, "use the model in another run, or add a task of strings")
    return answering

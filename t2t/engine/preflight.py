"""What is looked at before anything is trained or written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

from t2t.config.run_file import spell_out
from t2t.config.yaml_file import read_scalar, read_yaml
from t2t.data.counts import Counts
from t2t.engine import distributed
from t2t.engine.checkpoint import any_there, newest
from t2t.errors import DataError, InputError, RunDirectoryError, RunFileError, TemplateError
from t2t.model.sayable import Vocabulary, check_words, refusal
from t2t.structures import Json
from t2t.tasks.task import Task
from t2t.whole_files import remove_stale_parts, write_text

T = TypeVar("T")


# How a run goes on may change; what it is does not. The rate that a loss ran away at, the length, what is watched.
# DeepSpeed keeps the rest of the optimiser as its checkpoint has it.
_MAY_CHANGE = frozenset({
    "optimizer.learning_rate", "optimizer.clip", "schedule", "checkpoint", "log", "validate", "best", "early_stopping",
})  # fmt: skip


def on_first(action: Callable[[], T]) -> T:
    """Run ``action`` on rank 0, however long it takes, then on the others, who so find what it wrote (caches, folders).

    An error of any rank is raised on that rank; all of them see the same files, so all of them raise.
    """
    if distributed.rank():
        distributed.patient_barrier()
        return action()
    try:
        return action()
    finally:
        distributed.patient_barrier()


@contextmanager
def told_at(where: Callable[[str], str], key: str) -> Iterator[None]:
    """Tell the mistakes of what the run file names under ``key`` with its line, too."""
    try:
        yield
    except InputError as error:
        if isinstance(error, DataError | TemplateError | RunFileError):
            raise
        raise RunFileError(where(key), f"{error.where}: {error.found}", error.todo) from error


def check_directory(directory: Path, run_file: str) -> None:
    """Refuse a run directory that holds another run than that of the text ``run_file``. The same settings resume;
    others too where nothing is trained."""
    file = directory / "run.yaml"
    if not file.exists():
        remove_stale_parts(directory)  # of a start that was killed
        if directory.exists() and any(directory.iterdir()):
            found = "the folder is not empty and holds no run"
            raise RunDirectoryError(str(directory), found, "choose another name under run:, or remove the folder")
        return
    if not any_there(directory / "checkpoints") and not (directory / "model").exists():
        return
    try:
        old = _settings(_written(file))
    except RunFileError as error:
        found = f"it cannot be read ({error.found}), so what the folder was trained with is not known"
        raise RunDirectoryError(str(file), found, "put it back, or choose another name under run:") from None
    new = _settings(read_scalar(run_file, str(file)))  # read back: what is in a file is what is compared
    if fixed := [key for key in changes(old, new) if not _MAY_CHANGE & {key, key.partition(".")[0]}]:
        found = f"the folder holds another run (it differs in {', '.join(sorted(fixed))})"
        raise RunDirectoryError(str(directory), found, "choose another name under run:, or remove the folder")


def changes(old: Mapping[str, Json], new: Mapping[str, Json], before: str = "") -> dict[str, tuple[Json, Json]]:
    """The dotted keys in which two run files differ, with what is in each; None where it is not there."""
    found: dict[str, tuple[Json, Json]] = {}
    for key in dict.fromkeys((*old, *new)):
        one, other = old.get(key), new.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found |= changes(one, other, f"{before}{key}.")
        elif one != other:
            found[f"{before}{key}"] = one, other
    return found


def write_run_file(directory: Path, run_file: str) -> None:
    """run.yaml of a run that begins or goes on. What has changed since is reported, and is at its head for good."""
    path, saved = directory / "run.yaml", newest(directory / "checkpoints")
    history: list[str] = []
    if path.is_file() and saved is not None:
        history = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
        new = read_scalar(run_file, str(path))
        for key, (one, other) in changes(_settings(_written(path)), _settings(new)).items():
            history.append(
                f"# from step {saved.position.step} on: {key} is {json.dumps(other)}, it was {json.dumps(one)}"
            )
            print(f"{path}: {history[-1].removeprefix('# ')}", flush=True)
    write_text(path, "".join(f"{line}\n" for line in history) + run_file)


def _written(file: Path) -> dict[str, Json]:
    """What a run.yaml says, in today's names: one of an older t2t goes on."""
    data, _ = read_yaml(file)
    spell_out(data, str(file))
    return data


def _settings(data: Mapping[str, Json]) -> dict[str, Json]:
    """Settings that make a run what it is; how its outputs are generated does not.

    An empty list is no setting: what an older t2t wrote has not the key.
    """
    return {key: value for key, value in data.items() if key != "generate" and value != []}


def check_vocabulary(tasks: Sequence[Task], vocabulary: Vocabulary) -> None:
    """VocabularyError if labels, marks or reserved words of a task cannot be said.

    Token tasks are passed over: their targets are ids.
    """
    for task in tasks:
        if task.token_task is None:
            check_words(task.target, vocabulary)


def check_targets(
    tasks: Mapping[str, Task], counts: Mapping[str, Counts], policy: Literal["keep", "stop"], share: float
) -> None:
    """VocabularyError if more of a task's targets cannot be said than the ``policy`` (``unsayable:``) lets pass.

    ``tasks``: by FILE:LINE of their entries in the run file.
    """
    for where, task in tasks.items():
        found = counts.get(task.name, Counts())
        if refused := refusal(where, task.name, found.targets, found.characters, policy, share):
            raise refused

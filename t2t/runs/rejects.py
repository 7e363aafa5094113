"""Bad records that are skipped: bad_records.jsonl of a run directory, and their count on the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from t2t.errors import DataError
from t2t.json_lines import json_line
from t2t.structures import Json
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.task import Task
from t2t.whole_files import whole_file

NAME = "bad_records.jsonl"


@contextmanager
def set_aside(directory: Path, task: Task, split: str) -> Iterator[BadRecords]:
    """What ``task.examples(split, ...)`` is to hand its bad records to.

    Where the template skips them, ``bad_records.jsonl`` has, at the end, a line for each (task, split, where, found,
    todo) in place of those of this split that it had before, and their count is printed.
    """
    if task.on_bad == "stop":
        yield BadRecords()
        return
    path = directory / NAME
    with whole_file(path) as file:
        kept = [line for line in _lines(path) if (line["task"], line["split"]) != (task.name, split)]

        def write(line: Json) -> None:
            file.write(json_line(line))

        def keep(error: DataError) -> None:
            write({"task": task.name, "split": split, "where": error.where, "found": error.found, "todo": error.todo})

        for line in kept:
            write(line)
        bad = BadRecords("skip", keep)
        yield bad
    if not kept and not bad.count:
        path.unlink()
    if bad.count:
        print(f"{task.name} {split}: {bad.count} bad records were set aside, see {path}", flush=True)


def _lines(path: Path) -> Iterator[Json]:
    """The lines of an earlier listing; one that was cut says nothing and is left out."""
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                with suppress(ValueError):
                    line = json.loads(text)
                    if isinstance(line, dict) and {"task", "split", "where"} <= line.keys():
                        yield line


def bad_places(directory: Path, task: str, split: str) -> frozenset[str]:
    """Where the records of a split stand (FILE:LINE) that were set aside in ``directory``."""
    lines = _lines(directory / NAME)
    return frozenset(line["where"] for line in lines if (line["task"], line["split"]) == (task, split))


def count_bad(
    directory: Path, tasks: Sequence[tuple[Task, int | None]], unfit: Mapping[str, Sequence[DataError]]
) -> dict[str, int]:
    """Read the training examples that each task uses (the first so many), set its bad records aside and count them.

    ``unfit``: by task, those that can be read but not encoded.
    """
    counts = {}
    for task, limit in tasks:
        with set_aside(directory, task, "train") as bad:
            if task.on_bad == "skip":
                for _ in islice(task.examples("train", bad), limit):
                    pass
            for error in unfit.get(task.name, ()):
                bad.add(error)
        counts[task.name] = bad.count
    return counts

"""Examples and what was predicted for them, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from t2t.errors import DataError, RunDirectoryError
from t2t.linear.parsed import Issue, Parsed
from t2t.runs.prediction_lines import Parser, parse_line
from t2t.runs.rejects import bad_places
from t2t.runs.run_files import prediction_file, read_lines
from t2t.structures import Example, Json, Value


class Scorable(Parser, Protocol):
    """What evaluation needs of a task (see t2t.tasks.task.Task)."""

    name: str
    version: int
    language: str

    @property
    def metrics(self) -> Sequence[Json]: ...

    @property
    def metrics_where(self) -> str: ...

    def splits(self) -> list[str]: ...

    def examples(self, split: str) -> Iterator[Example]: ...

    def references(self, example: Example) -> list[Value]: ...

    def target_text(self, example: Example) -> str: ...

    def is_unreachable(self, example: Example) -> bool: ...

    def asks(self, prompt: str, example: Example) -> bool: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """An example, the line that was predicted for it, what the line says, and what it should say."""

    example: Example
    line: Json
    parsed: Parsed
    references: list[Value]


def judge(directory: Path, task: Scorable, split: str, limit: int | None = None) -> Iterator[Judged]:
    """The examples of a split with their predictions, parsed again, in the order of the examples.

    That an output was cut at the length limit is known to the line alone, so that issue is taken over from it. An
    example without a prediction that was set aside when it was to be generated is passed over.
    """
    path = prediction_file(directory, task.name, split)
    lines, aside = _Lines(path), bad_places(directory, task.name, split)
    for example in islice(task.examples(split), limit):
        if example.where in aside and not lines.has(example.id):
            continue
        line = lines.take(example.id)
        if line is None:
            raise DataError(str(path), f"no prediction for example {example.id!r}", "generate the predictions again")
        if "prompt" in line and not task.asks(line["prompt"], example):
            found = f"the prompt of example {example.id!r} is not the one that the task has now"
            raise DataError(str(path), found, "data or template have changed: generate the predictions again")
        parsed = parse_line(task, line, example)
        cut = tuple(Issue("cut", "", "") for issue in line.get("issues", []) if issue["kind"] == "cut")
        yield Judged(
            example, line, Parsed(parsed.value, parsed.issues + cut, line.get("score")), task.references(example)
        )
    if left := lines.left():
        found = f"predictions for ids that are no examples, {left[0]!r} among them ({len(left)} in all)"
        raise DataError(str(path), found, "evaluate with the data and limit that it was generated with")


class _Lines:
    """The lines of a predictions file, taken by id. Those that are before the one that is wanted wait in memory:
    none where the file has the order of the examples, as generate writes it."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise RunDirectoryError(str(path), "no such predictions", "run `t2t generate` first")
        self._lines = read_lines(path)
        self._waiting: dict[str, Json] = {}
        self._seen: set[str] = set()

    def _read(self) -> str | None:
        """The id of the next line, which waits now; None at the end. DataError for an id that is there twice."""
        where, line = next(self._lines, ("", None))
        if line is None:
            return None
        name: str = line["id"]
        if name in self._seen:
            raise DataError(where, f"id {name!r} stands there twice", "generate the predictions again")
        self._seen.add(name)
        self._waiting[name] = line
        return name

    def has(self, name: str) -> bool:
        """True if the line of this id waits, or comes next where none waits."""
        if not self._waiting:
            self._read()
        return name in self._waiting

    def take(self, name: str) -> Json | None:
        """The line of this id, which is then taken; None if there is none."""
        while name not in self._waiting and self._read() is not None:
            pass
        return self._waiting.pop(name, None)

    def left(self) -> list[str]:
        """The ids of the lines that were not taken, in their order."""
        while self._read() is not None:
            pass
        return list(self._waiting)

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


@dataclass(frozen=True, slots=True)
class Judged:
    """An example, the line that was predicted for it, what the line says, and what it should say."""

    example: Example
    line: Json
    parsed: Parsed
    references: list[Value]


def judge(directory: Path, task: Scorable, split: str, limit: int | None = None) -> Iterator[Judged]:
    """The examples of a split with their predictions, parsed again, in the order of the examples.

    That an output was cut at the length limit is known to the line alone, so that issue is taken over from it.
    """
    path = prediction_file(directory, task.name, split)
    lines = _lines(path)
    for example in islice(task.examples(split), limit):
        line = lines.pop(example.id, None)
        if line is None:
            raise DataError(str(path), f"no prediction for example {example.id!r}", "generate the predictions again")
        parsed = parse_line(task, line, example)
        cut = tuple(Issue("cut", "", "") for issue in line.get("issues", []) if issue["kind"] == "cut")
        yield Judged(
            example, line, Parsed(parsed.value, parsed.issues + cut, line.get("score")), task.references(example)
        )
    if lines:
        found = f"predictions for ids that are no examples, {next(iter(lines))!r} among them ({len(lines)} in all)"
        raise DataError(str(path), found, "evaluate with the data and limit that it was generated with")


def _lines(path: Path) -> dict[str, Json]:
    if not path.is_file():
        raise RunDirectoryError(str(path), "no such predictions", "run `t2t generate` first")
    lines: dict[str, Json] = {}
    for where, line in read_lines(path):
        if line["id"] in lines:
            raise DataError(where, f"id {line['id']!r} stands there twice", "generate the predictions again")
        lines[line["id"]] = line
    return lines

"""What a prediction line says: generate and evaluate read it by the same function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from t2t.errors import DataError
from t2t.linear.parsed import Parsed
from t2t.structures import Example, Json


class Parser(Protocol):
    """What reading a line needs of a task (see t2t.tasks.task.Task)."""

    def windows(self, example: Example) -> list[Example]: ...

    def parse(self, text: str, example: Example) -> Parsed: ...

    def parse_windows(self, outputs: Sequence[tuple[str, float | None]], example: Example) -> Parsed: ...


def parse_line(task: Parser, line: Json, example: Example) -> Parsed:
    """What a line with ``text``, or with ``windows`` (each with its ``id``, ``text`` and ``score``), says.

    DataError where the windows are not those that the example has now.
    """
    if "windows" not in line:
        return task.parse(line["text"], example)
    said, now = [one["id"] for one in line["windows"]], [window.id for window in task.windows(example)]
    if said != now:
        found = f"the prediction has {len(said)} windows that are not those of the template ({len(now)})"
        raise DataError(example.where, found, "generate the predictions again")
    return task.parse_windows([(one["text"], one["score"]) for one in line["windows"]], example)

"""What ``t2t new`` proposes for small files: for the tests of its rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2t.authoring.new import new
from t2t.structures import Example
from t2t.tasks.task import Task, load_task


@dataclass(frozen=True, slots=True)
class Proposed:
    """What was said, how many errors are left, and the task."""

    output: str
    errors: int
    task: Task

    @property
    def family(self) -> str:
        return self.output.splitlines()[0].rpartition(": ")[2]

    @property
    def examples(self) -> list[Example]:
        return [example for split in self.task.splits() for example in self.task.examples(split)]

    @property
    def pairs(self) -> dict[str, str]:
        """The target of each prompt, which is given without the words in front of its fields."""
        return {self.task.prompt(one).partition(": ")[2]: self.task.target_text(one) for one in self.examples}

    @property
    def targets(self) -> list[str]:
        return [self.task.target_text(example) for example in self.examples]


def proposed(folder: Path, files: Mapping[str, str], names: Sequence[str] = ()) -> Proposed:
    """The proposal for files that are written into ``folder``; ``names``: those that are given to the command."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8", newline="")
    output, errors = new([str(folder / name) for name in names or files], folder / "mine" / "task.yaml")
    return Proposed(output, errors, load_task(str(folder / "mine" / "task.yaml")))


def jsonl(rows: Sequence[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

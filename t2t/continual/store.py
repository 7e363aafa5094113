"""Encoded examples by task that a strategy keeps of earlier stages, in the folder of the newest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from t2t.data.cache import read_rows, write_rows
from t2t.data.encode import Encoded
from t2t.errors import RunDirectoryError
from t2t.whole_files import write_text

ROWS, HEAD = "replay.npz", "replay.json"


@dataclass(frozen=True, slots=True)
class Store:
    """``rows``: what is kept of each task; ``seen``: how many training examples of it there were so far."""

    rows: Mapping[str, Sequence[Encoded]] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)

    @property
    def all_rows(self) -> list[Encoded]:
        return [row for rows in self.rows.values() for row in rows]

    def with_seen(self, rows: Mapping[str, Sequence[Encoded]]) -> dict[str, int]:
        """How many examples of each task there were, with those of a stage."""
        return {**self.seen, **{task: self.seen.get(task, 0) + len(own) for task, own in rows.items()}}


def write_store(folder: Path, store: Store, vocabulary: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / ROWS, store.all_rows)
    tasks = {task: [len(rows), store.seen[task]] for task, rows in store.rows.items()}
    write_text(folder / HEAD, json.dumps({"vocabulary": vocabulary, "tasks": tasks}))


def read_store(folder: Path, vocabulary: str) -> Store:
    """RunDirectoryError where the examples were encoded by another tokenizer than that with the hash."""
    head = json.loads((folder / HEAD).read_text(encoding="utf-8"))
    if head["vocabulary"] != vocabulary:
        found = "the examples that it keeps were encoded by another tokenizer"
        raise RunDirectoryError(str(folder / ROWS), found, "start the run anew under another name")
    rows = iter(read_rows(folder / ROWS))
    kept = {task: [next(rows) for _ in range(count)] for task, (count, _) in head["tasks"].items()}
    return Store(kept, {task: int(seen) for task, (_, seen) in head["tasks"].items()})

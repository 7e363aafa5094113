"""What the weights of a run's checkpoints were trained on, kept beside them and compared when training goes on.

``checkpoints/start/`` holds the tokenizer and start.json: ZeRO stage, vocabulary, teacher, fingerprint and rows of
each task.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from t2t.engine.checkpoint import newest
from t2t.engine.disk import whole_folder
from t2t.errors import RunDirectoryError
from t2t.tasks.task import Task

_FILE = "start.json"
_UNDO = "undo the change, or choose another name under run: to train anew"


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """``stage``: of ZeRO. ``vocabulary``: a hash of which piece each id is. ``rows``: of each task, encoded.
    ``teacher``: a hash of what it is, empty without one."""

    stage: int
    vocabulary: str
    tasks: list[str]
    fingerprints: list[str]
    rows: list[int]
    teacher: str = ""

    @classmethod
    def of(
        cls,
        stage: int,
        tokenizer: PreTrainedTokenizerFast,
        tasks: Sequence[Task],
        rows: Sequence[int],
        teacher: str = "",
    ) -> TrainedOn:
        """What a run is about to be trained on."""
        pieces = json.dumps(sorted(tokenizer.get_vocab().items())).encode()
        names, fingerprints = [task.name for task in tasks], [task.fingerprint for task in tasks]
        return cls(stage, hashlib.sha256(pieces).hexdigest(), names, fingerprints, list(rows), teacher)

    def write(self, checkpoints: Path, tokenizer: PreTrainedTokenizerFast) -> None:
        """Keep this and the tokenizer, unless checkpoints hold to what is kept already."""
        if newest(checkpoints) is not None:
            return
        with whole_folder(checkpoints / "start") as folder:
            tokenizer.save_pretrained(folder)
            (folder / _FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def kept_tokenizer(checkpoints: Path) -> Path | None:
    """The folder of the tokenizer whose ids the checkpoints know; None if there is no checkpoint yet."""
    return None if newest(checkpoints) is None else checkpoints / "start"


def check_unchanged(directory: Path, stage: int, tasks: Sequence[Task]) -> None:
    """RunDirectoryError if templates, data or ZeRO stage are not those of the run's checkpoints."""
    kept = _read(directory)
    if kept is None:
        return
    if kept.stage != stage:
        found = f"its checkpoints are of ZeRO stage {kept.stage}, the DeepSpeed file now says {stage}"
        raise RunDirectoryError(str(directory), found, _UNDO)
    then = zip(tasks, kept.fingerprints, strict=True)
    changed = [task.name for task, fingerprint in then if task.fingerprint != fingerprint]
    if changed:
        found = f"template or data changed since its checkpoints were trained ({', '.join(changed)})"
        raise RunDirectoryError(str(directory), found, _UNDO)


def check_rows(directory: Path, now: TrainedOn) -> None:
    """RunDirectoryError if vocabulary, teacher or the number of rows are not those of the run's checkpoints."""
    kept = _read(directory)
    if kept is None:
        return
    if kept.vocabulary != now.vocabulary:
        found = "the vocabulary changed since its checkpoints were trained, so the ids mean other pieces"
        raise RunDirectoryError(str(directory), found, _UNDO)
    if kept.teacher != now.teacher:
        found = "the teacher changed since its checkpoints were trained"
        raise RunDirectoryError(str(directory), found, _UNDO)
    if kept.rows != now.rows:
        pairs = zip(now.tasks, kept.rows, now.rows, strict=True)
        changes = [f"{task}: {then:,}, now {rows:,}" for task, then, rows in pairs if then != rows]
        found = f"its checkpoints were trained on other numbers of rows ({'; '.join(changes)})"
        raise RunDirectoryError(str(directory), found, _UNDO)


def _read(directory: Path) -> TrainedOn | None:
    """What is kept; None where no checkpoint is, so that nothing was learned that could be spoilt."""
    checkpoints = directory / "checkpoints"
    if newest(checkpoints) is None:
        return None
    try:
        data: dict[str, Any] = json.loads((checkpoints / "start" / _FILE).read_text(encoding="utf-8"))
        return TrainedOn(**data)
    except (OSError, ValueError, TypeError):
        found = f"its checkpoints do not say what they were trained on (start/{_FILE} is missing or unreadable)"
        todo = "put it back, or choose another name under run: to train anew"
        raise RunDirectoryError(str(checkpoints), found, todo) from None

"""The names of the files of a run directory, and how they are written and read."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from t2t.errors import DataError
from t2t.structures import Json
from t2t.whole_files import write_text


def prediction_name(task: str, split: str) -> str:
    """TASK for the test split, TASK@SPLIT for another."""
    return task if split == "test" else f"{task}@{split}"


def prediction_file(run_dir: str | Path, task: str, split: str) -> Path:
    """Where the predictions of a task's split stand: ``predictions/FAMILY/NAME.jsonl`` or ``NAME@SPLIT.jsonl``."""
    return Path(run_dir) / "predictions" / f"{prediction_name(task, split)}.jsonl"


def write_json(path: Path, data: Json) -> None:
    """``data`` as JSON, atomically."""
    write_text(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path) -> Json:
    """What ``write_json`` wrote. OSError where there is none, ValueError where it is damaged."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path: Path) -> Iterator[tuple[str, Json]]:
    """("FILE:LINE", object) of each line of a JSON lines file; DataError names a line that is none."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path}:{number}"
            try:
                data = json.loads(line.decode())
                if b"\\u" in line:
                    json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair cannot be written again
            except (ValueError, RecursionError) as error:
                reason = getattr(error, "msg", None) or error
                raise DataError(where, f"no JSON ({reason})", "generate the predictions again") from None
            if not _is_prediction(data):
                raise DataError(where, "no prediction line with id and text", "generate the predictions again")
            yield where, data


def _is_prediction(data: Json) -> bool:
    if not isinstance(data, dict) or not isinstance(data.get("id"), str) or not isinstance(data.get("text"), str):
        return False
    if not isinstance(data.get("prompt", ""), str) or not _is_score(data.get("score")):
        return False
    if "windows" in data and not (isinstance(data["windows"], list) and all(map(_is_window, data["windows"]))):
        return False
    issues = data.get("issues", [])
    return isinstance(issues, list) and all(isinstance(i, dict) and isinstance(i.get("kind"), str) for i in issues)


def _is_score(score: Json) -> bool:
    return score is None or (isinstance(score, (int, float)) and abs(score) <= sys.float_info.max)


def _is_window(data: Json) -> bool:
    texts = isinstance(data, dict) and isinstance(data.get("id"), str) and isinstance(data.get("text"), str)
    return texts and "score" in data and _is_score(data["score"])

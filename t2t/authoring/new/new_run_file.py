"""The run file of a new task: it fine-tunes a pretrained T5."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from t2t.config.yaml_file import write_yaml
from t2t.whole_files import write_text

_ENGLISH, _CHINESE = "google/flan-t5-base", "google/mt5-small"


def write_run_file(template: Path, chinese: bool) -> Path:
    """Write NAME.run.yaml beside a template and give its path; one that is there stays as it is.

    The pretrained model fits the language of the data: T5's own vocabulary has no Chinese.
    """
    path = template.with_suffix(".run.yaml")
    if not path.exists():
        content: dict[str, Any] = {
            "run": _run_name(template.stem),
            "tasks": [template.as_posix()],
            "model": {"from": _CHINESE if chinese else _ENGLISH},
            "schedule": {"epochs": 3},
            "precision": "auto",
        }
        head = (
            "# Fine-tunes a pretrained T5; model: {from: FOLDER} takes one of your own. All keys: docs/run_files.md\n"
        )
        write_text(path, head + write_yaml(content))
    return path


def _run_name(stem: str) -> str:
    name = re.sub(r"[^\w.-]+", "_", stem).strip("_.-")
    return name or "run"

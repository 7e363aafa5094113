"""Checkpoints that are whole or not there.

DeepSpeed writes into TAG.tmp, every rank adds its random state; after a barrier and a sync the folder is renamed,
and only then the file ``latest`` is replaced, atomically. A folder without the mark of completeness is skipped.
DeepSpeed's files are pickles: load only your own.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from t2t.engine import distributed

_MARK = "complete.json"


@dataclass(frozen=True, slots=True)
class Position:
    """Where training stands: ``step`` updates were made, the next one is ``step_in_epoch`` of ``epoch``; ``elapsed``
    seconds were trained, ``tokens`` seen."""

    step: int = 0
    epoch: int = 0
    step_in_epoch: int = 0
    elapsed: float = 0.0
    tokens: int = 0


def save(engine: Any, folder: Path, position: Position, keep: int) -> Path:
    """Write a checkpoint of the DeepSpeed ``engine`` and keep the last ``keep``. Every rank must call it."""
    tag = f"step{position.step:08d}"
    part, whole = folder / f"{tag}.tmp", folder / tag
    first = distributed.rank() == 0
    if first:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(whole, ignore_errors=True)
    distributed.barrier()
    engine.save_checkpoint(str(folder), tag=part.name, save_latest=False)
    torch.save(_random_state(), part / f"random_{distributed.rank():05d}.pt")
    distributed.barrier()
    if first:
        (part / _MARK).write_text(json.dumps({"world_size": distributed.world_size(), **asdict(position)}))
        _sync(part)
        part.rename(whole)
        _sync_folder(folder)
        _replace(folder / "latest", tag)
        for old in _complete(folder)[:-keep]:
            shutil.rmtree(old)
    distributed.barrier()
    return whole


def load_latest(engine: Any, folder: Path, say: Any = print) -> Position | None:
    """Load the newest complete checkpoint and give its position; None if there is none. Every rank must call it."""
    for left in sorted(folder.glob("step*.tmp")):
        if distributed.rank() == 0:
            say(f"{left}: half-written checkpoint, skipped")
    complete = _complete(folder)
    if not complete:
        return None
    newest = complete[-1]
    mark = json.loads((newest / _MARK).read_text())
    mark.pop("world_size")
    engine.load_checkpoint(str(folder), tag=newest.name)
    _restore_random_state(torch.load(newest / f"random_{distributed.rank():05d}.pt", weights_only=False))
    return Position(**mark)


def world_size_of_latest(folder: Path) -> int | None:
    """With how many ranks the newest complete checkpoint was written; None if there is none."""
    complete = _complete(folder)
    return int(json.loads((complete[-1] / _MARK).read_text())["world_size"]) if complete else None


def _complete(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step*") if path.suffix != ".tmp" and (path / _MARK).is_file())


def _random_state() -> dict[str, Any]:
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state(),
        "python": random.getstate(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _restore_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    np.random.set_state(state["numpy"])
    random.setstate(state["python"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(".tmp")
    part.write_text(text)
    part.replace(path)

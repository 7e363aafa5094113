"""Checkpoints that are whole or not there.

DeepSpeed writes into TAG.tmp, every rank adds its random state; after a barrier and a sync the folder is renamed,
and only then the file ``latest`` is replaced, atomically. The mark of completeness, complete.json, holds the size of
every file; a folder that lacks it or a file, or has one of another size, is skipped.
DeepSpeed's files are pickles: load only your own.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from t2t.engine import distributed
from t2t.engine.disk import file_sizes, sync, sync_folder
from t2t.errors import RunDirectoryError

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


@dataclass(frozen=True, slots=True)
class Saved:
    """A whole checkpoint: its folder, how many ranks wrote it, and where training stood."""

    folder: Path
    world_size: int
    position: Position


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
    torch.save(_random_state(), part / _random_file(distributed.rank()))
    distributed.barrier()
    if first:
        mark = {"world_size": distributed.world_size(), "position": asdict(position), "files": file_sizes(part)}
        (part / _MARK).write_text(json.dumps(mark))
        sync(part)
        part.rename(whole)
        sync_folder(folder)
        _replace(folder / "latest", tag)
        _remove_all_but(folder, keep)
    distributed.barrier()
    return whole


def newest(folder: Path, say: Callable[[str], object] = lambda line: None) -> Saved | None:
    """The newest whole checkpoint; None if none was ever completed. ``say`` gets a line for each newer damaged one.

    RunDirectoryError if there are checkpoints and all are damaged.
    """
    faults = []
    for path in reversed(_completed(folder)):
        saved = _read(path)
        if isinstance(saved, Saved):
            return saved
        faults.append(saved)
        say(f"{path}: damaged checkpoint ({saved}), skipped")
    if faults:
        found = f"none of the checkpoints is whole (the newest: {faults[0]})"
        raise RunDirectoryError(str(folder), found, "put the files back, or remove the folder to train from the start")
    return None


def load_latest(engine: Any, folder: Path, seed: int, say: Callable[[str], object] = print) -> Position | None:
    """Load the newest whole checkpoint and give its position; None if there is none. Every rank must call it.

    Ranks that had no part in writing it draw their random state from (``seed``, rank, step).
    """
    if distributed.rank():
        say = _silent
    for left in sorted(folder.glob("step*.tmp")):
        say(f"{left}: half-written checkpoint, skipped")
    saved = newest(folder, say)
    if saved is None:
        return None
    engine.load_checkpoint(str(folder), tag=saved.folder.name)
    rank, world = distributed.rank(), distributed.world_size()
    if world > saved.world_size:
        wrote = f"written by {saved.world_size} of now {world} processes"
        say(f"{saved.folder}: {wrote}; the others draw random numbers anew")
    if rank < saved.world_size:
        _restore_random_state(torch.load(saved.folder / _random_file(rank), weights_only=False))
    else:
        _seed_random_state(seed, rank, saved.position.step)
    return saved.position


def _silent(line: str) -> None:
    """Says nothing: the first rank speaks for all."""


def _completed(folder: Path) -> list[Path]:
    """The folders that took their name, which they do when they are whole, by step; later damage is not looked for."""
    return sorted(path for path in folder.glob("step*") if path.suffix != ".tmp")


def _read(path: Path) -> Saved | str:
    """A checkpoint, or in a few words why it is damaged."""
    try:
        mark = json.loads((path / _MARK).read_text())
        saved = Saved(path, int(mark["world_size"]), Position(**mark["position"]))
        files: dict[str, int] = dict(mark["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"{_MARK} is missing or unreadable"
    found = file_sizes(path)
    for name, size in files.items():
        if name not in found:
            return f"{name} is missing"
        if found[name] != size:
            return f"{name} has {found[name]:,} bytes instead of {size:,}"
    return saved


def _remove_all_but(folder: Path, keep: int) -> None:
    """Keep the last ``keep`` whole checkpoints; what is damaged or half-written goes as well."""
    kept = [path for path in _completed(folder) if isinstance(_read(path), Saved)][-keep:]
    for path in folder.glob("step*"):
        if path not in kept:
            shutil.rmtree(path)


def _random_file(rank: int) -> str:
    return f"random_{rank:05d}.pt"


def _seed_random_state(seed: int, rank: int, step: int) -> None:
    one, two, three = np.random.SeedSequence([seed, rank, step]).generate_state(3).tolist()
    torch.manual_seed(one)
    np.random.seed(two)
    random.seed(three)


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


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(".tmp")
    part.write_text(text)
    part.replace(path)

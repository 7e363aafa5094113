"""Checkpoints that are whole or not there.

DeepSpeed writes into TAG.tmp, every rank adds its random state; after a barrier and a sync the folder is renamed,
and only then the file ``latest`` is replaced, atomically. The mark of completeness, complete.json, holds size and
XXH3 hash of every file; a folder that lacks it or a file, or has one of other content, is skipped. A checkpoint is
called ``step`` and eight digits: whatever else lies beside them is the user's, never loaded and never removed.
DeepSpeed's files are pickles: load only your own.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash

from t2t.engine import distributed
from t2t.engine.disk import file_hash, file_sizes, room_at, sync, sync_folder
from t2t.engine.resharding import load_resharded
from t2t.errors import RunDirectoryError
from t2t.structures import Json
from t2t.whole_files import write_text

_MARK = "complete.json"
_TAG = re.compile(r"step[0-9]{8}")
_PART = re.compile(rf"{_TAG.pattern}\.tmp")


@dataclass(frozen=True, slots=True)
class Position:
    """Where training stands: ``step`` updates were made, the next one is ``step_in_epoch`` of ``epoch``; ``elapsed``
    seconds were trained, ``tokens`` seen. ``halvings``: how often micro-batches are cut in two, since memory ran out.
    ``watched``: what the watchers of training must be told to go on, by name."""

    step: int = 0
    epoch: int = 0
    step_in_epoch: int = 0
    elapsed: float = 0.0
    tokens: int = 0
    halvings: int = 0
    watched: Mapping[str, Json] = field(default_factory=dict)


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
    distributed.barrier()
    with room_at(part):
        engine.save_checkpoint(str(folder), tag=part.name, save_latest=False)
        torch.save(random_state(), part / _random_file(distributed.rank()))
    distributed.barrier()
    if first:
        with room_at(part):
            mark = {"world_size": distributed.world_size(), "position": asdict(position), "files": _content(part)}
            (part / _MARK).write_text(json.dumps(mark | {"own": _own_hash(mark)}))
            sync(part)
        shutil.rmtree(whole, ignore_errors=True)  # only now: it may be the one that there is
        part.rename(whole)
        sync_folder(folder)
        write_text(folder / "latest", tag)
        _remove_all_but(folder, keep, whole)
    distributed.barrier()
    return whole


def any_there(folder: Path) -> bool:
    """True if a checkpoint was ever completed, whole or damaged since."""
    return bool(_completed(folder))


def newest(folder: Path, say: Callable[[str], object] = lambda line: None) -> Saved | None:
    """The newest whole checkpoint; None if none was ever completed. ``say`` gets a line for each newer damaged one.

    RunDirectoryError if there are checkpoints and all are damaged.
    """
    faults = []
    for path in reversed(_completed(folder)):
        saved = _read(path, hashes=True)
        if isinstance(saved, Saved):
            return saved
        faults.append(saved)
        say(f"{path}: damaged checkpoint ({saved}), skipped")
    if faults:
        found = f"none of the checkpoints is whole (the newest: {faults[0]})"
        raise RunDirectoryError(str(folder), found, "put the files back, or remove the folder to train from the start")
    return None


def load_latest(
    engine: Any, folder: Path, seed: int, say: Callable[[str], object] = print, thawed_at: int | None = None
) -> Position | None:
    """Load the newest whole checkpoint and give its position; None if there is none. Every rank must call it.

    ``thawed_at``: the step from which more is trained; up to there checkpoints hold less than the engine has.
    Ranks that had no part in writing it draw their random state from (``seed``, rank, step).
    """
    if distributed.rank():
        say = _silent
    for left in _called(folder, _PART):
        say(f"{left}: half-written checkpoint, skipped")
    saved = newest(folder, say)
    if saved is None:
        return None
    thaws = saved.position.step == thawed_at
    if engine.zero_optimization_stage() and (thaws or saved.world_size != distributed.world_size()):
        load_resharded(engine, saved.folder, saved.world_size)
    else:
        engine.load_checkpoint(str(folder), tag=saved.folder.name)
    if hasattr(engine.optimizer, "clip_grad"):  # the run file owns it, DeepSpeed restores it with the optimiser
        engine.optimizer.clip_grad = engine.gradient_clipping()
    rank, world = distributed.rank(), distributed.world_size()
    if world > saved.world_size:
        wrote = f"written by {saved.world_size} of now {world} processes"
        say(f"{saved.folder}: {wrote}; the others draw random numbers anew")
    if rank < saved.world_size:
        restore_random_state(_read_random_state(saved.folder / _random_file(rank)))
    else:
        _seed_random_state(seed, rank, saved.position.step)
    return saved.position


def _silent(line: str) -> None:
    """Says nothing: the first rank speaks for all."""


def _called(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """The folders of a name, in the order of their steps."""
    return sorted(path for path in folder.glob("step*") if pattern.fullmatch(path.name) and path.is_dir())


def _completed(folder: Path) -> list[Path]:
    """The folders that took their name, which they do when they are whole, by step; later damage is not looked for."""
    return _called(folder, _TAG)


def _content(folder: Path) -> dict[str, list[int | str]]:
    """Size and hash of every file."""
    return {name: [size, file_hash(folder / name)] for name, size in file_sizes(folder).items()}


def _read(path: Path, *, hashes: bool = False) -> Saved | str:
    """A checkpoint, or in a few words why it is damaged. ``hashes``: look at every byte, else at the sizes alone."""
    try:
        text = (path / _MARK).read_text()
        mark = json.loads(text)
        written = json.dumps(mark) == text  # to the last space
        own = mark.pop("own", None)  # those of older versions have none
        if not written or (
            own != _own_hash(mark) if own is not None else mark.keys() != {"world_size", "position", "files"}
        ):
            return f"{_MARK} says something else than was written"
        saved = Saved(path, int(mark["world_size"]), Position(**mark["position"]))
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in mark["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{_MARK} is missing or unreadable"
    found = file_sizes(path)
    for name, (size, digest) in files.items():
        if name not in found:
            return f"{name} is missing"
        if found[name] != size:
            return f"{name} has {found[name]:,} bytes instead of {size:,}"
        if hashes and _hash_as_read(path / name, size, (path / name).stat().st_mtime_ns) != digest:
            return f"{name} has other bytes than were written"
    return saved


def _own_hash(mark: dict[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(mark, sort_keys=True).encode())


@cache
def _hash_as_read(path: Path, size: int, modified: int) -> str:
    """The hash of a file of a checkpoint, read once a process: a start looks for the newest one several times."""
    return file_hash(path)


def _remove_all_but(folder: Path, keep: int, written: Path) -> None:
    """Keep the last ``keep`` whole checkpoints up to the one just written; what is damaged or half-written goes.

    A later one than that was there when training went on from an earlier one, so it was found damaged.
    """
    whole = [path for path in _completed(folder) if path <= written and isinstance(_read(path), Saved)]
    for path in (*_completed(folder), *_called(folder, _PART)):
        if path not in whole[-keep:]:
            shutil.rmtree(path)


def _random_file(rank: int) -> str:
    return f"random_{rank:05d}.pt"


def _seed_random_state(seed: int, rank: int, step: int) -> None:
    one, two, three = np.random.SeedSequence([seed, rank, step]).generate_state(3).tolist()
    torch.manual_seed(one)
    np.random.seed(two)
    random.seed(three)


def random_state() -> dict[str, Any]:
    """Where all generators of random numbers of this process stand."""
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state(),
        "python": random.getstate(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _read_random_state(file: Path) -> dict[str, Any]:
    """What ``random_state`` gave: of the pickle nothing but numbers, texts and arrays is made."""
    kinds = [np._core.multiarray._reconstruct, np.ndarray, np.dtype, type(np.dtype("uint32"))]  # type: ignore[attr-defined]
    with torch.serialization.safe_globals(kinds):
        found: dict[str, Any] = torch.load(file, weights_only=True)
    return found


def restore_random_state(state: dict[str, Any]) -> None:
    """Go on drawing from where ``random_state`` was asked."""
    torch.set_rng_state(state["torch"])
    np.random.set_state(state["numpy"])
    random.setstate(state["python"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])

"""The files that hold a checkpoint's weights: safetensors, or pickles that hold nothing but tensors."""

from __future__ import annotations

import json
import math
import os
import pickle
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from transformers.utils import (
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
    WEIGHTS_INDEX_NAME,
    WEIGHTS_NAME,
    cached_file,
)

from t2t.errors import InputError


def _find(source: str, revision: str | None, name: str) -> Path | None:
    found = cached_file(source, name, revision=revision, _raise_exceptions_for_missing_entries=False)
    return None if found is None else Path(found)


def pickle_files(source: str, revision: str | None) -> list[Path]:
    """The pickles of a checkpoint that has no safetensors; none where it has safetensors, or nothing."""
    if any(_find(source, revision, name) for name in (SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME)):
        return []
    if single := _find(source, revision, WEIGHTS_NAME):
        return [single]
    index = _find(source, revision, WEIGHTS_INDEX_NAME)
    if index is None:
        return []
    names = sorted(set(_shards(index, ".bin").values()))
    return [path for name in names if (path := _find(source, revision, name)) is not None]


def read_pickles(files: Collection[Path]) -> dict[str, Tensor]:
    """The weights of pickles, by ``torch.load(weights_only=True)``, which runs no code of theirs and says so.

    InputError for a pickle that needs more, or that is damaged.
    """
    weights: dict[str, Tensor] = {}
    for file in files:
        if os.environ.get("RANK", "0") == "0":
            print(f"{file.name}: read by torch.load(weights_only=True), which runs no code of a pickle", flush=True)
        try:
            found = torch.load(file, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            message = f"it holds more than weights, or is damaged, and is not read ({reason})"
            raise InputError(str(file), message, "name a checkpoint with safetensors") from error
        if not isinstance(found, dict) or not all(isinstance(one, Tensor) for one in found.values()):
            raise InputError(str(file), "it holds something else than named weights", "name a checkpoint of a T5")
        weights |= found
    return weights


def stored_names(source: str, revision: str | None) -> Collection[str]:
    """The names of the weights that the safetensors of a model hold."""
    return stored_types(source, revision)


def stored_types(source: str, revision: str | None) -> Mapping[str, str]:
    """The name and type (F32, BF16, I64, ...) of each weight in the safetensors of a model."""
    types: dict[str, str] = {}
    for path in _safetensors(source, revision):
        with safe_open(path, "pt") as file:
            types |= {name: str(file.get_slice(name).get_dtype()) for name in file.keys()}  # noqa: SIM118
    return types


def stored_count(source: str, revision: str | None) -> int:
    """How many numbers the safetensors of a model hold, by their headers. OSError where there are none."""
    count = 0
    for path in _safetensors(source, revision):
        with safe_open(path, "pt") as file:
            count += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    return count


def check_shards(source: str, revision: str | None) -> None:
    """InputError where an index of shards names anything but files beside it."""
    for name, ending in ((SAFE_WEIGHTS_INDEX_NAME, ".safetensors"), (WEIGHTS_INDEX_NAME, ".bin")):
        if index := _find(source, revision, name):
            _shards(index, ending)


def _safetensors(source: str, revision: str | None) -> list[Path]:
    if single := _find(source, revision, SAFE_WEIGHTS_NAME):
        return [single]
    index = Path(cached_file(source, SAFE_WEIGHTS_INDEX_NAME, revision=revision))
    names = sorted(set(_shards(index, ".safetensors").values()))
    return [path for name in names if (path := _find(source, revision, name)) is not None]


def _shards(index: Path, ending: str) -> dict[str, str]:
    """The file of each weight, as an index says it."""
    try:
        shards = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = list(shards.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(str(index), f"it names no files of weights ({error})", "fetch the checkpoint again") from None
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(ending):
            found = f"it names {name!r}, which is no {ending} file beside it"
            raise InputError(str(index), found, "fetch the checkpoint again")
    return dict(shards)

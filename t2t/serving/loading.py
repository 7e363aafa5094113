"""A model and its tokenizer from a folder, ready to generate."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers.utils import logging

from t2t.engine.distributed import has_gpu, multiplies_bf16
from t2t.errors import InputError, RunDirectoryError
from t2t.generation.generator import Generator
from t2t.generation.torch_engine import TorchEngine
from t2t.model.backbone import load_pretrained
from t2t.model.peft import load_adapter
from t2t.model.pretrained import Described, check_ids
from t2t.model.tokenizer import load_tokenizer
from t2t.registry import did_you_mean

PRECISIONS = ("auto", "fp32", "bf16")


def model_folder(directory: Path) -> Path:
    """The folder of the model: ``model/`` of a run, or the directory itself. RunDirectoryError if there is none."""
    for path in (directory / "model", directory):
        if (path / "config.json").is_file():
            return path
    raise RunDirectoryError(str(directory), "no model/config.json", "train first, or name a directory with a model")


def load_generator(directory: Path, device: str | None = None, precision: str = "fp32") -> Generator:
    """The model and tokenizer of a run (its ``model/``) or of a model directory, ready to generate.

    ``device``: by default the GPU if one is to be used (see ``has_gpu``), else the CPU. ``precision``: fp32, bf16, or
    auto, which is bf16 where the device multiplies it in hardware. InputError for another.
    """
    logging.disable_progress_bar()  # transformers' own, for what takes a moment
    place = torch.device(device or ("cuda" if has_gpu() else "cpu"))
    dtype = _dtype(precision, place)
    model = model_folder(directory)
    face = load_adapter(load_pretrained(model, dtype=dtype), model)
    tokenizer = load_tokenizer(model, face.vocabulary)
    check_ids(str(model), tokenizer, Described(face.vocabulary, face.ids))
    return Generator(TorchEngine(face, place, dtype), tokenizer)


def _dtype(precision: str, device: torch.device) -> torch.dtype:
    if precision not in PRECISIONS:
        raise InputError("precision", f"{precision!r} is unknown", did_you_mean(precision, PRECISIONS))
    fast = precision == "bf16" or (precision == "auto" and multiplies_bf16(device))
    return torch.bfloat16 if fast else torch.float32

"""A model and its tokenizer from a folder, ready to generate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging

from t2t.config.generation_engines import ENGINES
from t2t.engine.distributed import multiplies_bf16, own_device
from t2t.errors import InputError, RunDirectoryError
from t2t.generation.ctranslate2_engine import CTranslate2Engine
from t2t.generation.engine import Engine
from t2t.generation.generator import Generator
from t2t.generation.torch_engine import TorchEngine
from t2t.model.backbone import load_pretrained
from t2t.model.peft import ADAPTER, check_no_adapter, load_adapter, on_shared_base, weights_hash
from t2t.model.peft.routes import check_one_model
from t2t.model.pretrained import Described, check_ids, describe
from t2t.model.seq2seq import Seq2Seq
from t2t.model.tokenizer import load_tokenizer
from t2t.registry import did_you_mean
from t2t.serving.conversion import converted

PRECISIONS = ("auto", "fp32", "bf16", "int8")
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_COMPUTE = {"fp32": "float32", "bf16": "bfloat16", "int8": "int8"}  # in the words of CTranslate2


def model_folder(directory: Path) -> Path:
    """The folder of the model: ``model/`` of a run, or the directory itself. RunDirectoryError if there is none."""
    for path in (directory / "model", directory):
        if (path / "config.json").is_file():
            return path
    raise RunDirectoryError(str(directory), "no model/config.json", "train first, or name a directory with a model")


def load_generator(
    directory: Path, device: str | None = None, precision: str = "fp32", engine: str = "torch"
) -> Generator:
    """The model and tokenizer of a run (its ``model/``) or of a model directory, ready to generate.

    ``device``: by default the GPU if one is to be used (see ``has_gpu``), else the CPU. ``precision``: fp32, bf16,
    auto, which is bf16 where the device multiplies it in hardware, or, with ctranslate2, int8. ``engine``: torch,
    ctranslate2, auto (ctranslate2 on a CPU where it is installed and the model has no adapter, else torch), or one that
    another package brings. InputError for another.
    """
    logging.disable_progress_bar()  # transformers' own, for what takes a moment
    place = torch.device(device) if device else own_device()
    model = model_folder(directory)
    check_one_model(str(model))
    load = ENGINES.get(engine, "engine")
    return Generator(*load(model, place, _in_hardware(_known("precision", precision, PRECISIONS), place)))


Loaded: TypeAlias = tuple[Engine, PreTrainedTokenizerFast]


def _with_torch(model: Path, place: torch.device, precision: str) -> Loaded:
    if precision == "int8":
        raise InputError("precision", "the engine torch has no int8", "use engine: ctranslate2, or fp32 or bf16")
    face, tokenizer = _loaded(model, _DTYPES[precision])
    return TorchEngine(face, place, _DTYPES[precision]), tokenizer


def _with_the_faster(model: Path, place: torch.device, precision: str) -> Loaded:
    if place.type == "cpu" and _converts(model):
        return _with_ctranslate2(model, place, precision)
    return _with_torch(model, place, precision)


def _converts(model: Path) -> bool:
    """True where CTranslate2 is installed and knows the model as it stands."""
    if find_spec("ctranslate2") is None or (model / ADAPTER).is_file():
        return False
    try:
        converted(model)
    except RunDirectoryError:
        return False
    return True


def _loaded(model: Path, dtype: torch.dtype) -> tuple[Seq2Seq, PreTrainedTokenizerFast]:
    face = load_adapter(load_pretrained(model, dtype=dtype), model)
    tokenizer = load_tokenizer(model, face.vocabulary)
    check_ids(str(model), tokenizer, Described(face.vocabulary, face.ids))
    return face, tokenizer


def load_with_adapters(
    directory: Path, adapters: Mapping[str, Path], device: str | None = None, precision: str = "fp32"
) -> tuple[Generator, dict[str, Generator]]:
    """The generator of a base, and one for each adapter on it, by the names of ``adapters``.

    The weights of the base are in memory once. What they give is what each gives alone. InputError as
    ``on_shared_base`` and ``load_generator`` do.
    """
    logging.disable_progress_bar()
    place = torch.device(device) if device else own_device()
    exact = _in_hardware(_known("precision", precision, PRECISIONS), place)
    if exact == "int8":
        raise InputError("precision", "adapters are put on by the engine torch, which has no int8", "use fp32 or bf16")
    model = model_folder(directory)
    check_no_adapter(str(model))
    base, tokenizer = _loaded(model, torch.float32)  # as the adapters were trained on it
    digest = weights_hash(base)
    made = {name: on_shared_base(base, adapter_folder(folder), digest) for name, folder in adapters.items()}
    shared: dict[int, nn.Parameter] = {}
    for face in (base, *made.values()):
        for parameter in face.parameters().values():
            if id(parameter) not in shared:  # in place, so that all who share it have it
                shared[id(parameter)] = parameter
                parameter.data = parameter.data.to(device=place, dtype=_DTYPES[exact])
    engines = {name: TorchEngine(face, place, _DTYPES[exact]) for name, face in made.items()}
    return Generator(TorchEngine(base, place, _DTYPES[exact]), tokenizer), {
        name: Generator(engine, tokenizer) for name, engine in engines.items()
    }


def adapter_folder(directory: Path) -> Path:
    """``adapter/`` of a run, or the directory itself."""
    own = directory / "adapter"
    return own if (own / ADAPTER).is_file() else directory


def _with_ctranslate2(model: Path, place: torch.device, precision: str) -> Loaded:
    """Free searches by CTranslate2, guided ones by torch in the same precision, or in fp32 beside int8."""
    check_no_adapter(str(model))
    described = describe(str(model))
    tokenizer = load_tokenizer(model, described.vocabulary)
    check_ids(str(model), tokenizer, described)
    assert described.ids is not None  # they have been checked
    dtype = _DTYPES.get(precision, torch.float32)

    def guided() -> TorchEngine:
        return TorchEngine(_loaded(model, dtype)[0], place, dtype)

    folder = converted(model, _COMPUTE[precision])
    return CTranslate2Engine(folder, described.ids, guided, str(place), _COMPUTE[precision]), tokenizer


for _name, _load in {"torch": _with_torch, "ctranslate2": _with_ctranslate2, "auto": _with_the_faster}.items():
    ENGINES.register(_name)(_load)


def _known(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise InputError(name, f"{value!r} is unknown", did_you_mean(value, known))
    return value


def _in_hardware(precision: str, device: torch.device) -> str:
    if precision != "auto":
        return precision
    return "bf16" if multiplies_bf16(device) else "fp32"

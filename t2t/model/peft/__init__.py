"""Parameter-efficient fine-tuning: most weights stay, a method says which do not and what is added.

A method is one file: its settings, as they are under ``peft:`` in a run file, with what they do to a T5. It changes
the model in place, module by module, so that loss, generation and saving go on as they are.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

import xxhash
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from t2t.config.named_sections import read_named
from t2t.config.settings import as_data
from t2t.errors import InputError
from t2t.model.peft import added, low_rank, prefix, prompt_tuning, scales, subsets  # noqa: F401  (their methods register)
from t2t.model.peft.method import METHODS, Method, belongs, counts, freeze
from t2t.model.seq2seq import Seq2Seq

__all__ = [
    "Method",
    "adapted",
    "check_no_adapter",
    "counts",
    "freeze",
    "load_adapter",
    "on_shared_base",
    "read_method",
    "save_adapter",
    "weights_hash",
]

ADAPTER, WEIGHTS, BASE = "adapter.json", "adapter.safetensors", "base.json"


def read_method(data: Mapping[str, Any] | None, where: Callable[[str], str]) -> Method | None:
    """The method that ``peft:`` names, with its settings; None where there is none.

    RunFileError, with FILE:LINE, for an unknown method and for settings that it does not have.
    """
    if data is None:
        return None
    method: Method = read_named(METHODS, data, "peft", "method", where)
    return method


def adapted(model: Seq2Seq, method: Method | None) -> Seq2Seq:
    """``model``, changed in place by ``method``; what it trains is counted against its formula."""
    if method is None:
        return model
    freeze(model)
    wanted = method.formula(model)
    method.apply(model)
    trained, _ = counts(model)
    if trained != wanted:
        raise RuntimeError(f"{method.method} trains {trained:,} parameters, its formula says {wanted:,}")
    return model


def save_adapter(model: Seq2Seq, method: Method, folder: Path, base: str | None = None) -> None:
    """What a method trained and holds, alone: its settings, and the weights by their names. ``base``: the hash of the
    weights that it stands on, where those are elsewhere."""
    own = {name: value.detach().contiguous() for name, value in model.parameters().items() if belongs(name, value)}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(own, folder / WEIGHTS)
    (folder / ADAPTER).write_text(json.dumps(as_data(method), indent=1) + "\n", encoding="utf-8")
    if base is not None:
        (folder / BASE).write_text(json.dumps({"weights": base}) + "\n", encoding="utf-8")


def weights_hash(model: Seq2Seq) -> str:
    """Of all weights of a model, fp32, with their names: by it an adapter knows its base."""
    found = xxhash.xxh3_128()
    for name, weight in sorted(model.parameters().items()):
        found.update(name.encode())
        found.update(weight.detach().float().cpu().contiguous().numpy().data)
    return found.hexdigest()


def check_no_adapter(source: str) -> None:
    """InputError for a folder whose T5 is nothing without the adapter beside it: training would begin without it."""
    if (Path(source) / ADAPTER).is_file():
        found = f"{ADAPTER} stands there: what was trained is no part of the T5 beside it"
        raise InputError(
            source, found, "start from the model that was adapted, or train by a method that merges (lora)"
        )


def load_adapter(model: Seq2Seq, folder: Path) -> Seq2Seq:
    """``model``, read from ``folder``, with the adapter that may be there. InputError for a damaged one."""
    path = folder / ADAPTER
    if not path.is_file():
        return model
    method, weights = _read_adapter(folder)
    dtype = model.dtype
    _put(model, method, weights, folder)
    model.module.to(dtype)
    return model


def on_shared_base(base: Seq2Seq, folder: Path, digest: str) -> Seq2Seq:
    """A model of the weights of ``base``, which are not copied, with the adapter of a folder: another beside it, each
    as if it were alone. ``digest``: the base's ``weights_hash``.

    InputError for a folder without an adapter, a damaged one, and one that was trained on other weights.
    """
    if not (folder / ADAPTER).is_file():
        found = f"there is no {ADAPTER} in it"
        raise InputError(str(folder), found, "name the adapter/ that training with peft: has left in a run")
    if (folder / BASE).is_file():
        known = json.loads((folder / BASE).read_text(encoding="utf-8")).get("weights")
        if known != digest:
            found = "the adapter was trained on other weights than those of the base"
            raise InputError(str(folder), found, "name the model that it was trained from (model: from: in its run)")
    method, weights = _read_adapter(folder)
    own = {id(one): one for one in base.parameters().values()}
    module = copy.deepcopy(base.module, dict(own))
    made = type(base)(module)
    _put(made, method, weights, folder, own)
    for parameter in own.values():
        parameter.requires_grad_(False)
    return made


def _read_adapter(folder: Path) -> tuple[Method, dict[str, Tensor]]:
    path = folder / ADAPTER
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        method = read_method(data, lambda key: f"{path}")
        weights: dict[str, Tensor] = load_file(folder / WEIGHTS)
    except (OSError, ValueError, AttributeError, RecursionError, SafetensorError) as error:
        raise InputError(str(path), f"the adapter cannot be read ({error})", "put it back") from None
    if method is None:
        raise InputError(str(path), "the adapter says nothing", "put it back")
    return method, weights


def _put(
    model: Seq2Seq, method: Method, weights: Mapping[str, Tensor], folder: Path, shared: Container[int] = ()
) -> None:
    """Change the model by the method, and give it its weights. ``shared``: the ids of parameters that are others' too,
    in whose places new ones come."""
    adapted(model, method)
    named = {name: value for name, value in model.parameters().items() if belongs(name, value)}
    if named.keys() != weights.keys() or any(named[name].shape != value.shape for name, value in weights.items()):
        raise InputError(str(folder / WEIGHTS), "it is not what the adapter says", "put back what belongs together")
    if not all(value.is_floating_point() and bool(value.isfinite().all()) for value in weights.values()):
        raise InputError(str(folder / WEIGHTS), "it holds NaN, infinity or no fractions", "put back a sound one")
    for name, value in named.items():
        if id(value) in shared:
            owner, _, own = name.rpartition(".")
            setattr(model.module.get_submodule(owner), own, nn.Parameter(value.detach().clone()))
    model.module.load_state_dict(dict(weights), strict=False)

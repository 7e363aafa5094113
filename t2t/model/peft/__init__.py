"""Parameter-efficient fine-tuning: most weights stay, a method says which do not and what is added.

A method is one file: its settings, as they stand under ``peft:`` in a run file, with what they do to a T5. It changes
the model in place, module by module, so that loss, generation and saving go on as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from t2t.config.named_sections import read_named
from t2t.config.settings import as_data
from t2t.errors import InputError
from t2t.model.peft import added, low_rank, prefix, prompt_tuning, scales, subsets  # noqa: F401  (their methods register)
from t2t.model.peft.method import METHODS, Method, counts, freeze
from t2t.model.seq2seq import Seq2Seq

__all__ = ["Method", "adapted", "check_no_adapter", "counts", "freeze", "load_adapter", "read_method", "save_adapter"]

ADAPTER, WEIGHTS = "adapter.json", "adapter.safetensors"


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


def save_adapter(model: Seq2Seq, method: Method, folder: Path) -> None:
    """What a method that cannot be merged trained, beside the weights of the model that it belongs to."""
    trained = {name: value.detach().contiguous() for name, value in model.parameters().items() if value.requires_grad}
    save_file(trained, folder / WEIGHTS)
    (folder / ADAPTER).write_text(json.dumps(as_data(method), indent=1) + "\n", encoding="utf-8")


def check_no_adapter(source: str) -> None:
    """InputError for a folder whose T5 is nothing without the adapter beside it: training would begin without it."""
    if (Path(source) / ADAPTER).is_file():
        found = f"{ADAPTER} stands there: what was trained is no part of the T5 beside it"
        raise InputError(
            source, found, "start from the model that was adapted, or train by a method that merges (lora)"
        )


def load_adapter(model: Seq2Seq, folder: Path) -> Seq2Seq:
    """``model``, read from ``folder``, with the adapter that may stand there. InputError for a damaged one."""
    path = folder / ADAPTER
    if not path.is_file():
        return model
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        method = read_method(data, lambda key: f"{path}")
        weights: dict[str, Tensor] = load_file(folder / WEIGHTS)
    except (OSError, ValueError, AttributeError, RecursionError, SafetensorError) as error:
        raise InputError(str(path), f"the adapter cannot be read ({error})", "put it back") from None
    dtype = model.dtype
    adapted(model, method)
    named = {name: value for name, value in model.parameters().items() if value.requires_grad}
    if named.keys() != weights.keys() or any(named[name].shape != value.shape for name, value in weights.items()):
        raise InputError(str(folder / WEIGHTS), "it is not what the adapter says", "put back what belongs together")
    if not all(value.is_floating_point() and bool(value.isfinite().all()) for value in weights.values()):
        raise InputError(str(folder / WEIGHTS), "it holds NaN, infinity or no fractions", "put back a sound one")
    model.module.load_state_dict(weights, strict=False)
    model.module.to(dtype)
    return model

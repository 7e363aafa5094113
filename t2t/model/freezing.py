"""Weights that training leaves as they are, chosen by part of the model, by name or by depth."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from transformers import T5ForConditionalGeneration

from t2t.config.run import FreezeSettings
from t2t.errors import RunFileError

_PARTS = {
    "embedding": re.compile(r"(shared|.*\.embed_tokens)\.weight"),
    "encoder": re.compile(r"encoder\.(block|final_layer_norm)\..*"),
    "decoder": re.compile(r"decoder\.(block|final_layer_norm)\..*"),
}
_BLOCK = re.compile(r"(encoder|decoder)\.block\.(\d+)\.")


def freeze_parts(model: T5ForConditionalGeneration, freeze: FreezeSettings, where: Callable[[str], str]) -> list[str]:
    """Freeze what ``freeze`` says; gives the names. RunFileError for a pattern that names nothing, and where nothing is
    left to train."""
    names = [name for name, _ in model.named_parameters()]
    chosen = {name for name in names if any(_PARTS[part].fullmatch(name) for part in freeze.parts)}
    for index, pattern in enumerate(freeze.names):
        found = {name for name in names if fnmatchcase(name, pattern)}
        if not found:
            told = f"freeze.names: no weight is called {pattern!r}"
            raise RunFileError(
                where(f"freeze.names.{index}"), told, f"names are like {names[1]}; * stands for anything"
            )
        chosen |= found
    if freeze.all_but_top is not None:
        chosen |= {name for name in names if _is_below(name, model, freeze.all_but_top)}
    if len(chosen) == len(names):
        raise RunFileError(where("freeze"), "nothing is left to train", "freeze less")
    for name, parameter in model.named_parameters():
        if name in chosen:
            parameter.requires_grad_(False)
    return sorted(chosen)


def _is_below(name: str, model: T5ForConditionalGeneration, top: int) -> bool:
    """True for the embedding, and in each stack for all blocks but the last ``top``."""
    if _PARTS["embedding"].fullmatch(name):
        return True
    found = _BLOCK.match(name)
    if found is None:
        return False
    depth = model.config.num_layers if found[1] == "encoder" else model.config.num_decoder_layers
    return bool(int(found[2]) < depth - top)

"""What a model that others made must be: its kind, its special ids, every weight there. One InputError where it is
not."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedTokenizerFast

from t2t.errors import InputError
from t2t.model.seq2seq import FAMILIES, Seq2Seq, SpecialIds
from t2t.model.tokenizer import DAMAGED
from t2t.model.weight_files import check_shards, pickle_files, read_pickles, stored_count, stored_names, stored_types
from t2t.reach import check_reach

_LOADING = logging.getLogger("transformers.modeling_utils")
_NAME_ONE = "name a directory or a hub model whose files are whole"
_SHOWN = 3  # names of weights in a message
_KINDS = "a T5 (model_type t5), an mT5 (mt5) or a UMT5 (umt5)"


@dataclass(frozen=True, slots=True)
class Described:
    """What a config says of a model: the rows of its embedding, and its special ids (None: it has not three)."""

    vocabulary: int
    ids: SpecialIds | None


def describe(source: str, revision: str | None = None) -> Described:
    """The model in a directory or of a hub name, by its config alone. Raises InputError as ``read_config`` does."""
    family, config = read_config(source, revision)
    return Described(int(config.vocab_size), family.ids_of(config))


def read_config(source: str, revision: str | None = None) -> tuple[type[Seq2Seq], Any]:
    """The family of the model in a directory or of a hub name, and its configuration.

    Raises InputError for a kind of model that is none of the FAMILIES, and for a config that cannot be read.
    """
    check_reach(source, revision)
    try:
        raw, _ = PreTrainedConfig.get_config_dict(source, revision=revision)
        kind = raw.get("model_type")
        if isinstance(kind, str) and FAMILIES.knows(kind):
            family = FAMILIES.get(kind, source)
            config = family.config_of(raw)
            _check_sizes(source, family, config)
            return family, config
    except (*DAMAGED, StrictDataclassError) as error:
        raise InputError(source, f"no T5 could be loaded ({error})", _NAME_ONE) from error
    raise InputError(source, f"its model_type is {kind!r}", f"name {_KINDS}")


def _check_sizes(source: str, family: type[Seq2Seq], config: Any) -> None:
    for name, (size, largest) in family.sizes_of(config).items():
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= largest:
            raise InputError(source, f"{name} of its config.json is {size!r}, not from 1 to {largest:,}", _NAME_ONE)


def _check_extent(source: str, described: int, stored: int) -> None:
    """InputError where a config describes far more weights than are stored: what lacks would be made up first."""
    if described > 2 * stored:
        found = f"its config.json describes {described:,} parameters, its files hold {stored:,}"
        raise InputError(source, found, "name a whole checkpoint, with its own config.json")


def read_weights(source: str, revision: str | None, family: type[Seq2Seq], config: Any, dtype: torch.dtype) -> Any:
    """The module of ``config``, of transformers, with the weights of ``source``, in ``dtype``.

    Raises InputError unless they are exactly those of the model (what lacks would be random), as safetensors or as
    pickles of nothing but weights.
    """
    check_shards(source, revision)
    try:
        pickles = pickle_files(source, revision)
        weights = read_pickles(pickles) if pickles else None
        stored = stored_count(source, revision) if weights is None else sum(one.numel() for one in weights.values())
        _check_extent(source, family.parameters_of(config), stored)
        with _without_advice():
            module, found = family.module_of(config).from_pretrained(
                None if weights is not None else source,
                state_dict=weights,
                config=config,
                revision=revision or "main",
                dtype=dtype,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # told below, with the others
                output_loading_info=True,
            )
    except SafetensorError as error:
        raise InputError(source, f"its safetensors cannot be read ({error})", "fetch or save them again") from error
    except DAMAGED as error:
        if "safetensors" in str(error):
            raise InputError(source, "it has no weights", _NAME_ONE) from error
        raise InputError(source, f"no T5 could be loaded ({error})", _NAME_ONE) from error
    _check_complete(source, found, family)
    _check_head(source, revision, family(module), weights)
    _check_values(source, revision, module, weights)
    return module


def _check_values(source: str, revision: str | None, module: nn.Module, weights: Mapping[str, Tensor] | None) -> None:
    """InputError for weights that are no fractions, and for NaN and infinity: what a model says with them is chance."""
    types = stored_types(source, revision) if weights is None else {n: str(w.dtype) for n, w in weights.items()}
    whole = sorted(name for name, kind in types.items() if not re.search(r"^B?F\d|float", kind))
    if whole:
        found = f"its weights are of the type {types[whole[0]]}, not fractions: {_few(whole)}"
        raise InputError(source, found, "name a checkpoint in fp32 or bf16")
    broken = [name for name, weight in module.named_parameters() if not bool(torch.isfinite(weight).all())]
    if broken:
        found = f"its weights hold NaN or infinity: {_few(broken)}"
        raise InputError(source, found, "name a sound checkpoint: this one was damaged, or its training diverged")


def _check_complete(source: str, found: Mapping[str, Collection[Any]], family: type[Seq2Seq]) -> None:
    wrong = {
        "lack": set(found["missing_keys"]) - family.shared,
        "have in another shape": {name for name, *_ in found["mismatched_keys"]},
        "have beyond a T5": set(found["unexpected_keys"]) - family.shared - family.unused,
    }
    differences = [f"{what} {_few(sorted(names))}" for what, names in wrong.items() if names]
    if differences:
        found_there = f"its weights are not those of its config: they {'; they '.join(differences)}"
        raise InputError(source, found_there, "name a whole checkpoint of a T5, with its own config.json")


def _check_head(source: str, revision: str | None, model: Seq2Seq, weights: Collection[str] | None) -> None:
    """InputError where the config says that the head is a matrix of its own and none is stored: transformers ties it,
    as it does one that equals the embedding, so the names of the stored ``weights`` (None: of the files) are asked."""
    raw, _ = PreTrainedConfig.get_config_dict(source, revision=revision)
    if raw.get("tie_word_embeddings") is not False or not model.tied:
        return
    if model.head not in (stored_names(source, revision) if weights is None else weights):
        found = f"its weights are not those of its config: they lack {model.head} (tie_word_embeddings is false)"
        raise InputError(source, found, "name a whole checkpoint of a T5, with its own config.json")


def _few(names: list[str]) -> str:
    more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join([*names[:_SHOWN], *more])


@contextmanager
def _without_advice() -> Iterator[None]:
    """Hide the advice to set tie_word_embeddings=False, which T5Config overrules whatever it is set to, and the table
    of weights that do not fit, which become an error here."""

    def keep(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return "so we will NOT" not in message and "LOAD REPORT" not in message

    _LOADING.addFilter(keep)
    try:
        yield
    finally:
        _LOADING.removeFilter(keep)


def check_ids(where: str, tokenizer: PreTrainedTokenizerFast, model: Described | None) -> None:
    """InputError unless padding and end are the same ids for tokenizer and model, and the model has a row for every id
    of the tokenizer.

    ``model``: None where one is built for this tokenizer.
    """
    named = {"pad": tokenizer.pad_token_id, "EOS": tokenizer.eos_token_id}
    if lacking := [name for name, found in named.items() if found is None]:
        raise InputError(where, f"the tokenizer has no {' and no '.join(lacking)}", "use the tokenizer of a T5")
    if model is None:
        return
    if model.ids is None:
        raise InputError(where, "its config names no pad, or not one EOS", "use a T5, with its own config.json")
    wrong = [
        f"the model's {name} is {own}, the tokenizer's {named[name]}"
        for name, own in (("pad", model.ids.pad), ("EOS", model.ids.end))
        if own != named[name]
    ]
    if wrong:
        raise InputError(where, "; ".join(wrong), "use the tokenizer that belongs to the model")
    largest = max(max(tokenizer.get_vocab().values()), model.ids.start)
    if largest >= model.vocabulary:
        ids = f"the tokenizer has ids up to {largest}, the model rows for {model.vocabulary}"
        raise InputError(where, ids, "use the tokenizer that belongs to the model")

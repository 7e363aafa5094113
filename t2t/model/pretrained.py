"""What a T5 that others made must be: its kind, its special ids, every weight there. One InputError where it is not."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    MT5Config,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    UMT5Config,
    UMT5ForConditionalGeneration,
)

from t2t.errors import InputError
from t2t.model.tokenizer import DAMAGED
from t2t.model.weight_files import check_shards, pickle_files, read_pickles, stored_names, stored_types
from t2t.network import check_reach

_LOADING = logging.getLogger("transformers.modeling_utils")
_NAME_ONE = "name a directory or a hub model whose files are whole"
_SHOWN = 3  # names of weights in a message
_HEAD = "lm_head.weight"
# Beside each other in a checkpoint or not, these are one matrix (the head: where it is tied).
_SHARED = frozenset({"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", _HEAD})
# Old checkpoints of T5 hold a relative bias of the cross-attention, which no T5 uses.
_UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"


def read_config(source: str, revision: str | None = None) -> T5Config | UMT5Config:
    """The configuration of the T5, mT5 or UMT5 in a directory or of a hub name; an mT5's as that of a T5.

    mT5 is a T5 whose logits are never scaled, and UMT5 is one with a relative bias in each layer; transformers 5 writes
    ``tie_word_embeddings: true`` for both all the same, of which it would conclude that they are scaled. Raises
    InputError for any other kind of model.
    """
    check_reach(source, revision)
    try:
        raw, _ = PreTrainedConfig.get_config_dict(source, revision=revision)
        kind = raw.get("model_type")
        if kind == "t5":
            return T5Config.from_dict(raw)
        if kind == "mt5":
            as_t5 = {key: value for key, value in MT5Config.from_dict(raw).to_dict().items() if key != "model_type"}
            return T5Config.from_dict(as_t5 | {"scale_decoder_outputs": False})
        if kind == "umt5":
            return UMT5Config.from_dict(raw | {"scale_decoder_outputs": False})
    except (*DAMAGED, StrictDataclassError) as error:
        raise InputError(source, f"no T5 could be loaded ({error})", _NAME_ONE) from error
    raise InputError(source, f"its model_type is {kind!r}", "name a T5 (model_type t5), an mT5 (mt5) or a UMT5 (umt5)")


def of_config(config: T5Config | UMT5Config) -> type[T5ForConditionalGeneration]:
    """The class of the models of ``config``: that of UMT5 has the same face."""
    kind: type[T5ForConditionalGeneration] = T5ForConditionalGeneration
    return UMT5ForConditionalGeneration if isinstance(config, UMT5Config) else kind


def read_weights(
    source: str, revision: str | None, config: T5Config | UMT5Config, dtype: torch.dtype
) -> T5ForConditionalGeneration:
    """The model of ``config`` with the weights of ``source``, in ``dtype``.

    Raises InputError unless they are exactly those of the model (what lacks would be random), as safetensors or as
    pickles of nothing but weights.
    """
    check_shards(source, revision)
    try:
        pickles = pickle_files(source, revision)
        weights = read_pickles(pickles) if pickles else None
        with _without_advice():
            model, found = of_config(config).from_pretrained(
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
    _check_complete(source, found)
    _check_head(source, revision, model, weights)
    _check_values(source, revision, model, weights)
    return model


def _check_values(
    source: str, revision: str | None, model: T5ForConditionalGeneration, weights: Mapping[str, Tensor] | None
) -> None:
    """InputError for weights that are no fractions, and for NaN and infinity: what a model says with them is chance."""
    types = stored_types(source, revision) if weights is None else {n: str(w.dtype) for n, w in weights.items()}
    whole = sorted(name for name, kind in types.items() if not re.search(r"^B?F\d|float", kind))
    if whole:
        found = f"its weights are of the type {types[whole[0]]}, not fractions: {_few(whole)}"
        raise InputError(source, found, "name a checkpoint in fp32 or bf16")
    broken = [name for name, weight in model.named_parameters() if not bool(torch.isfinite(weight).all())]
    if broken:
        found = f"its weights hold NaN or infinity: {_few(broken)}"
        raise InputError(source, found, "name a sound checkpoint: this one was damaged, or its training diverged")


def _check_complete(source: str, found: Mapping[str, Collection[Any]]) -> None:
    wrong = {
        "lack": set(found["missing_keys"]) - _SHARED,
        "have in another shape": {name for name, *_ in found["mismatched_keys"]},
        "have beyond a T5": set(found["unexpected_keys"]) - {*_SHARED, _UNUSED},
    }
    told = [f"{what} {_few(sorted(names))}" for what, names in wrong.items() if names]
    if told:
        found_there = f"its weights are not those of its config: they {'; they '.join(told)}"
        raise InputError(source, found_there, "name a whole checkpoint of a T5, with its own config.json")


def _check_head(
    source: str, revision: str | None, model: T5ForConditionalGeneration, weights: Collection[str] | None
) -> None:
    """InputError where the config says that the head is a matrix of its own and none is stored: transformers ties it,
    as it does one that equals the embedding, so the names of the stored ``weights`` (None: of the files) are asked."""
    raw, _ = PreTrainedConfig.get_config_dict(source, revision=revision)
    tied = model.lm_head.weight is model.shared.weight
    if raw.get("tie_word_embeddings") is not False or not tied:
        return
    if _HEAD not in (stored_names(source, revision) if weights is None else weights):
        found = f"its weights are not those of its config: they lack {_HEAD} (tie_word_embeddings is false)"
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


def check_ids(where: str, tokenizer: PreTrainedTokenizerFast, config: T5Config | None) -> None:
    """InputError unless padding and the decoder's start are id 0 and EOS id 1, as everywhere in t2t, for tokenizer and
    model, and the model has a row for every id of the tokenizer.

    ``config``: of the model; None where one is built for this tokenizer. A start that it does not name is the padding.
    """
    found = {"the tokenizer's pad": tokenizer.pad_token_id, "the tokenizer's EOS": tokenizer.eos_token_id}
    wanted = {"the tokenizer's pad": 0, "the tokenizer's EOS": 1}
    if config is not None:
        eos, start = config.eos_token_id, getattr(config, "decoder_start_token_id", None)
        found |= {"the model's pad": config.pad_token_id, "the model's EOS": 1 if eos == [1] else eos}
        found |= {"the model's decoder start": 0 if start is None else start}
        wanted |= {"the model's pad": 0, "the model's EOS": 1, "the model's decoder start": 0}
    wrong = [f"{name} is {found[name]}, not {one}" for name, one in wanted.items() if found[name] != one]
    if wrong:
        raise InputError(where, "; ".join(wrong), "use a T5 and a tokenizer with T5's special ids")
    largest = max(tokenizer.get_vocab().values())
    if config is not None and largest >= config.vocab_size:
        ids = f"the tokenizer has ids up to {largest}, the model rows for {config.vocab_size}"
        raise InputError(where, ids, "use the tokenizer that belongs to the model")

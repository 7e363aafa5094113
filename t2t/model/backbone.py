"""The model that learns every task: built from nothing, or from what others have pretrained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from t2t.errors import InputError
from t2t.model.families.t5 import T5
from t2t.model.pretrained import read_config, read_weights
from t2t.model.seq2seq import Seq2Seq, SpecialIds

T5_IDS = SpecialIds(pad=0, start=0, end=1)


def build_from_scratch(spec: Mapping[str, Any], vocab_size: int, seed: int = 0, ids: SpecialIds = T5_IDS) -> Seq2Seq:
    """A T5 of random weights, fp32, its loss at the start near ``ln(vocab_size)``.

    ``spec``: d_model, d_kv, d_ff, num_layers, num_decoder_layers, num_heads; gated (gated GELU, else ReLU), tied (one
    matrix for embedding and head), dropout, init ("copy": see families/t5_copying.py; "t5": T5's own). ``ids``: of the
    tokenizer.
    Initialisation is T5's (Raffel et al. 2020); a separate head has a standard deviation of d_model ** -0.5, so that
    its logits have unit variance. Neither reads nor changes the global generator.
    """
    return T5.build(spec, vocab_size, ids, seed)


def load_pretrained(
    path: str | Path,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    dropout: float | None = None,
) -> Seq2Seq:
    """The model of a directory or hub name, of any of the FAMILIES, in ``dtype``; a head that differs from the
    embedding stays separate.

    ``dropout``: in place of that of its config.

    Call it without a live HfDeepSpeedConfig (under ZeRO-3 that drops a separate head). fp16 overflows in pretrained
    T5 and is refused. Raises InputError for another kind of model, weights that lack or do not fit, and pickles
    that hold more than weights.
    """
    if dtype is torch.float16:
        raise InputError(str(path), "fp16 overflows in a T5", "use fp32 or bf16")
    family, config = read_config(str(path), revision)
    if dropout is not None:
        config.dropout_rate = dropout
    return family.adopt(read_weights(str(path), revision, family, config, dtype))

"""Whether a tokenizer of others does its work at all: bounded in time and in what it makes of a text."""

from __future__ import annotations

import threading
from typing import Any

from transformers import PreTrainedTokenizerFast

from t2t.errors import InputError

_SECONDS = 5.0
_GROWTH = 64  # characters that a normaliser may make of one; Unicode's longest decomposition makes 18
_PROBES = tuple(
    unit * (3000 // len(unit)) + end for unit in ("a", " ", "1", "ab ", "中", "a-", "_") for end in ("", "!")
)
_TODO = "name the tokenizer of a T5, whose files are whole"


def check_sound(tokenizer: PreTrainedTokenizerFast, name: str) -> None:
    """InputError for an empty vocabulary, a normaliser that makes long texts of short ones, and patterns that take
    seconds for a line."""
    backend = tokenizer.backend_tokenizer
    if not backend.get_vocab_size(with_added_tokens=False):
        raise InputError(name, "its vocabulary is empty", _TODO)
    for probe in ("a", " ", "1", "\u00e9", "\u4e2d", "."):
        made = "" if backend.normalizer is None else backend.normalizer.normalize_str(probe)
        if len(made) > _GROWTH:
            raise InputError(name, f"its normaliser makes {len(made):,} characters of {probe!r}", _TODO)
    _check_encoding(backend, name)


def _check_encoding(backend: Any, name: str) -> None:
    broken: list[BaseException] = []

    def encode() -> None:
        try:
            backend.encode_batch(list(_PROBES))
        except BaseException as error:  # a panic of Rust's is no Exception
            broken.append(error)

    thread = threading.Thread(target=encode, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    if thread.is_alive():
        raise InputError(name, f"it takes more than {_SECONDS:.0f} s for {len(_PROBES)} short lines", _TODO)
    if broken:
        raise InputError(name, f"it cannot encode a plain line ({broken[0]})", _TODO)

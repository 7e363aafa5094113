"""Models in CTranslate2's form: made by its own converter, and kept by what the weights are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from filelock import FileLock

from t2t.engine.disk import content_hash, whole_folder
from t2t.errors import InputError, RunDirectoryError
from t2t.model.pretrained import read_config

QUANTIZATIONS = ("float32", "bfloat16", "int8")
# What a conversion depends on.
_READ = ("*.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json")


def convert(folder: Path, out: Path, quantization: str = "float32") -> None:
    """Write the model of a transformers folder to ``out``.

    Raises:
        InputError: ctranslate2 is not installed.
        RunDirectoryError: it does not know this kind of model.
    """
    try:
        from ctranslate2.converters import TransformersConverter
        from ctranslate2.specs.model_spec import OPTIONAL
    except ModuleNotFoundError as error:
        found = "ctranslate2 is not installed"
        raise InputError(str(folder), found, 'install it: pip install "t2t[ctranslate2]"') from error
    _, config = read_config(str(folder))
    scale = config.d_model**-0.5 if config.scale_decoder_outputs else OPTIONAL

    class Converter(TransformersConverter):  # type: ignore[misc]
        """Scales what the head reads where the model does; the library goes by tie_word_embeddings, which transformers
        5 sets to true in every T5Config."""

        def _load(self) -> Any:
            spec = super()._load()
            spec.decoder.scale_outputs = scale
            return spec

    try:
        Converter(str(folder)).convert(
            str(out), quantization=None if quantization == "float32" else quantization, force=True
        )
    except (ValueError, KeyError, AttributeError) as error:
        raise RunDirectoryError(
            str(folder), f"ctranslate2 cannot convert it ({error})", "use the model in transformers' form"
        ) from error


def converted(folder: Path, quantization: str = "float32") -> Path:
    """The converted model of ``folder``, made once for the same weights, tokenizer and version of ctranslate2.

    It is in the user's cache (XDG_CACHE_HOME, by default ~/.cache), since a model folder may be somebody else's.
    """
    try:
        import ctranslate2
    except ModuleNotFoundError as error:
        found = "ctranslate2 is not installed"
        raise InputError("engine", found, 'install it: pip install "t2t[ctranslate2]", or use torch') from error
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "t2t" / "ctranslate2"
    kept = cache / f"{content_hash(folder, _READ)}-{quantization}-{ctranslate2.__version__}"
    if not (kept / "model.bin").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(kept.with_suffix(".lock")):  # workers come together
            if not (kept / "model.bin").is_file():
                with whole_folder(kept) as part:
                    convert(folder, part, quantization)
    return kept

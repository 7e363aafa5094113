"""Characters that a vocabulary lacks, written with those that it has.

``n`` for ``ñ``: by Unicode decomposition the accents are left off from the last one on, until the vocabulary has what
is left; an accent alone is left out. Prompts and targets are respelled alike, so that what is copied looks alike, and
grounding finds ``Nino`` where ``Niño`` stands. What has no such form stays ``<unk>``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, normalizers

from t2t.text import is_accent, nfkc

# Where the characters live that Unicode composes of a letter and accents, and the accents themselves.
_BLOCKS = ((0xC0, 0x3400), (0xA66F, 0xA6F2), (0xFB1D, 0xFB50), (0xFE20, 0xFE30), (0x1D165, 0x1D1AE))
_QUIET = 2  # the library's level of messages from errors on
# Full-width marks that Unicode folds to ASCII ones, which Chinese text has beside its characters.
_FULL_WIDTH = "（，：；？！"
_FURTHEST = 40  # characters in parentheses


def respell(backend: Tokenizer) -> None:
    """Make the Unigram ``backend`` write what its vocabulary lacks with what it has, in place.

    Nothing changes where bytes stand for what has no piece, and for text that the vocabulary can say.
    """
    model = json.loads(backend.to_str())["model"]
    if model.get("byte_fallback"):
        return
    alphabet = frozenset(char for piece, _ in model["vocab"] for char in piece)
    forms = {char: form for char in _composed() if (form := _nearest(char, alphabet)) is not None}
    if forms:
        steps = [] if backend.normalizer is None else [backend.normalizer]
        backend.normalizer = normalizers.Sequence([*steps, normalizers.Precompiled(_compiled(forms))])


def _nearest(char: str, alphabet: frozenset[str]) -> str | None:
    """What stands for ``char``: fewer accents, nothing for an accent; None if it needs no other form or has none."""
    if char in alphabet:
        return None
    if is_accent(char):
        return ""
    parts = unicodedata.normalize("NFD", char)
    while parts and is_accent(parts[-1]):
        parts = parts[:-1]
        form = unicodedata.normalize("NFC", parts)
        if form and alphabet.issuperset(form):
            return form
    return None


@cache
def _composed() -> tuple[str, ...]:
    def found() -> Iterator[str]:
        for low, high in _BLOCKS:
            for code in range(low, high):
                char = chr(code)
                if is_accent(char) or is_accent(unicodedata.normalize("NFD", char)[-1]):
                    yield char

    return tuple(found())


def _compiled(forms: dict[str, str]) -> bytes:
    """The map as SentencePiece compiles it, the one form of a map of many characters that is applied in one pass."""
    sentencepiece.set_min_log_level(_QUIET)
    with TemporaryDirectory() as folder:
        rules = Path(folder, "rules.tsv")
        lines = (f"{ord(char):X}\t{' '.join(f'{ord(part):X}' for part in form)}\n" for char, form in forms.items())
        rules.write_text("".join(lines), encoding="utf-8")
        made = sentencepiece.SentencePieceNormalizer(rule_tsv=str(rules))
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(made.serialized_model_proto())
    compiled: bytes = proto.normalizer_spec.precompiled_charsmap
    return compiled


def full_width(backend: Tokenizer) -> list[decoders.Decoder]:
    """Decoders that give Chinese text its full-width marks back, where the vocabulary has Chinese and folds them.

    An ASCII mark that touches a Chinese character, or closes what such a one opened, was full-width: SentencePiece's
    usual normaliser (NFKC) says both with one piece.
    """
    normal = backend.normalizer
    if normal is None or "一" not in backend.get_vocab():
        return []
    folded = [mark for mark in _FULL_WIDTH if nfkc(mark) in normal.normalize_str(f"一{mark}一")]
    before, behind = rf"(?<=[\p{{Han}}、。“”‘’《》）{_FULL_WIDTH}])", r"(?=[\p{Han}“‘《])"
    found = [(mark, re.escape(nfkc(mark))) for mark in folded]
    # A full-width mark has no space beside it; an ASCII one often has.
    either = [(mark, f"{before}{plain}(?! )|(?<! ){plain}{behind}") for mark, plain in found]
    steps: list[decoders.Decoder] = [decoders.Replace(Regex(pattern), mark) for mark, pattern in either]
    closing = rf"（[^（）()]{{0,{_FURTHEST}}}\K\)"
    return [*steps, decoders.Replace(Regex(closing), "）")] if "（" in folded else steps

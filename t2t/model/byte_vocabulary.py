"""ByT5's vocabulary, which has no file: three special ids, the bytes, and sentinels above them (Xue et al. 2022)."""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import Unigram

SENTINELS = 125
BYTE_ROWS = 3 + 256 + SENTINELS


def byte_backend() -> Tokenizer:
    """A backend that gives each byte of a text's UTF-8 form the id byte + 3, and ``<extra_id_n>`` the id 259 + n."""
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((f"<0x{byte:02X}>", 0.0) for byte in range(256))]
    vocabulary += [(f"<extra_id_{number}>", 0.0) for number in range(SENTINELS)]
    backend = Tokenizer(Unigram(vocabulary, unk_id=2, byte_fallback=True))
    # Character by character, so that a piece written in a text is text.
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return backend

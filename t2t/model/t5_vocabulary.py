"""T5's own vocabulary, read from its SentencePiece model and given the characters that it lacks.

T5 has no ``{ } < \\ ^ ~`` and backtick, no line break, no tab and no spaces at an edge or in a row. T5 checkpoints
have unused embedding rows above the 100 sentinels (32,100 ids in 32,128 rows). Each missing character gets such a
row as a piece inside the Unigram model, spelt with a noncharacter that nothing normalises; Replace steps put first
write it and the decoder undoes them. The ids of text that has none of these characters do not change.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import Unigram

from t2t.errors import InputError
from t2t.model.respelling import full_width, respell

T5_SIZE = 32_100
T5_SENTINELS = 100
_SENTINEL = re.compile("\u2581?<extra_id_([0-9]+)>")
SPACE = "▁"
# Each missing character and its stand-in, in the order of their rows. Fixed for ever: models are trained on them.
STAND_INS = {char: chr(0xFDD0 + number) for number, char in enumerate("{}<\\^~`\n\t\r ")}
_SIGNIFICANT_SPACE = Regex("^ | $| (?= )")
# The first character of a special piece written in a text: cut off, so that the piece is never found there.
_SPECIAL = Regex("<(?=(?:pad|/s|unk|extra_id_[0-9]+|0x[0-9A-F]{2})>)")
# What a stand-in written in a text becomes: a noncharacter without a piece, so unk.
_NOTHING = "\ufdef"


def read_sentencepiece(path: Path, rows: int | None) -> tuple[Tokenizer, int]:
    """A backend equal to the Unigram SentencePiece model of ``path`` with T5's sentinels, and their number.

    Special pieces are known by what they are, and called as T5 calls them here: mT5's sentinels are ``▁<extra_id_N>``.
    A vocabulary without sentinels gets T5's hundred, as many as ``rows`` (of the embedding) hold; so does T5's own the
    characters that it lacks. Byte pieces are used where the model was trained with them. Raises InputError for another
    kind of model, or one without pad, EOS and unk.
    """
    proto = sentencepiece_model_pb2.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's DecodeError has moved between its versions
        raise InputError(str(path), "not a SentencePiece model", "give a spiece.model file") from error
    scores = (piece.score for piece in proto.pieces)
    vocabulary: list[tuple[str, float]] = list(zip(_names(proto), scores, strict=True))
    names = {piece for piece, _ in vocabulary}
    if proto.trainer_spec.model_type != 1 or not {"<pad>", "</s>", "<unk>"} <= names:
        raise InputError(str(path), "not a Unigram model with <pad>, </s> and <unk>", "give the spiece.model of a T5")
    sentinels = sum(1 for name in names if _SENTINEL.fullmatch(name))
    if not sentinels:
        sentinels = T5_SENTINELS if rows is None else max(0, min(T5_SENTINELS, rows - len(vocabulary)))
        vocabulary += [(f"<extra_id_{number}>", 0.0) for number in reversed(range(sentinels))]
    unk = [piece for piece, _ in vocabulary].index("<unk>")
    backend = Tokenizer(Unigram(vocabulary, unk_id=unk, byte_fallback=proto.trainer_spec.byte_fallback))
    backend.normalizer = _normalizer(proto.normalizer_spec)
    spaces = pre_tokenizers.Metaspace(SPACE, prepend_scheme="never", split=True)
    backend.pre_tokenizer = pre_tokenizers.Sequence([spaces, pre_tokenizers.Split(_SPECIAL, behavior="isolated")])
    complete(backend, rows)
    return backend, sentinels


def complete(backend: Tokenizer, rows: int | None) -> None:
    """Give a T5's Unigram ``backend``, in place, what it can say beyond its pieces: see respelling and ``extend``."""
    backend.decoder = decoders.Sequence([*_plain_decoders(), *full_width(backend)])
    respell(backend)
    if rows is not None and backend.get_vocab_size() == T5_SIZE:
        extend(backend, rows)


def _names(proto: Any) -> list[str]:
    """The pieces, special ones by T5's names: a piece that text cannot hold is special, whatever it is called."""
    spec = proto.trainer_spec
    known = {spec.pad_id: "<pad>", spec.eos_id: "</s>"}
    names: list[str] = []
    for number, piece in enumerate(proto.pieces):
        sentinel = _SENTINEL.fullmatch(piece.piece)
        if piece.type == piece.UNKNOWN:
            names.append("<unk>")
        elif piece.type == piece.CONTROL and number in known:
            names.append(known[number])
        elif sentinel and piece.type in (piece.CONTROL, piece.USER_DEFINED, piece.UNUSED):
            names.append(f"<extra_id_{sentinel[1]}>")
        else:
            names.append(piece.piece)
    return names


def _normalizer(spec: Any) -> normalizers.Normalizer:
    """SentencePiece's steps: its compiled character map, runs and edges of spaces, the space before the first word."""
    steps: list[normalizers.Normalizer] = []
    if spec.precompiled_charsmap:
        steps.append(normalizers.Precompiled(spec.precompiled_charsmap))
    if spec.remove_extra_whitespaces:
        steps += [normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip(True, True)]
    steps.append(normalizers.Replace(" ", SPACE))
    if spec.add_dummy_prefix:
        steps.append(normalizers.Prepend(SPACE))
    return normalizers.Sequence(steps)


def _plain_decoders() -> list[decoders.Decoder]:
    fused = [decoders.ByteFallback(), decoders.Fuse()]
    return [*fused, decoders.Strip(SPACE, 1, 0), decoders.Replace(SPACE, " ")]


def extend(backend: Tokenizer, rows: int) -> None:
    """Give T5's Unigram ``backend`` the characters of STAND_INS, in place, if ``rows`` embedding rows hold them."""
    if rows < T5_SIZE + len(STAND_INS):
        return
    state: dict[str, Any] = json.loads(backend.to_str())
    model = state["model"]
    vocabulary = [(piece, score) for piece, score in model["vocab"]]
    vocabulary += [(stand_in, 0.0) for stand_in in STAND_INS.values()]
    backend.model = Unigram(vocabulary, unk_id=model["unk_id"], byte_fallback=model.get("byte_fallback", False))
    written = [normalizers.Replace(Regex("[" + "".join(STAND_INS.values()) + "]"), _NOTHING)]
    written += [normalizers.Replace(_SIGNIFICANT_SPACE, STAND_INS[" "])]
    written += [normalizers.Replace(char, stand_in) for char, stand_in in STAND_INS.items() if char != " "]
    backend.normalizer = normalizers.Sequence([*written, backend.normalizer])
    undone = [decoders.Replace(stand_in, char) for char, stand_in in STAND_INS.items()]
    backend.decoder = decoders.Sequence([backend.decoder, *undone])

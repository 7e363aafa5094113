"""How a Unigram tokenizer spells text: the bytes of its pieces, and of the characters that pieces are made of.

Masks work on spelled bytes: a space is the three bytes of ``▁``, a character without a piece is its UTF-8 bytes where
the vocabulary falls back to bytes and ``UNKNOWN`` where it does not. So the pieces of a text, put one after the other,
are its spelling, and nothing that the decoder does (strip, replace) is left to go wrong.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from transformers import PreTrainedTokenizerFast

from t2t.errors import InputError
from t2t.linear.grounding import LONGEST_WILDCARD
from t2t.model.tokenizer import dropped_ids
from t2t.text import Escaper, fold_character, is_accent

UNKNOWN = b"\xff"  # is in no UTF-8 text
_UNKNOWN_TEXT = "<unk>"  # what it is decoded to
_BYTE = re.compile("<0x([0-9A-F]{2})>")
# Where spellings differ from the characters by more than Unicode normalisation: ASCII, the space's stand-in and the
# noncharacters that serve as stand-ins.
PROBED = [*map(chr, range(0x20, 0x7F)), "\u2581", *map(chr, range(0xFDD0, 0xFDF0))]
_PAD = "."  # no normaliser joins it with a neighbour

# A set of byte strings: by first byte, what may follow; None where one ends.
Bytes: TypeAlias = "Mapping[int, Bytes | None]"


def _spans(*ranges: tuple[int, int, Bytes | None]) -> Bytes:
    return {byte: after for low, high, after in ranges for byte in range(low, high + 1)}


_ONE_MORE = _spans((0x80, 0xBF, None))
_TWO_MORE = _spans((0x80, 0xBF, _ONE_MORE))
_THREE_MORE = _spans((0x80, 0xBF, _TWO_MORE))
# The UTF-8 forms of all Unicode scalar values (RFC 3629, section 4).
_SCALARS = _spans(
    (0x00, 0x7F, None),
    (0xC2, 0xDF, _ONE_MORE),
    (0xE0, 0xE0, _spans((0xA0, 0xBF, _ONE_MORE))),
    (0xE1, 0xEF, _TWO_MORE),
    (0xED, 0xED, _spans((0x80, 0x9F, _ONE_MORE))),
    (0xF0, 0xF0, _spans((0x90, 0xBF, _TWO_MORE))),
    (0xF1, 0xF3, _THREE_MORE),
    (0xF4, 0xF4, _spans((0x80, 0x8F, _TWO_MORE))),
)


def _without(strings: Bytes, string: bytes) -> Bytes:
    after = strings.get(string[0], {})
    rest = _without(after, string[1:]) if len(string) > 1 and after is not None else {}
    kept = {byte: more for byte, more in strings.items() if byte != string[0]}
    return {**kept, string[0]: rest} if rest else kept


def _with(strings: Bytes, string: bytes) -> Bytes:
    if len(string) == 1:
        return {**strings, string[0]: None}
    return {**strings, string[0]: _with(strings.get(string[0]) or {}, string[1:])}


@dataclass(frozen=True, slots=True)
class Spelled:
    """How a few characters of a source are copied.

    ``exact``: they are decoded to what they are. Else grounding finds them again, folded or with ``<unk>`` as a
    wildcard. ``wildcard``: UNKNOWN is in ``spelled``, for ``width`` characters as grounding counts them.
    ``anchors``: something else than spaces and wildcards is said, which grounding can hold on to.
    """

    spelled: bytes
    exact: bool
    wildcard: bool
    anchors: bool
    width: int

    @property
    def unknown(self) -> bool:
        """True if nothing but UNKNOWN is said."""
        return self.spelled == UNKNOWN


class Spelling:
    """The spelling of one tokenizer.

    Raises InputError for a tokenizer that is no Unigram model: its pieces do not spell its texts.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        backend = tokenizer.backend_tokenizer
        model = json.loads(backend.to_str())["model"]
        if model.get("type") != "Unigram":
            found = f"the tokenizer is a {model.get('type')} model, whose outputs cannot be constrained"
            raise InputError("generate: constrain", found, "add --set generate.constrain=false")
        self._normal, self._cut, self._decoder = backend.normalizer, backend.pre_tokenizer, backend.decoder
        self.says_all: bool = model["byte_fallback"]
        self.pieces = self._spelled_pieces(model["vocab"], dropped_ids(tokenizer), tokenizer.unk_token_id)
        self._alphabet = {char for piece in self.pieces.values() for char in piece.decode(errors="ignore")}
        self._edge = self._written(f"{_PAD}{_PAD}").removesuffix(f"{_PAD}{_PAD}")
        self.start = self._edge.encode()
        self._characters: dict[str, bytes] = {}
        self._said: dict[str, Spelled | None] = {}
        self._raw: dict[tuple[frozenset[str], bool], Bytes] = {}
        self._composes = self.of("e\u0301") != self.of("e") + self.of("\u0301")

    def _spelled_pieces(
        self, vocabulary: Sequence[tuple[str, float]], dropped: frozenset[int], unknown: int | None
    ) -> dict[int, bytes]:
        """The spelling of every id that is text. Byte pieces that spell what another piece spells are left out."""
        pieces: dict[int, bytes] = {}
        single: dict[int, bytes] = {}
        for number, (piece, _) in enumerate(vocabulary):
            byte = _BYTE.fullmatch(piece) if self.says_all else None
            if byte:
                single[number] = bytes([int(byte[1], 16)])
            elif number == unknown and not self.says_all:
                pieces[number] = UNKNOWN
            elif number not in dropped and number != unknown:
                pieces[number] = piece.encode()
        spelled = set(pieces.values())
        return pieces | {number: byte for number, byte in single.items() if byte not in spelled}

    def _written(self, text: str) -> str:
        normal = self._normal.normalize_str(text) if self._normal else text
        return "".join(piece for piece, _ in self._cut.pre_tokenize_str(normal)) if self._cut else normal

    def of(self, text: str) -> bytes:
        """The spelling of ``text`` where it is inside a text, without ``start``."""
        if len(text) == 1 and text in self._characters:
            return self._characters[text]
        written = self._written(f"{_PAD}{text}{_PAD}").removeprefix(f"{self._edge}{_PAD}").removesuffix(_PAD)
        spelled = written.encode()
        if not self.says_all:
            parts = (char.encode() if char in self._alphabet else UNKNOWN for char in written)
            spelled = re.sub(b"\xff+", UNKNOWN, b"".join(parts))
        if len(text) == 1:
            self._characters[text] = spelled
        return spelled

    def said(self, form: str) -> Spelled | None:
        """How ``form``, a unit as it is written, is copied; None where grounding would not find it again."""
        if form not in self._said:
            self._said[form] = self._copied(form)
        return self._said[form]

    def said_at_all(self, form: str) -> Spelled:
        """How ``form`` is copied where it need not be found again."""
        spelled, said = self.of(form), self.said(form)
        return Spelled(spelled, said is not None and said.exact, wildcard=False, anchors=True, width=0)

    def _copied(self, form: str) -> Spelled | None:
        spelled = self.of(form)
        pieces = [self._decoded(piece.decode()) for piece in spelled.split(UNKNOWN)]
        exact, bare = pieces == [form], _bare(form)
        pattern = rf"\S{{1,{LONGEST_WILDCARD}}}".join(re.escape(_bare(piece)) for piece in pieces)
        if not exact and not re.fullmatch(pattern, bare):
            return None
        if spelled != UNKNOWN and UNKNOWN in (spelled[:1], spelled[-1:]):
            return None  # two wildcards that touch would be read as one
        anchors = any(_bare(Escaper.read(piece)[0]).strip() for piece in pieces)
        return Spelled(spelled, exact, len(pieces) > 1, anchors, len(bare))

    def _decoded(self, written: str) -> str:
        """What is decoded from pieces that spell ``written``, where it is inside a text."""
        text: str = self._decoder.decode([f"{_PAD}{written}{_PAD}"])
        return text.removeprefix(_PAD).removesuffix(_PAD)

    def units(self, text: str) -> list[str]:
        """``text`` in pieces that are spelled apart: its characters, with their accents if the tokenizer composes."""
        if not self._composes:
            return list(text)
        units: list[str] = []
        for char in text:
            if units and unicodedata.combining(char):
                units[-1] += char
            else:
                units.append(char)
        return units

    def raw(self, escaped: frozenset[str], unknown: bool) -> Bytes:
        """The spellings of the characters that may stand raw in free text, the space not among them.

        ``unknown``: UNKNOWN is among them, where the vocabulary cannot say every character.
        """
        if (escaped, unknown) not in self._raw:
            self._raw[escaped, unknown] = self._raw_characters(escaped, unknown and not self.says_all)
        return self._raw[escaped, unknown]

    def _raw_characters(self, escaped: frozenset[str], unknown: bool) -> Bytes:
        changed = [char for char in PROBED if self.of(char) != char.encode()]
        strings = _SCALARS
        for spelled in {" ", *changed, *(self.of(char).decode(errors="replace") for char in escaped)}:
            if len(spelled) == 1:
                strings = _without(strings, spelled.encode())
        for char in {*changed} - {" ", *escaped}:
            strings = _with(strings, self.of(char))
        return _with(strings, UNKNOWN) if unknown else strings


def unknown_is_text(escaped: frozenset[str]) -> bool:
    """True if ``<unk>`` may stand raw in a value: none of its characters is a mark."""
    return escaped.isdisjoint(_UNKNOWN_TEXT)


def _bare(text: str) -> str:
    """``text`` folded and without accents, as grounding compares it."""
    return "".join(folded for char in text for folded in fold_character(char) if not is_accent(folded))

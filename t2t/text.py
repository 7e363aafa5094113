"""The one place that normalises, folds and escapes text.

The escape (DESIGN section 1): inside a value every mark of the target tree, the escape character itself, every
character that a tokenizer's normaliser would turn into one of these, and layout (line breaks, tabs, edge and
repeated spaces) are written as ``|`` and a code. So a mark never stands raw inside a value, and splitting a
target is ``str.split``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache, lru_cache

ESCAPE = "|"
EMPTY = "|0"
GUARD = "|."

# Codes are ASCII letters, so that every vocabulary can say them. Fixed for ever: trained models depend on them.
CODES = {
    "|": "p", " ": "s", "\n": "n", "\t": "t", "\r": "r", "=": "e", ";": "m", ":": "c", ",": "k", "@": "a", "#": "h",
    "[": "b", "]": "d", "(": "f", ")": "g", "{": "i", "}": "j", "<": "l", ">": "q", "/": "v", "\\": "w", "-": "y",
    "_": "z", "*": "A", "+": "B", "&": "C", "%": "D", "$": "E", "!": "F", "?": "G", '"': "H", "'": "I", "^": "J",
    "~": "K", "`": "L",
}  # fmt: skip
_CODE_LAYOUT = " \n\t\r"
_CHARACTERS = {code: char for char, code in CODES.items()}
_CODE = re.compile(r"\|(?:u([0-9a-f]{4})|U(0[0-9a-f]{5}|10[0-9a-f]{4})|([A-Za-tv-z]))?")

# Characters that SentencePiece's nmt_nfkc turns into a space or deletes, and its own stand-in for the space.
_NMT_LAYOUT = frozenset("\u1680\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2581\ufeff\ufffd")
# Where the characters live whose compatibility form holds ASCII punctuation or white space (a test scans all).
_COMPATIBILITY_BLOCKS = ((0x80, 0x3400), (0xF900, 0x10000), (0x1D400, 0x1D800), (0x1EE00, 0x1F300))


def nfkc(text: str) -> str:
    """Unicode normalisation form KC."""
    return unicodedata.normalize("NFKC", text)


def scalar_text(value: str | int | float | bool) -> str:
    """The text by which single values are equal, in labels and in metrics: true is ``true`` and 1.0 is ``1``."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def fold(text: str) -> str:
    """A form in which texts are compared: NFKC, case folded, white space collapsed."""
    if text.isascii():  # which NFKC leaves as it is
        return " ".join(text.lower().split())
    return " ".join(nfkc(nfkc(text).casefold()).split())


def folds_to(text: str, folded: str) -> bool:
    """``fold(text) == folded`` for a text that begins with no white space, without folding most that differ."""
    if text.isascii() and text[:1].lower() != folded[:1]:
        return False
    return fold(text) == folded


def fold_character(char: str) -> str:
    """One character decomposed (NFKD) and case folded; white space becomes one space. May be several characters."""
    if char.isascii():
        return " " if char.isspace() else char.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return " " if folded.isspace() else folded


def is_accent(char: str) -> bool:
    """True for a combining mark."""
    return unicodedata.combining(char) != 0


def is_word_character(char: str) -> bool:
    """True for a letter or digit of a script that puts spaces between words (so not Chinese, kana or Thai)."""
    return char.isalnum() and not ("\u0e00" <= char <= "\u0eff" or "\u2e80" <= char <= "\u9fff" or char >= "\uf900")


def is_layout(char: str) -> bool:
    """True for what does not survive a normaliser as itself: controls, white space other than the plain space."""
    if char == " ":
        return False
    return char in _NMT_LAYOUT or unicodedata.category(char) == "Cc" or any(c.isspace() for c in nfkc(char))


@cache
def compatibility_forms() -> dict[str, str]:
    """Characters whose NFKC form holds ASCII other than letters and digits, or white space, with that form."""
    forms: dict[str, str] = {}
    for low, high in _COMPATIBILITY_BLOCKS:
        for code in range(low, high):
            form = nfkc(chr(code))
            if form != chr(code) and any((c.isascii() and not c.isalnum()) or c.isspace() for c in form):
                forms[chr(code)] = form
    return forms


@cache
def _layout_characters() -> frozenset[str]:
    found = {chr(code) for code in range(0xA0) if is_layout(chr(code))}
    found.update(char for char, form in compatibility_forms().items() if any(c.isspace() for c in form))
    return frozenset(found | _NMT_LAYOUT)


def _code_of(char: str) -> str:
    if char in CODES:
        return ESCAPE + CODES[char]
    code = ord(char)
    return f"{ESCAPE}u{code:04x}" if code <= 0xFFFF else f"{ESCAPE}U{code:06x}"


@lru_cache(maxsize=65536)
def _melts(char: str) -> bool:
    """True for a combining mark, and for what NFKC turns into one: it would melt into a code letter before it."""
    return any(is_accent(part) for part in nfkc(char))


def written_forms(char: str, escaped: frozenset[str]) -> tuple[str, ...]:
    """The ways in which a character may be written inside a value, raw before coded.

    Which of two it is depends on the neighbours: a space is raw between two other characters, a combining mark
    unless it follows a code.
    """
    if char in escaped:
        return (_code_of(char),)
    return (char, _code_of(char)) if char == " " or _melts(char) else (char,)


@lru_cache(maxsize=64)
def chunk_pattern(escaped: frozenset[str]) -> re.Pattern[str]:
    """Matches one written character of a value, raw or coded, but no raw space."""
    raw = "[^ " + re.escape("".join(sorted(escaped))) + "]"
    letter = "[" + "".join(_CHARACTERS) + "]"
    basic = r"u(?:[0-9a-ce-f][0-9a-f]|d[0-7])[0-9a-f]{2}"
    return re.compile(rf"{raw}|\|(?:{letter}|{basic}|U(?:0[1-9a-f]|10)[0-9a-f]{{4}})")


def _class_search(characters: Iterable[str]) -> Callable[[str], re.Match[str] | None]:
    return re.compile("[" + re.escape("".join(sorted(characters))) + "]").search


class Escaper:
    """Writes values so that no mark stands raw in them, and reads them back.

    ``marks`` are the single mark characters of one target tree, ``reserved`` its words for empty lists and
    absent values. ``read(write(v)) == v`` for every string of Unicode scalar values.
    """

    def __init__(self, marks: Iterable[str], reserved: Iterable[str]) -> None:
        unsafe = set(marks) | {ESCAPE}
        escaped = unsafe | _layout_characters()
        escaped.update(char for char, form in compatibility_forms().items() if not unsafe.isdisjoint(form))
        self.escaped = frozenset(escaped)
        self.reserved = frozenset(fold(word) for word in reserved)
        # A composed form may be shorter than what it is composed of, hence the allowance.
        self._longest_reserved = 4 * max((len(word) for word in self.reserved), default=0)
        self._search = _class_search(escaped)
        self._search_ascii = _class_search(char for char in escaped if char.isascii())

    def write(self, value: str, layout: bool = False) -> str:
        """``value`` as it is in a target: never empty, no raw mark, no reserved word.

        With ``layout`` line breaks, tabs and runs of spaces stand as they are, but for the first and last character.
        """
        if not value:
            return EMPTY
        is_ascii = value.isascii()
        found = (self._search_ascii if is_ascii else self._search)(value)
        plain = found is None and value[0] != " " != value[-1] and "  " not in value
        text = value if plain else self._escape(value, layout)
        if len(value) <= self._longest_reserved:
            folded = value.lower() if plain and is_ascii else fold(value)
            if folded in self.reserved:
                return GUARD + text
        return text

    def _escape(self, value: str, layout: bool) -> str:
        parts: list[str] = []
        last = len(value) - 1
        after_escape = False
        for position, char in enumerate(value):
            if layout and char in _CODE_LAYOUT:
                needed = position in (0, last)
            elif char == " ":
                needed = position in (0, last) or value[position - 1] == " "
            else:
                needed = char in self.escaped or (after_escape and _melts(char))
            parts.append(_code_of(char) if needed else char)
            after_escape = needed
        return "".join(parts)

    @staticmethod
    def read(text: str) -> tuple[str, list[str]]:
        """The value that ``write`` wrote, and the escapes that are none (they stay as they are)."""
        if ESCAPE not in text:
            return text, []
        if text == EMPTY:
            return "", []
        bad: list[str] = []

        def character(match: re.Match[str]) -> str:
            hexadecimal = match[1] or match[2]
            if hexadecimal and not 0xD800 <= int(hexadecimal, 16) <= 0xDFFF:
                return chr(int(hexadecimal, 16))
            if match[3] in _CHARACTERS:
                return _CHARACTERS[match[3]]
            bad.append(text[match.start() : match.start() + 2])
            return match[0]

        return _CODE.sub(character, text.removeprefix(GUARD)), bad

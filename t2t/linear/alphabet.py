"""The marks and reserved words of one target tree, and the rules they obey (law 5)."""

from __future__ import annotations

from functools import cached_property

from t2t.errors import TemplateError
from t2t.text import ESCAPE, Escaper, fold, is_layout, nfkc


class Alphabet:
    """Collects marks while the tree is built; afterwards gives the escaper that all its leaves share.

    A mark is one or more punctuation characters without a space. A character belongs to marks of one level of
    the tree only, so that splitting at the outer level never cuts an inner value.
    """

    def __init__(self) -> None:
        self._level: dict[str, int] = {}
        self._marks: dict[str, str] = {}
        self.reserved: dict[str, str] = {}

    def add_mark(self, mark: str, level: int, where: str) -> str:
        """Register ``mark`` for ``level`` and give it back; refuse one that could be misread."""
        for char in mark:
            _check_mark_character(mark, char, where)
        if nfkc(mark) != mark:
            raise TemplateError(where, f"mark {mark!r} is changed by Unicode normalisation (NFKC)", "use another mark")
        for char in mark:
            if self._level.setdefault(char, level) != level:
                raise TemplateError(
                    where, f"mark {mark!r} shares {char!r} with another level of the target", "use another mark here"
                )
            if self._marks.setdefault(char, mark) != mark:
                raise TemplateError(
                    where,
                    f"marks {self._marks[char]!r} and {mark!r} share {char!r}",
                    "use marks without common characters",
                )
        return mark

    def reserve(self, word: str, key: str, where: str) -> str:
        """Register a word for ``empty`` or ``absent`` and give it back."""
        if not word.strip() or word != " ".join(word.split()):
            raise TemplateError(where, f"{key}: {word!r} has no visible form", "use a word such as none")
        self.reserved[fold(word)] = where
        return word

    def check_word(self, word: str, what: str, where: str) -> None:
        """Refuse a label or reserved word that would need an escape."""
        written = Escaper(self._level, ()).write(word)
        if written != word:
            bad = next((c for c in word if c in self.escaper.escaped), " ")
            found = f"{what} {word!r} holds {bad!r}, which is a mark, the escape character or layout"
            raise TemplateError(where, found, "choose other words or another mark")

    @property
    def marks(self) -> list[str]:
        """The marks of the tree, each once."""
        return list(dict.fromkeys(self._marks.values()))

    @cached_property
    def escaper(self) -> Escaper:
        """The escaper of the finished tree."""
        return Escaper(self._level, self.reserved)


def _check_mark_character(mark: str, char: str, where: str) -> None:
    if char.isspace():
        raise TemplateError(where, f"mark {mark!r} holds a space", "use one mark between two fields")
    if char in (ESCAPE, "."):
        raise TemplateError(where, f"mark {mark!r} holds {char!r}, which the escape needs", "use another mark, e.g. =")
    if char.isalnum() or not char.isprintable() or is_layout(char):
        raise TemplateError(where, f"mark {mark!r} holds {char!r}", "marks are punctuation; put words into the prompt")
    if nfkc(char) != char:
        todo = f"use {nfkc(char)!r}" if nfkc(char).isascii() else "use another mark"
        raise TemplateError(where, f"mark {char!r} is changed by Unicode normalisation (NFKC)", todo)

"""Patterns such as ``{head} @ {relation} @ {tail}``: literals and field names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import TypeVar

from t2t.errors import TemplateError
from t2t.linear.alphabet import Alphabet

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PatternText:
    """Literals and names in turn: ``literals`` has one entry more than ``names``."""

    literals: tuple[str, ...]
    names: tuple[str, ...]


def read_template(text: str, where: str) -> PatternText:
    """Split ``text`` at its ``{name}`` placeholders; ``{{`` and ``}}`` stand for braces."""
    literals, names = [""], []
    try:
        for literal, name, form, conversion in Formatter().parse(text):
            literals[-1] += literal
            if name is None:
                continue
            if not name or form or conversion:
                raise ValueError("a placeholder is {name}, nothing else")
            names.append(name)
            literals.append("")
    except ValueError as error:
        reason = str(error)
        raise TemplateError(where, f"{text[:80]!r}: {reason}", "write {name}, or {{ and }} for braces") from None
    return PatternText(tuple(literals), tuple(names))


@dataclass(frozen=True, slots=True)
class Pattern:
    """A target pattern: names with marks around and between them (``marks[0]`` and ``marks[-1]`` may be empty)."""

    names: tuple[str, ...]
    marks: tuple[str, ...]

    @property
    def bare(self) -> bool:
        """True if the pattern is one field and no mark."""
        return len(self.names) == 1 and not any(self.marks)

    def join(self, values: list[str]) -> str:
        """The values with the marks between them, all separated by one space."""
        return " ".join(self.weave(values, str))

    def weave(self, values: Sequence[T], mark: Callable[[str], T]) -> list[T]:
        """Values and marks in the order in which they stand; ``mark`` makes a part of a mark."""
        parts = [mark(self.marks[0])] if self.marks[0] else []
        for value, text in zip(values, self.marks[1:], strict=True):
            parts.append(value)
            if text:
                parts.append(mark(text))
        return parts

    def split(self, text: str) -> tuple[list[str], str | None]:
        """The stripped values of ``text`` and, if it does not have the form of the pattern, what is wrong."""
        first, last = self.marks[0], self.marks[-1]
        body = text.strip()
        if first:
            if not body.startswith(first):
                return [], "missing_mark"
            body = body[len(first) :]
        if last and len(self.marks) > 1:
            if not body.endswith(last):
                return [], "missing_mark" if last not in body else "stray_text"
            body = body[: -len(last)]
        return self._split_body(body)

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where each of the values that ``split`` gives is in ``text``; none where it has not the form."""
        values, wrong = self.split(text)
        if wrong:
            return []
        found, at = [], 0
        for mark, value in zip(self.marks, values, strict=False):
            at = text.index(value, text.index(mark, at) + len(mark))
            found.append((at, at + len(value)))
            at += len(value)
        return found

    def _split_body(self, body: str) -> tuple[list[str], str | None]:
        values: list[str] = []
        for mark in self.marks[1:-1]:
            value, found, body = body.partition(mark)
            if not found:
                return [], "missing_mark"
            values.append(value.strip())
        values.append(body.strip())
        for mark in self.marks:
            for value in values:
                if mark and mark in value:
                    return [], "extra_mark"
        return values, None


def compile_pattern(text: str, alphabet: Alphabet, level: int, where: str) -> Pattern:
    """The pattern of an ``as``; fields that touch, bad marks and repeated names are refused."""
    template = read_template(text, where)
    if not template.names:
        raise TemplateError(where, f"as: {text!r} names no field", "name the fields, e.g. {text} = {type}")
    for name in template.names:
        if template.names.count(name) > 1:
            raise TemplateError(where, f"as: field {{{name}}} stands twice", "name each field once")
    marks = tuple(literal.strip() for literal in template.literals)
    for left, right, mark in zip(template.names, template.names[1:], marks[1:-1], strict=False):
        if not mark:
            todo = f'put a mark between them, e.g. "{{{left}}} : {{{right}}}"'
            raise TemplateError(where, f"as: fields {{{left}}} and {{{right}}} touch", todo)
    for mark in marks:
        if mark:
            alphabet.add_mark(mark, level, where)
    return Pattern(template.names, marks)

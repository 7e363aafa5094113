"""What a node sees of the record while it reads gold, renders or parses."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jmespath
import jmespath.visitor

from t2t.errors import DataError, TemplateError
from t2t.linear.grounding import Cursor, SourceText
from t2t.linear.parsed import Issue
from t2t.registry import did_you_mean
from t2t.structures import Json, Record

# Where a part of a template stands, for messages: a path of keys in, "FILE:LINE" out.
Where = Callable[[tuple[str | int, ...]], str]
PLAIN = re.compile(r"[^\W\d]\w*")  # a name, in any script
_PARTS = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)""")
_NAMES = re.compile(PLAIN.pattern)


class Scope:
    """The fields of one example, its source texts, and the issues found so far."""

    __slots__ = ("_sources", "cursor", "fields", "issues", "where")

    def __init__(self, fields: Record, where: str) -> None:
        self.fields = fields
        self.where = where
        self.issues: list[Issue] = []
        self.cursor = Cursor(reuse=False)
        self._sources: dict[str, SourceText] = {}

    def source(self, field: str) -> SourceText:
        """The text of a field in which spans are looked up."""
        source = self._sources.get(field)
        if source is None:
            text = self.fields.get(field)
            if not isinstance(text, str):
                found = "is missing" if field not in self.fields else f"is {kind_of(text)}"
                raise DataError(self.where, f"field {field!r}, in which spans are looked up, {found}", "give it a text")
            source = self._sources[field] = SourceText(text)
        return source

    def report(self, kind: str, path: str, text: str) -> None:
        """Note an issue; long texts are cut."""
        self.issues.append(Issue(kind, path, text[:200]))


def kind_of(value: Json) -> str:
    """What a value is, in the words of a message."""
    names = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "a text"}
    names |= {list: "a list", tuple: "a list", dict: "a mapping"}
    return names.get(type(value)) or str(getattr(value, "kind", type(value).__name__))


_MOST_ITEMS, _MOST_CHARACTERS = 1_000_000, 1 << 26  # of what a step of an expression gives


class _Bounded(jmespath.visitor.TreeInterpreter):  # type: ignore[misc]
    """JMESPath, stopped where an expression makes more and more of a record: ``[@, @][]`` doubles it each time."""

    def visit(self, node: Json, *arguments: Json, **named: Json) -> Json:
        if node["type"] == "function_expression" and node["value"] == "to_string":
            self._count(self.visit(node["children"][0], *arguments, **named))
        found = super().visit(node, *arguments, **named)
        if isinstance(found, list) and len(found) > _MOST_ITEMS:
            raise ValueError(f"a step of it gives more than {_MOST_ITEMS:,} items")
        if isinstance(found, str) and len(found) > _MOST_CHARACTERS:
            raise ValueError(f"a step of it gives more than {_MOST_CHARACTERS:,} characters")
        return found

    @staticmethod
    def _count(value: Json) -> None:
        """ValueError for more parts than may be, those that are in several places counted in each."""
        waiting, counted = [value], 0
        while waiting:
            one = waiting.pop()
            counted += 1
            if counted > _MOST_ITEMS:
                raise ValueError(f"to_string() would write more than {_MOST_ITEMS:,} parts")
            if isinstance(one, (list, dict)):
                waiting += one.values() if isinstance(one, dict) else one


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> Callable[[Json], Json]:
    parsed = jmespath.compile(_with_quoted_names(expression)).parsed
    return lambda value: _Bounded().visit(parsed, value)


def _with_quoted_names(expression: str) -> str:
    """JMESPath knows ASCII names alone: those of other scripts are in quotes there."""
    if expression.isascii():
        return expression
    parts = [part or "" for part in _PARTS.split(expression)]  # texts in quotes are at the odd places
    return "".join(part if place % 2 else _NAMES.sub(_quoted, part) for place, part in enumerate(parts))


def _quoted(name: re.Match[str]) -> str:
    return name[0] if name[0].isascii() else f'"{name[0]}"'


@lru_cache(maxsize=4096)
def _mistaken_call(expression: str) -> tuple[str, str] | None:
    """What is wrong with a call of a function in a JMESPath expression, which itself tells it only of a record."""
    left = [jmespath.compile(_with_quoted_names(expression)).parsed]
    while left:
        node = left.pop()
        if not isinstance(node, dict):
            continue  # a bound of a slice
        left += node["children"]
        if node["type"] != "function_expression":
            continue
        name, given = node["value"], len(node["children"])
        if name not in _FUNCTIONS:
            return f"JMESPath has no function {name}()", did_you_mean(name, _FUNCTIONS)
        wanted = _FUNCTIONS[name]["signature"]
        if given < len(wanted) or (given > len(wanted) and not wanted[-1].get("variadic")):
            return f"{name}() takes {len(wanted)} arguments, here it has {given}", "correct it"
    return None


_FUNCTIONS: dict[str, Any] = jmespath.functions.Functions.FUNCTION_TABLE


class Expression:
    """A path into a record: ``@`` (the item itself), a plain name, or JMESPath."""

    __slots__ = ("_search", "plain", "text")

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.plain = bool(PLAIN.fullmatch(text))
        if self.plain or text == "@":
            self._search: Callable[[Json], Json] | None = None
            return
        try:
            self._search = _compiled(text)
            mistake = _mistaken_call(text)
        except (jmespath.exceptions.JMESPathError, ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0]
            raise TemplateError(where, f"{text!r} is no JMESPath expression ({reason})", "correct it") from None
        if mistake is not None:
            raise TemplateError(where, f"{text!r}: {mistake[0]}", mistake[1])

    @property
    def root(self) -> str:
        """The field at which it begins."""
        found = PLAIN.search(self.text)
        return found[0] if found else self.text

    def read(self, item: Json, where: str) -> Json:
        """The value in ``item``; a plain name must be there, other expressions give null where nothing fits."""
        if self.plain:
            if isinstance(item, dict) and self.text in item:
                return item[self.text]
            has = f"it has {', '.join(map(str, item))}" if isinstance(item, dict) else f"it is {kind_of(item)}"
            raise DataError(where, f"record has no field {self.text!r} ({has})", "correct the template or the data")
        if self._search is None:
            return item
        try:
            return self._search(item)
        except (jmespath.exceptions.JMESPathError, ValueError, RecursionError, TypeError) as error:
            raise DataError(where, f"{self.text!r}: {error}", "correct the template or the data") from None

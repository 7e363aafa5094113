"""Prompts: literal text with ``{field}`` placeholders, and lists rendered for them.

A prompt is never inverted, so values are in it as they are. Data are values, never a format string.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from string import ascii_uppercase

from t2t.errors import DataError, TemplateError
from t2t.linear.pattern import read_template
from t2t.linear.scope import Expression, Where, kind_of
from t2t.registry import did_you_mean
from t2t.structures import Json, Record


def _shown(value: Json, name: str, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise DataError(
        where, f"field {name!r} of the prompt is {kind_of(value)}", "map it to a text under fields: or lists:"
    )


class PromptList:
    """A list of the record as one text: ``each``, ``as``, ``fields``, ``between``, ``empty``.

    In ``fields`` the word ``letter`` stands for A, B, C... and ``number`` for 1, 2, 3...
    """

    def __init__(self, spec: Json, where: Where) -> None:
        if (
            not isinstance(spec, Mapping)
            or not isinstance(spec.get("each"), str)
            or not isinstance(spec.get("as"), str)
        ):
            raise TemplateError(where(()), "a list wants each: FIELD and as: PATTERN", "add them")
        allowed = {"each", "as", "fields", "between", "empty"}
        for key in spec:
            if key not in allowed:
                raise TemplateError(where((key,)), f"unknown key {key!r}", did_you_mean(str(key), allowed))
        self.items = Expression(spec["each"], where(("each",)))
        self.template = read_template(spec["as"], where(("as",)))
        fields = spec.get("fields") or {}
        if not isinstance(fields, Mapping):
            raise TemplateError(where(("fields",)), f"fields: is {kind_of(fields)}", "write {NAME: PATH}")
        paths = {name: str(fields.get(name, name)) for name in self.template.names}
        self.fields = {name: Expression(path, where(("fields",))) for name, path in paths.items()}
        self.between, self.empty = str(spec.get("between", " ; ")), str(spec.get("empty", "none"))

    def render(self, fields: Record, where: str) -> str:
        """The items in order, or the ``empty`` word."""
        items = self.items.read(fields, where)
        if not isinstance(items, list):
            raise DataError(where, f"{self.items.text!r} is {kind_of(items)}", "lists: wants a list")
        return self.between.join(self._item(item, index, where) for index, item in enumerate(items)) or self.empty

    def _item(self, item: Json, index: int, where: str) -> str:
        parts = [self.template.literals[0]]
        for name, literal in zip(self.template.names, self.template.literals[1:], strict=True):
            path = self.fields[name]
            if path.text == "letter":
                value: Json = ascii_uppercase[index] if index < len(ascii_uppercase) else str(index + 1)
            else:
                value = index + 1 if path.text == "number" else path.read(item, where)
            parts += (_shown(value, name, where), literal)
        return "".join(parts)


class Prompt:
    """A compiled prompt.

    Args:
        text: the pattern; ``{field}``, ``{node.labels}``, ``{{`` and ``}}``.
        words: gives the words of a label node of the target, for ``{node.labels}``.
        lists: compiled lists, by the name under which the prompt uses them.
        varying: the ``NODE.labels`` whose words are given with the fields of each record.
    """

    def __init__(
        self,
        text: str,
        words: Callable[[str, str], list[str]],
        lists: Mapping[str, PromptList],
        where: str,
        varying: str | None = None,
    ) -> None:
        template = read_template(text, where)
        self.names: list[str] = []
        self.literals = [template.literals[0]]
        self.lists = lists
        for name, literal in zip(template.names, template.literals[1:], strict=True):
            if name.endswith(".labels") and name != varying:
                self.literals[-1] += ", ".join(words(name.removesuffix(".labels"), where)) + literal
            elif name == "labels":
                raise TemplateError(where, "{labels} names no node of the target", "write {NODE.labels}")
            else:
                self.names.append(name)
                self.literals.append(literal)
        self._parts = [part for literal in self.literals for part in ("", literal)][1:]

    def render(self, fields: Record, where: str) -> str:
        """The prompt of a record. DataError if a field is missing or is no text."""
        if not self.lists:
            parts = self._parts.copy()
            try:
                parts[1::2] = [fields[name] for name in self.names]
                return "".join(parts)
            except (KeyError, TypeError):
                pass  # a number, or a mistake
        parts = [self.literals[0]]
        for (_, value), literal in zip(self.values(fields, where), self.literals[1:], strict=True):
            parts += (value, literal)
        return "".join(parts)

    def values(self, fields: Record, where: str) -> Iterator[tuple[str, str]]:
        """Each placeholder's name and the text that stands for it, in order. DataError as for ``render``."""
        for name in self.names:
            if name in self.lists:
                yield name, self.lists[name].render(fields, where)
            elif name in fields:
                yield name, _shown(fields[name], name, where)
            else:
                has = ", ".join(fields)
                raise DataError(
                    where, f"record has no field {name!r} for the prompt (it has {has})", "add it under fields:"
                )

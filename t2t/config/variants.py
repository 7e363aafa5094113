"""``for:``: one template file that stands for several tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

from t2t.errors import TemplateError
from t2t.registry import did_you_mean

Where = Callable[[tuple[str | int, ...]], str]
_TODO = "write e.g. for: {domain: [ai, music]} or for: {pair: [[en, de], [de, en]]}"


def variants(data: Mapping[str, Any], where: Where) -> dict[str, dict[str, str | Any]]:
    """The tasks that ``for:`` asks for: the name of each and what its placeholders stand for; none without ``for:``.

    ``for: {domain: [ai, music]}`` gives ``ai`` and ``music`` with ``<domain>``; an item that is a list has
    ``<pair.0>``, ``<pair.1>`` and the name ``en-de``; one that is a mapping has ``<pair.KEY>`` for each of its keys,
    and is called by its ``name``. Several variables give every combination.
    """
    if "for" not in data:
        return {}
    given = data["for"]
    if not isinstance(given, dict) or not given:
        raise TemplateError(where(("for",)), f"for: is {given!r}", _TODO)
    columns = [[_item(key, item, where) for item in _items(key, values, where)] for key, values in given.items()]
    found: dict[str, dict[str, Any]] = {}
    for row in product(*columns):
        name = "-".join(part for part, _ in row)
        if name in found:
            raise TemplateError(where(("for",)), f"for: gives {name!r} twice", "keep one, or give them names")
        found[name] = {key: value for _, values in row for key, value in values.items()}
    return found


def _items(key: Any, values: Any, where: Where) -> list[Any]:
    if not isinstance(key, str) or not key.isidentifier() or not isinstance(values, list) or not values:
        raise TemplateError(where(("for", key)), f"for: {key!r} is {values!r}", _TODO)
    return values


def _item(key: str, item: Any, where: Where) -> tuple[str, dict[str, Any]]:
    """The name of one item and what ``<key>``, or ``<key.part>``, stands for."""
    if isinstance(item, str | int):
        name, values = str(item), {f"<{key}>": item}
    elif isinstance(item, list):
        name = "-".join(map(str, item))
        values = {f"<{key}.{index}>": part for index, part in enumerate(item)}
    elif isinstance(item, dict) and isinstance(item.get("name"), str):
        name, values = item["name"], {f"<{key}.{part}>": value for part, value in item.items()}
    else:
        raise TemplateError(where(("for", key)), f"for: an item is {item!r}", "give a mapping a name: of its own")
    if not name or not all(char.isalnum() or char in "-_." for char in name) or not name[0].isalnum():
        raise TemplateError(where(("for", key)), f"for: {name!r} is no name", "use letters, digits, _, . and -")
    return name, values


def of_variant(data: dict[Any, Any], variant: str | None, where: Where) -> dict[Any, Any]:
    """The content of a template file for one of its variants (None where it has no ``for:``)."""
    known = variants(data, where)
    if variant is None and not known:
        return data
    if variant is None:
        raise TemplateError(where(("for",)), "the file holds several tasks", f"name one: {', '.join(known)}")
    if variant not in known:
        todo = did_you_mean(variant, known) if known else "leave it out"
        raise TemplateError(where(("for",)), f"the file has no task {variant!r}", todo)
    rest = {key: value for key, value in data.items() if key != "for"}
    for placeholder in unused(rest, known[variant]):
        if not placeholder.endswith(".name>"):
            raise TemplateError(where(("for",)), f"for: {placeholder} stands nowhere", "use it, or leave it out")
    filled: dict[Any, Any] = substitute(rest, known[variant])
    return filled


def substitute(value: Any, placeholders: Mapping[str, Any]) -> Any:
    """``value`` with its placeholders filled in: a text that is one placeholder becomes what it stands for."""
    if isinstance(value, str):
        if value in placeholders:
            return placeholders[value]
        for placeholder, meant in placeholders.items():
            value = value.replace(placeholder, str(meant))
        return value
    if isinstance(value, list):
        return [substitute(item, placeholders) for item in value]
    return {key: substitute(item, placeholders) for key, item in value.items()} if isinstance(value, dict) else value


def unused(value: Any, placeholders: Mapping[str, Any]) -> list[str]:
    """The placeholders that stand nowhere in ``value``."""
    text = repr(value)
    return [placeholder for placeholder in placeholders if placeholder not in text]


def line_finder(name: str, lines: Mapping[tuple[str | int, ...], int]) -> Where:
    """A function from a path of keys to FILE:LINE; a path without a line of its own has its parent's."""

    def where(path: tuple[str | int, ...]) -> str:
        while path and path not in lines:
            path = path[:-1]
        return f"{name}:{lines.get(path, 1)}"

    return where

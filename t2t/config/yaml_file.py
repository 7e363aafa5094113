"""The one reader of YAML: strict, with a line number for every key and item; and what writes what it reads back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from t2t.errors import InputError, RunFileError
from t2t.regular_files import read_regular

KeyPath: TypeAlias = tuple[str | int, ...]
Lines: TypeAlias = Mapping[KeyPath, int]

_MOST_BYTES = 1 << 20
_DEEPEST = 50  # levels of nesting
_MOST_DIGITS = 100  # of a whole number

_CORE = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
}


_KINDS = {kind: re.compile(rf"(?:{pattern})\Z") for kind, (pattern, _) in _CORE.items()}
_FIRSTS = frozenset("".join(first for _, first in _CORE.values()))
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is twenty times as fast


class _Dumper(yaml.SafeDumper):
    """Quotes every text that the reader would take for something else."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own name)

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _kind, (_, _first) in _CORE.items():
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _KINDS[_kind], [*_first, *([""] * (_kind == "null"))])


def write_yaml(data: Mapping[str, Any]) -> str:
    """``data`` as YAML that ``read_yaml`` gives back as it is; short mappings and lists on one line."""
    dumped: str = yaml.dump(
        dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None
    )
    return dumped


def read_yaml(path: Path, error: type[InputError] = RunFileError) -> tuple[dict[Any, Any], Lines]:
    """The mapping in ``path`` and the line (from 1) of each key or item by its path, () for the first line.

    Anchors, aliases, tags and duplicate keys are refused; plain scalars follow YAML 1.2's core schema. ``error``,
    with FILE:LINE, is raised for anything that cannot be read as such.
    """
    try:
        content = read_regular(path, _MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise error(f"{path}:1", f"the file is larger than {_MOST_BYTES} bytes", "put data into files of their own")
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as reason:
        line = reason.object.count(b"\n", 0, reason.start) + 1
        raise error(f"{path}:{line}", f"no UTF-8 text ({reason.reason})", "save the file as UTF-8") from None
    except OSError as reason:
        found = f"cannot be read ({getattr(reason, 'strerror', None) or reason})"
        raise error(str(path), found, "name a YAML file") from None
    lines: dict[KeyPath, int] = {(): 1}
    data = _parse(text, str(path), lines, error)
    if not isinstance(data, dict):
        raise error(f"{path}:1", "the file is no mapping", "write lines of the form key: value")
    return data, lines


def read_scalar(text: str, where: str, error: type[InputError] = RunFileError) -> Any:
    """The value that ``text`` is as YAML, e.g. of an override: ``3``, ``null``, ``[a, b]``."""
    return _parse(text, where, {}, error)


def _parse(text: str, where: str, lines: dict[KeyPath, int], error: type[InputError]) -> Any:
    unreadable = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if unreadable:
        line = text.count("\n", 0, unreadable.start()) + 1
        found = f"no readable YAML: the character {unreadable[0]!r}"
        raise error(f"{where}:{line}", found, "remove it, or write it as an escape in double quotes")
    try:
        return _Composer(text, lines).document()
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        found = getattr(problem, "problem", None) or str(problem)
        found = f"it has more than {_DEEPEST} levels" if "nesting depth" in found else found  # PyYAML from 6.0.4 on
        last = text.count("\n") + 1
        place = where if mark is None else f"{where}:{min(mark.line + 1, last)}"
        raise error(place, f"no readable YAML: {found}", "correct it, or quote the text") from None


class _Composer:
    """Values from the events of a YAML text: scalars by YAML 1.2's core schema (`no`, `on`, `1:30`, dates: strings)."""

    def __init__(self, text: str, lines: dict[KeyPath, int]) -> None:
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_PARSER)
        self._lines = lines

    def document(self) -> Any:
        """The one document, None if there is none."""
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value = self._value(next(self._events), ())
        next(self._events)
        rest = next(self._events)
        if not isinstance(rest, yaml.StreamEndEvent):
            raise _refusal(rest, "a second document begins")
        return value

    def _value(self, event: yaml.Event, path: KeyPath) -> Any:
        _check(event)
        if isinstance(event, yaml.CollectionStartEvent) and len(path) >= _DEEPEST - 1:
            raise _refusal(event, f"more than {_DEEPEST} levels")
        self._lines.setdefault(path, _line(event))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return _scalar(event)

    def _sequence(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: KeyPath) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = _key(event)
            if key in data:
                raise _refusal(event, f"the key {key!r} stands twice")
            self._lines[(*path, key)] = _line(event)
            data[key] = self._value(next(self._events), (*path, key))
        return data


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1  # type: ignore[union-attr]


def _refusal(event: yaml.Event, problem: str) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)  # type: ignore[arg-type]


def _key(event: yaml.Event) -> Any:
    _check(event)
    if isinstance(event, yaml.CollectionStartEvent):
        raise _refusal(event, "a key is a list or a mapping")
    return _scalar(event)


def _check(event: yaml.Event) -> None:
    """Refuse what a text of settings has no use for."""
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _refusal(event, "anchors and aliases are not read")
    if tag := getattr(event, "tag", None):
        raise _refusal(event, f"the tag {tag!r} is not read")


def _scalar(event: Any) -> Any:
    text = str(event.value)
    if not event.implicit[0] or (text and text[0] not in _FIRSTS):
        return text
    match next((kind for kind, pattern in _KINDS.items() if pattern.match(text)), "str"):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            if len(text) > _MOST_DIGITS:
                raise _refusal(event, f"a number of {len(text)} digits")
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        case "float":
            return float(re.sub(r"\.(?=[a-z])", "", text.lower()))
    return text

"""The one reader of YAML: strict, with a line number for every key and item; and what writes what it reads back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from t2t.errors import InputError, RunFileError

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


class _Loader(yaml.SafeLoader):
    """Scalars by the YAML 1.2 core schema: `no`, `on`, `1:30` and dates are strings."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own name)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not read", problem_mark=event.start_mark)
        if getattr(event, "tag", None):
            raise yaml.MarkedYAMLError(problem=f"the tag {event.tag!r} is not read", problem_mark=event.start_mark)
        self._depth = getattr(self, "_depth", 0) + 1
        if self._depth > _DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"more than {_DEEPEST} levels", problem_mark=event.start_mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


for _tag, (_pattern, _first) in _CORE.items():
    _firsts = [*_first, *([""] if _tag == "null" else [])]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _firsts)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that the reader would take for something else."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers

    def ignore_aliases(self, data: Any) -> bool:
        return True


def write_yaml(data: Mapping[str, Any]) -> str:
    """``data`` as YAML that ``read_yaml`` gives back as it is; short mappings and lists on one line."""
    dumped: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None
    )
    return dumped


def read_yaml(path: Path, error: type[InputError] = RunFileError) -> tuple[dict[Any, Any], Lines]:
    """The mapping in ``path`` and the line (from 1) of each key or item by its path, () for the first line.

    Anchors, aliases, tags and duplicate keys are refused; plain scalars follow YAML 1.2's core schema. ``error``,
    with FILE:LINE, is raised for anything that cannot be read as such.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise error(f"{path}:1", f"the file is larger than {_MOST_BYTES} bytes", "put data into files of their own")
        text = path.read_bytes().decode("utf-8").removeprefix("\ufeff")
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
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return None if node is None else _value(loader, node, (), lines)
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        found = f"no readable YAML: the character {text[problem.position]!r}"
        raise error(f"{where}:{line}", found, "remove it, or write it as an escape in double quotes") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        found = getattr(problem, "problem", None) or str(problem)
        place = f"{where}:{mark.line + 1}" if mark is not None else where
        raise error(place, f"no readable YAML: {found}", "correct it, or quote the text") from None
    finally:
        if loader is not None:
            loader.dispose()


def _value(loader: _Loader, node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item, (*path, index), lines) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, lines)
    return _scalar(node)


def _mapping(loader: _Loader, node: yaml.MappingNode, path: KeyPath, lines: dict[KeyPath, int]) -> dict[Any, Any]:
    data: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key is a list or a mapping", problem_mark=key_node.start_mark)
        key = _scalar(key_node)
        if key in data:
            raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark)
        lines[(*path, key)] = key_node.start_mark.line + 1
        data[key] = _value(loader, value_node, (*path, key), lines)
    return data


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    match node.tag.rsplit(":", 1)[-1]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            if len(text) > _MOST_DIGITS:
                raise yaml.MarkedYAMLError(problem=f"a number of {len(text)} digits", problem_mark=node.start_mark)
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        case "float":
            return float(re.sub(r"\.(?=[a-z])", "", text.lower()))
    return text

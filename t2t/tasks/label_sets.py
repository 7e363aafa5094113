"""Closed sets of labels that are not written out in the template: ``label: {from: ..., words: ...}``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from t2t.errors import DataError, TemplateError
from t2t.linear.node_kinds import closed_keys
from t2t.linear.nodes.label import SeenLabels
from t2t.linear.scope import Expression, Where, kind_of
from t2t.registry import did_you_mean
from t2t.structures import Json, Record
from t2t.tasks.data_files import find_file, read_lines
from t2t.tasks.json_text import read_document

_KEYS = {"from", "words", "at", "column"}
_AS_SPACES = str.maketrans("_-./", "    ")
KeyPath = tuple[str | int, ...]
EachTrain: TypeAlias = Callable[[Callable[[Record, str], None]], None]


def has_open_sets(spec: Json) -> bool:
    """True if a label node of a target says where its closed set comes from instead of writing it out."""
    return any(True for _ in _open_sets(spec, (), ()))


def resolve_sets(spec: Json, each_train: EachTrain, base: Path, where: Where) -> Json:
    """The target ``spec`` with every ``from:`` replaced by the labels that it names.

    ``from: FILE.json`` (a list, or a mapping from label to words; ``at:`` names it inside the file), ``from: FILE.txt``
    (one a line; ``column: N`` takes the N-th word of it, from 0), ``from: train`` (the labels that the gold of the
    training split has), or ``from: EXPRESSION`` (what it gives in the fields of the training examples). Sets read from
    the data are sorted. ``words: spaces`` writes ``_ - . /`` as spaces; ``same`` (default) leaves the labels as they
    are. ``each_train`` hands over fields and place of each training record, and sets aside those of which a DataError
    comes back; it is called once, if at all.

    Raises:
        TemplateError, DataError: the set cannot be read, or is empty.
    """
    found: dict[KeyPath, list[Json] | dict[str, str]] = {}
    reads: list[tuple[KeyPath, list[Expression], set[Json]]] = []
    for path, steps, given in _open_sets(spec, (), ()):
        line = where(path)
        _check(given, line)
        source = given["from"]
        if source.endswith((".json", ".txt")):
            found[path] = _from_file(given, base, line)
        else:
            chosen = steps if source == "train" else (source,)
            reads.append((path, [Expression(step, line) for step in chosen], set()))

    def add(fields: Record, record: str) -> None:
        of_each = [list(_scalars(fields, expressions, record, where(path))) for path, expressions, _ in reads]
        for (_, _, labels), more in zip(reads, of_each, strict=True):
            labels.update(more)

    if reads:
        each_train(add)
    found |= {path: SeenLabels((label, str(label)) for label in sorted(labels, key=str)) for path, _, labels in reads}
    read = {path: " of each ".join(step.text for step in reversed(steps)) for path, steps, _ in reads}
    for path, known in found.items():
        if not known:
            message = f": {read[path]} gives nothing in the training records" if path in read else ""
            raise DataError(where(path), f"from: finds no label{message}", "correct it, or write the labels out")
    return _filled(spec, (), found)


def _open_sets(spec: Json, path: KeyPath, steps: tuple[str, ...]) -> Iterator[tuple[KeyPath, tuple[str, ...], Any]]:
    """Path, the expressions that lead to its gold, and the open set of each label node below ``spec``."""
    if not isinstance(spec, Mapping):
        return
    gold = spec.get("gold", spec.get("each", "@" if "as" in spec else (path[-1] if path else "@")))
    for key in closed_keys(spec):
        given = spec[key]
        if isinstance(given, Mapping) and "from" in given and given.keys() <= _KEYS:
            yield (*path, key), (*steps, str(gold)), given
    fields = spec.get("fields")
    for name, child in fields.items() if isinstance(fields, Mapping) else ():
        yield from _open_sets(child, (*path, "fields", name), (*steps, str(gold)))


def _check(given: Mapping[str, Json], line: str) -> None:
    if not isinstance(given["from"], str):
        raise TemplateError(line, f"from: is {kind_of(given['from'])}", "write a file, train, or an expression")
    words = given.get("words", "same")
    if words not in ("same", "spaces"):
        raise TemplateError(line, f"words: {words!r} is unknown", did_you_mean(str(words), ("same", "spaces")))
    for key, ending in (("at", ".json"), ("column", ".txt")):
        if key in given and not given["from"].endswith(ending):
            raise TemplateError(line, f"{key}: is for a file {ending}, not for from: {given['from']}", "remove it")


def _from_file(given: Mapping[str, Json], base: Path, line: str) -> list[Json] | dict[str, str]:
    file = find_file(given["from"], base, line)
    if file.name.endswith(".txt"):
        column = given.get("column")
        rows = [text for _, text in read_lines(file) if text.strip()]
        return rows if column is None else [_column(row, column, file.name) for row in rows]
    labels = read_document(file)
    if "at" in given:
        labels = Expression(str(given["at"]), line).read(labels, file.name)
    if isinstance(labels, list | dict):
        return labels
    raise DataError(file.name, f"from: gives {kind_of(labels)}", "name a list, or a mapping from label to words")


def _column(row: str, column: Json, name: str) -> str:
    cells = row.split()
    if not isinstance(column, int) or not 0 <= column < len(cells):
        raise DataError(name, f"the line {row[:60]!r} has no column {column!r}", "columns count from 0")
    return cells[column]


def _scalars(item: Json, expressions: list[Expression], where: str, line: str) -> Iterator[Json]:
    if not expressions:
        for label in item if isinstance(item, list) else [item]:
            if isinstance(label, str | int):
                yield label
            elif label is not None:
                raise DataError(
                    where, f"from: ({line}) finds {kind_of(label)} where a label should be", "correct the path"
                )
        return
    value = expressions[0].read(item, where)
    many = isinstance(value, list) and len(expressions) > 1
    for inner in value if many else [value]:
        yield from _scalars(inner, expressions[1:], where, line)


def _filled(spec: Json, path: KeyPath, found: Mapping[KeyPath, list[Json] | dict[str, str]]) -> Json:
    if path in found:
        labels = found[path]
        if spec.get("words") != "spaces" or (isinstance(labels, dict) and not isinstance(labels, SeenLabels)):
            return labels
        spaced = {label: str(label).translate(_AS_SPACES) for label in labels}
        return SeenLabels(spaced) if isinstance(labels, SeenLabels) else spaced
    if not isinstance(spec, Mapping):
        return spec
    return {key: _filled(value, (*path, key), found) for key, value in spec.items()}

"""A template's ``fields:``, compiled into one function of a raw record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from t2t.errors import DataError, TemplateError
from t2t.structures import Json
from t2t.tasks.expressions import Mismatch, Reader, compile_expression
from t2t.tasks.fields.adapter import ADAPTERS, AdapterArguments, SideFile
from t2t.tasks.fields.refer import RecordWithFields
from t2t.tasks.record import RawRecord


def compile_fields(
    spec: Mapping[str, Any] | None,
    base: Path,
    where: str | Callable[[str], str],
    files: list[SideFile] | None = None,
) -> Callable[[RawRecord], dict[str, Any]]:
    """What maps a raw record to the fields of an example; without a specification, the record's data as they are.

    A field is a JMESPath expression, an adapter ``{name: arguments}``, or a chain (a list) of these, each reading
    what the one before it gave. Raises TemplateError for what is none of these; the function raises DataError with
    FILE:LINE for a record that does not fit. ``where``: the place of all fields, or of each by its name. ``files`` gets
    what adapters read beside the data.
    """
    files = [] if files is None else files
    if spec is None:
        return lambda record: record.data
    place = where if callable(where) else lambda name: where
    readers = {
        name: compile_field(value, base, f"{place(name)}: fields: {name}", files) for name, value in spec.items()
    }
    refers = any(_names_adapter(value, "refer") for value in spec.values())
    flattens = {name for name, value in spec.items() if "[]" in str(value)}

    def apply(record: RawRecord) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        data = RecordWithFields(record.data, fields) if refers else record.data
        for name, read in readers.items():
            try:
                fields[name] = read(data)
            except Mismatch as error:
                found = error.found if error.found.startswith("record has") else f"field {name!r}: {error.found}"
                hint = f"; {_FLATTENS}" if name in flattens else ""
                raise DataError(record.where, found, error.todo + hint) from None
        return fields

    return apply


_FLATTENS = "[] makes one list of lists of lists, [*] keeps them apart"


def _names_adapter(value: Json, name: str) -> bool:
    if isinstance(value, list):
        return any(_names_adapter(step, name) for step in value)
    return isinstance(value, dict) and (name in value or any(_names_adapter(one, name) for one in value.values()))


def compile_field(value: Json, base: Path, where: str, files: list[SideFile]) -> Reader:
    """One field: an expression, an adapter, or a chain of them; ``files`` gets what adapters read beside the data."""
    if not isinstance(value, list):
        return _step(value, base, where, files)
    if not value:
        raise TemplateError(where, "an empty chain", "write at least one step")
    return _chain([_step(step, base, where, files) for step in value])


def _chain(steps: list[Reader]) -> Reader:
    def apply(value: Json) -> Json:
        for step in steps:
            value = step(value)
        return value

    return apply


def _step(value: Json, base: Path, where: str, files: list[SideFile]) -> Reader:
    if isinstance(value, str):
        return compile_expression(value, where)
    if not isinstance(value, dict) or len(value) != 1:
        raise TemplateError(where, f"{value!r} is no field", "write a JMESPath expression or one {adapter: arguments}")
    [(name, given)] = value.items()
    arguments = AdapterArguments(
        name, given, base, where, files, lambda inner: compile_field(inner, base, where, files)
    )
    return ADAPTERS.get(name, where, TemplateError)(arguments)

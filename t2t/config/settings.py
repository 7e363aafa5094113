"""Settings once: one frozen class is the form of a section of a file and what the program reads of it.

Whoever owns a section of a run file declares it with ``settings`` and reads it with ``read_settings``; a section of a
template is a ``TemplateSection``. pydantic checks both strictly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.fields import FieldInfo

T = TypeVar("T")
Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]

_FORM = ConfigDict(extra="forbid", allow_inf_nan=False)


class TemplateSection(BaseModel):
    """A section of a template: pydantic's own class, which reads YAML's values as they are.

    A dataclass is read through JSON (``read_settings``), which makes a text of every key, and a template may map the
    labels 0 and 1.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(form: type[T]) -> type[T]:
    """Make a class a section: a frozen, slotted dataclass whose fields are its keys, or the aliases that they have."""
    made: Any = dataclass(frozen=True, slots=True, kw_only=True)(form)
    made.__pydantic_config__ = _FORM
    found: type[T] = made
    return found


def read_settings(form: type[T], data: Any) -> T:
    """``data``, as YAML gives it, in the form of a section. pydantic's ValidationError for whatever does not fit,
    UnicodeEncodeError for half a surrogate pair.

    It goes through JSON, in which pydantic is strict with values and still makes mappings into dataclasses.
    """
    kind: Any = form
    found: T = _adapter(kind).validate_json(json.dumps(data, ensure_ascii=False).encode(), strict=True)
    return found


def as_data(value: Any) -> Any:
    """Settings as the mapping that ``read_settings`` reads; keys without a value are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = {key: getattr(value, name) for name, key in _keys(type(value)).items()}
        return {key: as_data(own) for key, own in pairs.items() if own is not None}
    if isinstance(value, Mapping):
        return {key: as_data(own) for key, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_data(own) for own in value]
    return str(value) if isinstance(value, Path) else value


def keys_at(form: type, path: Sequence[str | int]) -> list[str]:
    """The keys that may be at a path below a section; none where there is no section."""
    for part in path:
        if isinstance(part, str):
            below = section_at(form, part)
            if below is None:
                return []
            form = below
    return list(_keys(form).values())


def section_at(form: type, key: str) -> type | None:
    """The section under a key, also of the items of a list; None where there is none."""
    name = next((name for name, own in _keys(form).items() if own == key), None)
    return None if name is None else _section(get_type_hints(form)[name])


def _section(kind: Any) -> type | None:
    if isinstance(kind, type) and get_origin(kind) is None and is_dataclass(kind):
        return kind
    return next((found for part in get_args(kind) if (found := _section(part)) is not None), None)


@cache
def _adapter(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)


@cache
def _keys(form: type) -> Mapping[str, str]:
    """Names of fields to the keys that stand for them in a file."""
    hints = get_type_hints(form, include_extras=True)
    marks = {field.name: [one for one in get_args(hints[field.name]) if isinstance(one, FieldInfo)]
             for field in fields(form) if field.init}  # fmt: skip
    return {name: next((one.alias for one in own if one.alias), name) for name, own in marks.items()}

"""The plain data that travel between the floors: frozen, slotted, without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Json: TypeAlias = Any  # what json.loads gives: the one place where the type is open
Record: TypeAlias = Mapping[str, Json]
Found: TypeAlias = Literal["exact", "folded", "accents", "fuzzy", "absent"]


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a source text.

    ``text`` is the surface; ``start`` and ``end`` count characters (Unicode code points) of the ORIGINAL
    field, end exclusive, None where unknown. ``found`` says how a generated surface was located
    (``absent``: it is not in the source) and ``ambiguous`` whether another place fitted as well;
    neither takes part in equality.
    """

    text: str
    start: int | None = None
    end: int | None = None
    found: Found = field(default="exact", compare=False)
    ambiguous: bool = field(default=False, compare=False)


# The value of a target tree: a leaf, a record (dict by field name) or a list of items.
Value: TypeAlias = "str | int | float | Span | list[Value] | dict[str, Value] | None"


@dataclass(frozen=True, slots=True)
class Example:
    """One record made ready for a task: its mapped fields and the gold value of the target tree.

    ``where`` says where the record stands (FILE:LINE), for messages.
    """

    id: str
    fields: Record
    gold: Value
    where: str = "record"


@dataclass(frozen=True, slots=True)
class Rendered:
    """An example as the model sees it: prompt and target strings."""

    id: str
    task: str
    prompt: str
    target: str

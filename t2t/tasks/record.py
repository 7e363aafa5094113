"""One raw record, as a source gives it and as the fields of a template read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record of a data file.

    ``where`` is "FILE:LINE" for messages, ``id`` is unique in its source, ``data`` holds JSON values by field
    name (a field mapping may add ``structures.Span``).
    """

    where: str
    id: str
    data: dict[str, Any]

"""What pydantic finds, in words of the file: where it is and what it is, without names of classes or unions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from t2t.config.yaml_file import KeyPath

_LONGEST = 80  # characters of a value that are shown
_MAPPINGS = frozenset({"model_type", "model_attributes_type", "dict_type", "dataclass_type", "dataclass_exact_type"})
# pydantic names the same mistake in models and in dataclasses differently
_SAME = {
    "unexpected_keyword_argument": "extra_forbidden",
    "missing_argument": "missing",
    "missing_keyword_only_argument": "missing",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """The first thing to tell. ``kind`` and ``context`` are pydantic's; ``path`` ends in the key that is wrong."""

    kind: str
    path: KeyPath
    found: str
    given: Any
    context: dict[str, Any]

    @property
    def key(self) -> str:
        """The name to tell: the last key, with its list where that is a number."""
        if isinstance(self.path[-1], int) and len(self.path) > 1:
            return f"{self.path[-2]}[{self.path[-1]}]"
        return str(self.path[-1])


def first_mistake(error: ValidationError, data: Any) -> Mistake:
    """The mistake to tell of all that were found in ``data``."""
    errors = [_as_of_models(details) for details in error.errors(include_url=False)]
    found = [(_path(details, data), details) for details in errors]
    # A misspelt key is often a missing one too: the misspelling is what to tell.
    first, _ = min(found, key=lambda pair: pair[1]["type"] != "extra_forbidden")
    # Of the forms that a value may have, the one that it has most of is meant.
    path, details = max((pair for pair in found if pair[0][: len(first)] == first), key=lambda pair: len(pair[0]))
    wanted = [_wanted(other) for place, other in found if place == path and other["type"] != "extra_forbidden"]
    given = details["input"]
    return Mistake(details["type"], path, _message(given, wanted), given, dict(details.get("ctx") or {}))


def _as_of_models(details: ErrorDetails) -> ErrorDetails:
    details["type"] = _SAME.get(details["type"], details["type"])
    return details


def _message(given: Any, wanted: list[str]) -> str:
    shown = "null" if given is None else repr(given)
    plain = [want for want in dict.fromkeys(wanted) if not want.startswith("!")]
    return f"{shown[:_LONGEST]} is not {' or '.join(plain)}" if plain else "".join(wanted[:1]).removeprefix("!")


def _path(details: ErrorDetails, data: Any) -> KeyPath:
    """The part of pydantic's path that is in the data, and a key that should; the rest names classes."""
    path: list[str | int] = []
    for part in details["loc"]:
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        named = next((key for key in data if str(key) == part), None) if isinstance(data, dict) else None
        if in_list or named is not None:
            data = data[part if named is None else named]
            path.append(part)
    if details["type"] == "missing" or not path:
        path.append(details["loc"][-1])
    return tuple(path)


def _wanted(details: ErrorDetails) -> str:
    """What should be there; after "!" a whole sentence instead."""
    if details["type"] in _MAPPINGS:
        return "a mapping"
    message = details["msg"]
    wanted = message.removeprefix("Input should be ")
    return wanted if wanted != message else f"!{message[0].lower()}{message[1:]}"

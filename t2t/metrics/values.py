"""How a metric looks into a value tree: by dotted paths, with spans read as their text."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from t2t.errors import TemplateError
from t2t.linear.parsed import Parsed
from t2t.structures import Span, Value
from t2t.text import scalar_text


class Missing(Enum):
    """What is at a path that could not be parsed: equal to no value, null among them."""

    MISSING = 0


MISSING: Final = Missing.MISSING
Key: TypeAlias = Hashable


def at(value: Value, path: str) -> Value | Missing:
    """What is at a dotted path (``""`` or ``@``: the value itself); below null there is null."""
    if path in ("", "@"):
        return value
    if isinstance(value, dict) and path in value:
        return value[path]
    for key in path.split("."):
        if value is None:
            return None
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def gold_at(value: Value, path: str, where: str) -> Value:
    """What is at a path of a gold value; TemplateError at ``where`` if the target has no such path."""
    found = at(value, path)
    if found is MISSING:
        keys = ", ".join(value) if isinstance(value, Mapping) else "no keys"
        raise TemplateError(where, f"the metric reads {path!r}, but the gold value has {keys}", "correct the path")
    return found


def parsed_at(parsed: Parsed, path: str) -> Value | Missing:
    """What was parsed at a path; MISSING where the text could not be read, also if null stands for that at the root."""
    if parsed.value is None and not parsed.ok:
        return MISSING
    return at(parsed.value, path)


def clean(parsed: Parsed, path: str) -> bool:
    """True if nothing was unparseable at the path, above it or below it."""
    return not any(issue.structural and _touch(issue.path, path) for issue in parsed.issues)


def _touch(first: str, second: str) -> bool:
    return not first or not second or f"{first}.".startswith(f"{second}.") or f"{second}.".startswith(f"{first}.")


@dataclass(frozen=True, slots=True)
class Look:
    """How a metric reads items: gold strictly, with the metric's place in ``gold``, an output as far as it goes."""

    gold: str | None = None

    def at(self, value: Value, path: str) -> Value | Missing:
        """What is at a path; TemplateError where a gold value has no such path."""
        if isinstance(value, dict) and path in value:
            return value[path]
        return at(value, path) if self.gold is None else gold_at(value, path, self.gold)

    def items(self, value: Value | Missing, over: str) -> list[Value]:
        """The items of the list at a path; nothing where none could be read, TemplateError if that is a gold value.

        The first name of the path of a list that is itself the root is that list's own name. Lists on the way are
        joined: ``events.args`` are the arguments of all events.
        """
        keys = over.split(".") if over else []
        found: list[Value | Missing] = [value]
        if isinstance(value, list):
            found, keys = [*value], keys[1:]
        elif self.gold is not None and value is not None and not isinstance(value, dict):
            raise TemplateError(self.gold, f"the metric reads a list, but the gold value is {value!r}", "use accuracy")
        for key in keys:
            below: list[Value | Missing] = []
            for item in found:
                if item is MISSING:
                    continue
                inner = self.at(item, key)
                if isinstance(inner, list):
                    below += inner
                else:
                    below.append(inner)
            found = below
        return [item for item in found if item is not None and item is not MISSING]


OUTPUT: Final = Look()


def plain(value: Value | Missing) -> Key:
    """A value in hashable form: spans as their text, single values as ``scalar_text`` has them: 1 equal to 1.0 and to
    "1", true to "true"."""
    if isinstance(value, str):
        return value
    if isinstance(value, Span):
        return value.text
    if isinstance(value, dict):
        keys = sorted(value)
        return ("dict", *keys, *map(plain, map(value.__getitem__, keys)))
    if isinstance(value, list):
        return ("list", *map(plain, value))
    return value if value is None or isinstance(value, Missing) else scalar_text(value)


def unordered(value: Value | Missing) -> Key:
    """The same with the items of every list sorted."""
    if isinstance(value, dict):
        keys = sorted(value)
        return ("dict", *keys, *map(unordered, map(value.__getitem__, keys)))
    if isinstance(value, list):
        return ("list", *sorted(map(unordered, value), key=repr))
    return plain(value)


def place(value: Value | Missing) -> Key:
    """A span as (start, end); as its text where it has no offsets."""
    if isinstance(value, Span) and value.start is not None:
        return (value.start, value.end)
    return plain(value)


Surface: TypeAlias = "Callable[[Value | Missing], Key]"  # plain, or place


def texts(references: Sequence[Value], path: str, where: str) -> list[str]:
    """The text at a path of each reference; null reads as the empty text."""
    return [text_of(gold_at(reference, path, where)) for reference in references]


def text_of(value: Value | Missing) -> str:
    """A leaf as text; what is null or could not be read is the empty text, a list its texts joined by a space."""
    if value is None or value is MISSING:
        return ""
    if isinstance(value, Span):
        return value.text
    if isinstance(value, list):
        return " ".join(text_of(item) for item in value)
    return str(value)

"""What parsing gives: a value and the list of everything that was not as it should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from t2t.structures import Json, Span, Value

# Issues that mean: the text, or a part of it, is not in the target language.
STRUCTURAL = frozenset(
    {
        "missing_mark",
        "extra_mark",
        "stray_text",
        "bad_escape",
        "unknown_label",
        "unknown_choice",
        "bad_number",
        "empty_value",
        "unreadable",
        "cut",
    }
)


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing found while parsing: ``kind``, the ``path`` in the tree and the text concerned."""

    kind: str
    path: str
    text: str

    @property
    def structural(self) -> bool:
        """True if the text was not in the language, so that something was dropped."""
        return self.kind in STRUCTURAL


@dataclass(frozen=True, slots=True)
class Parsed:
    """A value and what was found on the way. ``ok`` is False when any part of the text was unparseable.

    ``score`` is the mean log-probability (nats) of the text's tokens, where who generated it said so.
    """

    value: Value
    issues: tuple[Issue, ...] = ()
    score: float | None = None

    @property
    def ok(self) -> bool:
        return not any(issue.structural for issue in self.issues)


@dataclass(frozen=True, slots=True)
class TargetPart:
    """A part of an output that says one thing: the ``name`` of what it is, and where it stands (``end`` exclusive)."""

    name: str
    start: int
    end: int


def stripped(name: str, text: str, start: int) -> Iterator[TargetPart]:
    """``text``, which is at ``start``, without the white space around it, as a part; none where that is all."""
    body = text.strip()
    if body:
        first = start + len(text) - len(text.lstrip())
        yield TargetPart(name, first, first + len(body))


def to_json(value: Value) -> Json:
    """A value as JSON; a Span becomes {text, start, end, found}."""
    if isinstance(value, Span):
        return {"text": value.text, "start": value.start, "end": value.end, "found": value.found}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    return value


def from_json(data: Json) -> Value:
    """The value that ``to_json`` wrote."""
    if isinstance(data, dict) and set(data) == {"text", "start", "end", "found"}:
        return Span(**data)
    if isinstance(data, list):
        return [from_json(item) for item in data]
    if isinstance(data, dict):
        return {key: from_json(item) for key, item in data.items()}
    value: Value = data
    return value

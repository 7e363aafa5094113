"""The span_of node: a piece of a text of the record, with its offsets."""

from __future__ import annotations

from collections.abc import Mapping

from t2t.errors import TemplateError
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import Copy, Grammar, guarded
from t2t.linear.grounding import Occurrence, ground, number_for
from t2t.linear.node import INVALID, ChangeSpan, Invalid, Node, Place, one_of
from t2t.linear.node_kinds import NODES
from t2t.linear.scope import Scope, kind_of
from t2t.structures import Json, Span, Value
from t2t.text import fold

ONE_PIECE = "a span is one piece of its text, so that it can be copied and found again"


def _numbered(text: str) -> tuple[str, int | None]:
    """A surface and the number behind it; None if there is none."""
    surface, mark, digits = text.rpartition("#")
    digits = digits.lstrip()
    if mark and len(digits) <= 6 and digits.isascii() and digits.isdigit():
        return surface.rstrip(), int(digits)
    return text, None


@NODES.register("span_of")
class SpanOf(Node):
    """Text that is in a field; parsing gives its offsets there.

    With ``repeat: number`` the how-manieth occurrence is written behind the surface (`` #2``) where grounding
    would choose another one, so that offsets round-trip always.
    """

    keys = frozenset({"span_of", "repeat"})
    faithful = False  # it is looked up

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        super().__init__(spec, place, alphabet)
        if not isinstance(spec["span_of"], str):
            raise TemplateError(place.line("span_of"), "span_of names no field", "write span_of: FIELD")
        self.span_field = self.field = str(spec["span_of"])
        self.says_places = spec.get("repeat") is not None
        if self.says_places:
            one_of(spec["repeat"], ("number",), place, "repeat")
            alphabet.add_mark("#", -1, place.line("repeat"))

    def normal(self, raw: Json, scope: Scope) -> Value:
        if isinstance(raw, str):
            return Span(raw)
        if isinstance(raw, Span):
            return self._there(raw, scope)
        if isinstance(raw, list) or (isinstance(raw, dict) and isinstance(raw.get("text"), list)):
            raise self.data_error(scope, "is a mention in several pieces (discontinuous)", ONE_PIECE)
        if isinstance(raw, dict) and isinstance(raw.get("text"), str):
            return self._there(self._span(raw["text"], raw.get("start"), scope), scope)
        if isinstance(raw, dict):
            found = f"is a mapping with {', '.join(map(str, raw)) or 'nothing'}, which has no text"
            raise self.data_error(scope, found, "span_of wants a text, or a mapping with text and start")
        raise self.data_error(scope, f"is {kind_of(raw)}", "span_of wants a text, or a mapping with text and start")

    def _span(self, text: str, start: Json, scope: Scope) -> Span:
        if start is None:
            return Span(text)
        if not isinstance(start, int) or isinstance(start, bool) or start < 0:
            raise self.data_error(scope, f"has the start {start!r}", "give it a number of characters, from 0")
        return Span(text, start, start + len(text))

    def _there(self, span: Span, scope: Scope) -> Span:
        """The span, if it stands where it says that it does."""
        if span.start is None:
            return span
        if not span.text:
            raise self.data_error(scope, "is an empty text with a start", "leave the mention out, or its start")
        text = scope.source(self.field).text
        if not text.startswith(span.text, span.start):
            there = text[span.start : span.start + len(span.text)]
            if fold(there) == fold(span.text):
                return span  # written otherwise: in another case or width
            found = f"says that {span.text!r} stands at {span.start} of {self.field!r}, where {there!r} stands"
            raise self.data_error(scope, found, "correct the start, or drop wrong ones by the adapter span")
        return span

    def raw(self, raw: Json, scope: Scope) -> Value:
        span = self.normal(raw, scope)
        if not isinstance(span, Span):
            return span
        source = scope.source(self.field)
        if span.start is not None and span.end is not None:
            scope.cursor.take(Occurrence(span.start, span.end))
            return Span(source.text[span.start : span.end], span.start, span.end)
        found = ground(source, span.text, scope.cursor) if span.text else span
        return span if found.found in ("fuzzy", "absent") else found

    def write(self, value: Value, scope: Scope) -> str:
        span = value if isinstance(value, Span) and value.text else self.normal(value, scope)
        if not isinstance(span, Span):
            raise self.data_error(scope, f"is {kind_of(span)}", "give it a span")
        surface = self.alphabet.escaper.write(span.text)
        if not self.says_places:
            return surface
        number = number_for(scope.source(self.field), span, scope.cursor)
        return surface if number is None else f"{surface} #{number}"

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        text, number = _numbered(text) if self.says_places else (text, None)
        if not text:
            scope.report("empty_value", self.place.name, f"#{number}")
            return INVALID
        source, surface = scope.source(self.field), self.unescape(text, scope)
        span = ground(source, surface, scope.cursor, number)
        if span.found in ("fuzzy", "absent"):
            scope.report("not_in_source" if span.found == "absent" else "fuzzy", self.place.name, surface)
        if number is not None and not 1 <= number <= len(source.places(surface)[1]):
            scope.report("repeat_out_of_range", self.place.name, f"#{number}")
        return span

    def shape(self, scope: Scope) -> Grammar:
        source, escaped = scope.source(self.field).text, self.alphabet.escaper.escaped
        return guarded(Copy(source, escaped, self.says_places, self.counted))

    def could_be(self, folded: str) -> bool:
        return False  # the guard keeps reserved words apart

    def map_spans(self, value: Value, field: str, change: ChangeSpan) -> Value | Invalid:
        return change(value) if field == self.field and isinstance(value, Span) else value

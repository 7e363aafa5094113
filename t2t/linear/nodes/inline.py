"""The inline node: a field copied, with marks around its spans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from t2t.errors import TemplateError
from t2t.linear.alignment import align
from t2t.linear.alphabet import Alphabet
from t2t.linear.grounding import Cursor, ground
from t2t.linear.node import INVALID, Invalid, Place
from t2t.linear.node_kinds import NODES
from t2t.linear.nodes.record_node import Fields, ItemList
from t2t.linear.parsed import TargetPart, stripped
from t2t.linear.scope import Scope, kind_of
from t2t.structures import Json, Span, Value
from t2t.text import EMPTY


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a copy: its text without escapes, and what is said of it if it is a mention."""

    text: str
    record: dict[str, Value] | None = None


@NODES.register("inline")
class Inline(ItemList):
    """``inline: FIELD``: the text of FIELD with each span written out in its place, as ``as`` says.

    The value is a list of records from left to right, one field of which is ``{span_of: FIELD}``. White space outside
    the spans is written as one space, and stands around every mark; parsing aligns the copy to the field, so that
    nothing is lost by it, and a copy with errors still says where its mentions stand.
    """

    keys = frozenset({"inline", "as", "fields"})
    constrainable = False
    says_places = True

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        super().__init__(spec, place, alphabet)
        if not isinstance(spec["inline"], str):
            raise TemplateError(place.line("inline"), "inline names no field", "write inline: FIELD")
        self.field: str = spec["inline"]
        self.fields = Fields(spec, place, place.level, alphabet)
        self.span = self._span_name()
        self.opens, self.closes = self.fields.pattern.marks[0], self.fields.pattern.marks[-1]
        if not self.opens or not self.closes or self.opens == self.closes:
            found = "as: does not begin with one mark and end with another"
            raise TemplateError(place.line("as"), found, 'write e.g. "[ {text} = {type} ]"')

    def _span_name(self) -> str:
        spans = self.span_names
        node = self.fields.nodes[spans[0]] if len(spans) == 1 else None
        if node is None or node.span_field != self.field or node.says_places or node.absent is not None:
            todo = f"give it exactly one field {{span_of: {self.field}}}, without repeat: or absent:"
            raise TemplateError(self.place.line("fields"), "an inline node has no place for its spans", todo)
        return spans[0]

    def normal(self, raw: Json, scope: Scope) -> Value:
        if not isinstance(raw, list):
            raise self.data_error(scope, f"is {kind_of(raw)}", "inline wants a list")
        golds = [self.fields.gold(item, scope) for item in raw]
        golds.sort(key=lambda gold: self._place(gold, scope))
        end = 0
        for gold in golds:
            start, stop = self._place(gold, scope)
            if start < end:
                raise self.data_error(
                    scope, "has spans that overlap", "use each: for these, or leave the inner one out"
                )
            end = stop
        return list(golds)

    def _place(self, record: Mapping[str, Value], scope: Scope) -> tuple[int, int]:
        span = record.get(self.span)
        if not isinstance(span, Span) or span.start is None or not span.text.strip():
            raise self.data_error(scope, "has a span without a place or a text", "give it start, or use each:")
        if not scope.source(self.field).text.startswith(span.text, span.start):
            raise self.data_error(scope, f"says that {span.text!r} stands at {span.start}", "correct its start")
        return span.start, span.start + len(span.text)

    def write(self, value: Value, scope: Scope) -> str:
        if not isinstance(value, list):
            raise self.data_error(scope, f"is {kind_of(value)}", "an inline node wants a list")
        source = scope.source(self.field).text
        parts: list[str] = []
        end = 0
        for record in value:
            if not isinstance(record, dict):
                raise self.data_error(scope, f"holds {kind_of(record)}", "its items are mappings")
            start, stop = self._place(record, scope)
            parts += (self._copied(source[end:start]), self.fields.write(record, scope))
            end = stop
        parts.append(self._copied(source[end:]))
        return " ".join(part for part in parts if part) or EMPTY

    def _copied(self, text: str) -> str:
        words = " ".join(text.split())
        return self.alphabet.escaper.write(words) if words else ""

    def parts(self, text: str, start: int = 0) -> Iterator[TargetPart]:
        before, *mentions = text.split(self.opens)
        start += len(before)
        for mention in mentions:
            start += len(self.opens)
            yield from stripped(self.title, mention.partition(self.closes)[0], start)
            start += len(mention)

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        pieces = list(self._pieces(text, scope))
        source = scope.source(self.field)
        spans = align(source, [piece.text for piece in pieces])
        cursor = Cursor(reuse=False)
        items: list[Value] = []
        for piece, span in zip(pieces, spans, strict=True):
            if piece.record is None:
                continue
            found = span or ground(source, piece.text, cursor)
            if found.found in ("fuzzy", "absent"):
                scope.report("not_in_source" if found.found == "absent" else "fuzzy", self.place.name, piece.text)
            if len(piece.record) == len(self.fields.nodes):
                items.append({**piece.record, self.span: found})
        return items

    def _pieces(self, text: str, scope: Scope) -> Iterator[_Piece]:
        """The copy in parts, mentions and what is between them in turn."""
        before, *parts = text.split(self.opens)
        yield self._between(before, scope)
        for part in parts:
            inner, closed, after = part.partition(self.closes)
            yield self._mention(inner, bool(closed), scope)
            yield self._between(after, scope)

    def _between(self, text: str, scope: Scope) -> _Piece:
        if self.closes in text:
            scope.report("extra_mark", self.place.name, text)
            text = text.replace(self.closes, " ")
        return _Piece(self.unescape(text.strip(), scope))

    def _mention(self, inner: str, closed: bool, scope: Scope) -> _Piece:
        chunks, wrong = self.fields.pattern.split(f"{self.opens}{inner}{self.closes}")
        if wrong or not closed:
            scope.report(wrong or "missing_mark", self.place.name, inner)
            first, *_ = inner.split(self.fields.pattern.marks[1]) if len(self.fields.nodes) > 1 else [inner]
            return _Piece(self.unescape(first.strip(), scope))
        record: dict[str, Value] = {}
        surface = ""
        for (name, node), chunk in zip(self.fields.nodes.items(), chunks, strict=True):
            if name == self.span:
                surface = self.unescape(chunk, scope)
                record[name] = None
            elif (value := node.parse(chunk, scope)) is not INVALID:
                record[name] = value
        if not surface.strip():
            scope.report("empty_value", self.place.name, inner)
            return _Piece("")
        return _Piece(surface, {name: record[name] for name in self.fields.nodes if name in record})

    def could_be(self, folded: str) -> bool:
        return False  # the guard keeps reserved words apart

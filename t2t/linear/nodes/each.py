"""The each node: a list of records, or of plain items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from t2t.errors import TemplateError, UnreachableGold
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import Grammar, Literal, OneOf, Repeat
from t2t.linear.grounding import Cursor
from t2t.linear.node import INVALID, Invalid, Place, mark_between, one_of
from t2t.linear.node_kinds import NODES
from t2t.linear.nodes.record_node import Fields, ItemList
from t2t.linear.parsed import TargetPart, stripped
from t2t.linear.scope import Scope, kind_of
from t2t.structures import Json, Span, Value
from t2t.text import fold, folds_to


@NODES.register("each")
class Each(ItemList):
    """A list of records, or of plain items if the only field reads ``@``.

    ``reuse: true`` lets two items stand on one place of the source (relation and event arguments); without it a list
    of mentions holds each place once. ``order: source`` sorts gold items by where their first span stands.
    """

    keys = frozenset({"each", "as", "fields", "between", "empty", "reuse", "order"})
    ordered = True

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        if not isinstance(spec["each"], str):
            raise TemplateError(place.line("each"), "each names no field", "write each: FIELD")
        super().__init__({"gold": spec["each"], **spec}, place, alphabet)
        self.between = alphabet.add_mark(mark_between(spec, place), place.level, place.line("between"))
        self.empty = self._word({"empty": spec.get("empty", "none")}, "empty") or "none"
        self._empty_folded = fold(self.empty)
        self.reuse = one_of(spec.get("reuse", False), ("true", "false"), place, "reuse") == "true"
        self.sorted = one_of(spec.get("order", "given"), ("source", "given"), place, "order") == "source"
        self.faithful = not self.sorted
        self.fields = Fields(spec, place, place.level + 1, alphabet)
        self.says_places = any(self.fields.nodes[name].says_places for name in self.span_names)
        self.plain = self._plain_field()
        self.once = self._mention_field()
        # The grammar knows of the items' own mentions alone, so it counts them where no other mention is below.
        self.counts = self.once is not None and sum(node.span_field is not None for node in self.tree()) == 1
        if self.once is not None:
            self.fields.nodes[self.once].counted = self.counts

    def _plain_field(self) -> str | None:
        """The name of the only field if items are plain, else None."""
        (name, node), *others = self.fields.nodes.items()
        return name if not others and node.expression.text == "@" and not node.beside else None

    def _mention_field(self) -> str | None:
        """Where items are mentions, with one span each, and none may stand on the place of another: its name."""
        return self.span_names[0] if len(self.span_names) == 1 and not self.reuse else None

    def normal(self, raw: Json, scope: Scope) -> Value:
        if not isinstance(raw, list):
            raise self.data_error(scope, f"is {kind_of(raw)}", "each wants a list")
        golds = [self.fields.gold(item, scope) for item in raw]
        if self.sorted:
            golds.sort(key=_first_start)
        if self.once is not None:
            golds = _once(golds, self.once)
        return [gold[self.plain] for gold in golds] if self.plain else list(golds)

    def raw(self, raw: Json, scope: Scope) -> Value:
        if not isinstance(raw, list):
            return self.normal(raw, scope)
        outer, scope.cursor = scope.cursor, Cursor(self.reuse)
        golds = [self.fields.reference(item, scope) for item in raw]
        scope.cursor = outer
        return [gold[self.plain] for gold in golds] if self.plain else list(golds)

    def write(self, value: Value, scope: Scope) -> str:
        if not isinstance(value, list):
            raise self.data_error(scope, f"is {kind_of(value)}", "an each node wants a list")
        if not value:
            return self.empty
        outer, scope.cursor = scope.cursor, Cursor(self.reuse)
        items = self._written(value, scope)
        scope.cursor = outer
        return f" {self.between} ".join(items)

    def _written(self, items: list[Value], scope: Scope) -> list[str]:
        """The items in a line each; those that cannot be said are left out, unless all are."""
        written: list[str] = []
        unsaid: UnreachableGold | None = None
        for item in items:
            try:
                written.append(self.fields.write(self._as_record(item, scope), scope))
            except UnreachableGold as error:
                unsaid = error
        if unsaid is not None and not written:
            raise unsaid
        return written

    def _as_record(self, item: Value, scope: Scope) -> Mapping[str, Value]:
        if self.plain:
            return {self.plain: item}
        if not isinstance(item, dict):
            raise self.data_error(scope, f"holds {kind_of(item)}", "its items are mappings")
        return item

    def parts(self, text: str, start: int = 0) -> Iterator[TargetPart]:
        for chunk in text.split(self.between):
            yield from stripped(self.title, chunk, start)
            start += len(chunk) + len(self.between)

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        if folds_to(text, self._empty_folded):
            return []
        outer, scope.cursor = scope.cursor, Cursor(self.reuse)
        items: list[Value] = []
        taken: set[Value] = set()
        for chunk in text.split(self.between):
            item = self._read_item(chunk.strip(), scope)
            if item is not INVALID and not self._stood_before(item, taken, scope):
                items.append(item)
        scope.cursor = outer
        return items

    def _stood_before(self, item: Value, taken: set[Value], scope: Scope) -> bool:
        """True, with an issue, for a mention for which its text has no place left."""
        if self.once is None:
            return False
        span = item.get(self.once) if isinstance(item, dict) else item
        if not isinstance(span, Span) or span.start is None:
            return False
        if span in taken:
            scope.report("duplicate", self.place.name, span.text)
            return True
        taken.add(span)
        return False

    def _read_item(self, chunk: str, scope: Scope) -> Value | Invalid:
        if not chunk:
            scope.report("empty_value", self.place.name, chunk)
            return INVALID
        record = self.fields.read(chunk, self.place.name, scope)
        if record is INVALID or not isinstance(record, dict) or len(record) < len(self.fields.nodes):
            return INVALID
        return record[self.plain] if self.plain else record

    def shape(self, scope: Scope) -> Grammar:
        items = Repeat(self.fields.grammar(scope), f" {self.between} ", once=self.counts)
        return OneOf((Literal(self.empty), items))

    def could_be(self, folded: str) -> bool:
        return folded == self._empty_folded or self.fields.could_be(folded)

    def check(self) -> None:
        super().check()
        self.alphabet.check_word(self.empty, "empty", self.place.line("empty"))
        if self.fields.could_be(self._empty_folded):
            found = f"empty: {self.empty!r} is also a possible item"
            raise TemplateError(self.place.line("empty"), found, "choose another word")

    def fixed_words(self) -> Iterator[tuple[str, str, str]]:
        yield from super().fixed_words()
        yield "word", self.empty, "empty"


def _once(golds: list[dict[str, Value]], name: str) -> list[dict[str, Value]]:
    """Without the items whose span ``name`` stands where that of an earlier one does."""
    taken: set[Value] = set()
    kept = []
    for gold in golds:
        span = gold[name]
        if isinstance(span, Span) and span.start is not None:
            if span in taken:
                continue
            taken.add(span)
        kept.append(gold)
    return kept


def _first_start(gold: Mapping[str, Value]) -> int:
    starts = (value.start for value in gold.values() if isinstance(value, Span))
    return next((start for start in starts if start is not None), 0)

"""The leaves of a target tree: text, label, labels, choice, number, span_of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from string import ascii_uppercase

from t2t.errors import TemplateError, UnreachableGold
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import (
    NOTHING,
    Copy,
    Grammar,
    Literal,
    OneOf,
    Repeat,
    Sequence,
    Subset,
    any_of,
    free_text,
    guarded,
    maybe,
)
from t2t.linear.grounding import Place as Occurrence
from t2t.linear.grounding import ground, number_for
from t2t.linear.node import INVALID, Invalid, Node, Place, mark_between, one_of
from t2t.linear.scope import Expression, Scope, kind_of
from t2t.registry import did_you_mean
from t2t.structures import Json, Span, Value
from t2t.text import fold, nfkc, scalar_text

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_DIGITS = 28  # the precision of decimal: what can be rounded


class Text(Node):
    """Free text."""

    keys = frozenset({"text"})

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet, key: str = "text") -> None:
        own = spec[key]
        if own is not None and not isinstance(own, str):
            todo = f'write {key}: FIELD, {key}: "@" or {key}:'
            raise TemplateError(place.line(key), f"{key} is {kind_of(own)}", todo)
        super().__init__(spec if own is None or "gold" in spec else {**spec, "gold": own}, place, alphabet)

    def normal(self, raw: Json, scope: Scope) -> Value:
        if not isinstance(raw, str):
            raise self.data_error(scope, f"is {kind_of(raw)}", "the node wants a text")
        return raw

    def write(self, value: Value, scope: Scope) -> str:
        return self.alphabet.escaper.write(value if isinstance(value, str) else str(self.normal(value, scope)))

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        return self.unescape(text, scope)

    def shape(self, scope: Scope) -> Grammar:
        return free_text(self.alphabet.escaper.escaped)

    def could_be(self, folded: str) -> bool:
        return False  # the guard keeps reserved words apart


class SeenLabels(dict[Json, str]):
    """The labels that training saw, and their words: others may stand in the gold, and cannot be said."""


class ClosedSet:
    """A bijection between label values and words, with a folded way back.

    Words that differ in case alone are told apart, and then only exact ones are read. Values are equal as
    ``scalar_text`` has it: "1", 1 and 1.0 are one label, and so are true and "true". ``open``: the gold may hold labels
    that are not in it.
    """

    def __init__(self, spec: Json, place: Place, key: str) -> None:
        pairs = _pairs(spec, place, key)
        alike: dict[str, Json] = {}
        self._by_case: set[str] = set()  # folded words of labels that differ in case alone: only exact ones are read
        self.open = isinstance(spec, SeenLabels)
        self.by_text: dict[str, Json] = {}
        self.words: dict[Json, str] = {}
        self.values: dict[str, Json] = {}
        self.folded: dict[str, Json] = {}
        for value, words in pairs:
            line = place.line(key, value) if isinstance(spec, Mapping) else place.line(key)
            same = " ".join(nfkc(words).split())
            if same in alike:
                found = f"labels {value!r} and {alike[same]!r} have the same words {words!r}"
                raise TemplateError(line, f"{found} after Unicode folding", "give each label words of its own")
            alike[same] = value
            if fold(words) in self.folded:
                self._by_case.add(fold(words))
            if scalar_text(value) in self.by_text:
                found = f"labels {value!r} and {self.by_text[scalar_text(value)]!r} are one"
                raise TemplateError(line, found, "keep one of them")
            self.words[value], self.values[words], self.folded[fold(words)] = words, value, value
            self.by_text[scalar_text(value)] = value

    def value(self, raw: Json) -> Json | Invalid:
        """The label that a raw gold is; INVALID if it is none."""
        if isinstance(raw, str | int | float):
            return self.by_text.get(scalar_text(raw), INVALID)
        return INVALID

    def find(self, words: str) -> Json | Invalid:
        """The value of these words, exactly or folded."""
        try:
            return self.values[words]
        except KeyError:
            folded = fold(words)
            return INVALID if folded in self._by_case else self.folded.get(folded, INVALID)


def _pairs(spec: Json, place: Place, key: str) -> list[tuple[Json, str]]:
    todo = "write a list of words, or a mapping from each label to its words (in quotes)"
    if isinstance(spec, Mapping):
        pairs = list(spec.items())
    elif isinstance(spec, list):
        pairs = [(word, word) for word in spec]
    else:
        raise TemplateError(place.line(key), f"{key} is {kind_of(spec)}", todo)
    if not pairs:
        raise TemplateError(place.line(key), f"{key} is empty", todo)
    for value, words in pairs:
        if not isinstance(words, str) or not words.strip() or not isinstance(value, str | int | bool):
            raise TemplateError(place.line(key), f"{key}: {value!r} has the words {words!r}", todo)
    return pairs


class Label(Node):
    """One of a closed set."""

    keys = frozenset({"label"})

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        super().__init__(spec, place, alphabet)
        self.key = "label"
        self.set = ClosedSet(spec["label"], place, "label")

    def normal(self, raw: Json, scope: Scope) -> Value:
        value: Value | Invalid = self.set.value(raw)
        if value is not INVALID:
            return value
        if self.set.open and isinstance(raw, str | int | float):
            unseen: Value = raw
            return unseen
        hint = did_you_mean(str(raw), map(str, self.set.words))
        raise self.data_error(scope, f"is {raw!r}, which is no label of the closed set", hint)

    def write(self, value: Value, scope: Scope) -> str:
        try:
            return self.set.words[value]
        except (KeyError, TypeError):
            known = self.set.value(self.normal(value, scope))
        if known is INVALID:
            raise self._unreachable(value, scope)
        return self.set.words[known]

    def _unreachable(self, value: Value, scope: Scope) -> UnreachableGold:
        name = self.place.name or self.expression.text
        found = f"gold of {name!r} is {value!r}, which no training record has"
        return UnreachableGold(scope.where, found, "it counts as missed; add training records with it")

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        value: Value | Invalid = self.set.find(text)
        if value is INVALID:
            scope.report("unknown_label", self.place.name, text)
        return value

    def shape(self, scope: Scope) -> Grammar:
        return any_of(self.set.values)

    def could_be(self, folded: str) -> bool:
        return folded in self.set.folded

    def check(self) -> None:
        super().check()
        for words in self.set.values:
            self.alphabet.check_word(words, "label", self.place.line(self.key))

    def words(self) -> list[str]:
        return list(self.set.values)


class Labels(Label):
    """A subset of a closed set, in declared order."""

    keys = frozenset({"labels", "between", "empty"})

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        Node.__init__(self, spec, place, alphabet)
        self.key = "labels"
        self.set = ClosedSet(spec["labels"], place, "labels")
        self.between = alphabet.add_mark(mark_between(spec, place), place.level, place.line("between"))
        self.empty = self._word({"empty": spec.get("empty", "none")}, "empty") or "none"
        self._order = {value: index for index, value in enumerate(self.set.words)}

    def normal(self, raw: Json, scope: Scope) -> Value:
        if not isinstance(raw, list):
            raise self.data_error(scope, f"is {kind_of(raw)}", "labels wants a list")
        values = {Label.normal(self, item, scope) for item in raw}
        return sorted(values, key=lambda value: self._order.get(value, len(self._order)))

    def write(self, value: Value, scope: Scope) -> str:
        values = self.normal(value, scope)
        if not values or not isinstance(values, list):
            return self.empty
        sayable = [self.set.words[item] for item in values if item in self.set.words]
        if not sayable:
            raise self._unreachable(values[0], scope)
        return f" {self.between} ".join(sayable)

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        if fold(text) == fold(self.empty):
            return []
        found: set[Value] = set()
        for chunk in text.split(self.between):
            value = Label.read(self, chunk.strip(), scope) if chunk.strip() else INVALID
            if not chunk.strip():
                scope.report("empty_value", self.place.name, text)
            if value is not INVALID:
                if value in found:
                    scope.report("duplicate", self.place.name, chunk.strip())
                found.add(value)
        return sorted(found, key=lambda value: self._order[value])

    def shape(self, scope: Scope) -> Grammar:
        return OneOf((Literal(self.empty), Subset(tuple(self.set.values), f" {self.between} ")))

    def could_be(self, folded: str) -> bool:
        return folded == fold(self.empty) or super().could_be(folded)

    def check(self) -> None:
        super().check()
        self.alphabet.check_word(self.empty, "empty", self.place.line("empty"))
        if fold(self.empty) in self.set.folded:
            raise TemplateError(
                self.place.line("empty"), f"empty: {self.empty!r} is also a label", "choose another word"
            )


class Choice(Node):
    """One of the record's own options; the value is the option's text, so two options with one text are one answer."""

    keys = frozenset({"choice", "by", "gold_is"})

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        super().__init__(spec, place, alphabet)
        self.by = one_of(spec.get("by", "letter"), ("letter", "text"), place, "by")
        self.gold_is = one_of(spec.get("gold_is", "text"), ("index", "letter", "text"), place, "gold_is")
        if not isinstance(spec["choice"], str):
            raise TemplateError(place.line("choice"), "choice names no field", "write choice: FIELD_WITH_THE_OPTIONS")
        self.options_expression = Expression(spec["choice"], place.line("choice"))

    def options(self, scope: Scope) -> list[str]:
        """The option texts of the record."""
        options = self.options_expression.read(scope.fields, scope.where)
        if not isinstance(options, list) or not options or not all(isinstance(option, str) for option in options):
            raise self.data_error(scope, f"has options that are {kind_of(options)}", "options are a list of texts")
        if self.by == "letter" and len(options) > len(ascii_uppercase):
            raise self.data_error(scope, f"has {len(options)} options", "letters reach to 26; use by: text")
        if self.by == "text" and len({fold(option) for option in options}) < len(set(options)):
            found = "has two options that differ only in case or compatibility forms"
            raise self.data_error(scope, found, "make the options differ, or use by: letter")
        return options

    def normal(self, raw: Json, scope: Scope) -> Value:
        options = self.options(scope)
        keys: dict[str, list[Json]] = {
            "index": list(range(len(options))),
            "letter": list(ascii_uppercase[: len(options)]),
            "text": options,
        }
        known: list[Json] = keys[self.gold_is]
        if isinstance(raw, bool) or raw not in known:
            raise self.data_error(scope, f"is {raw!r}, which is none of {known}", f"gold_is: {self.gold_is} wants one")
        return options[known.index(raw)]

    def write(self, value: Value, scope: Scope) -> str:
        options = self.options(scope)
        if value not in options:
            raise self.data_error(scope, f"is {value!r}, which is none of the options", "give one of the options")
        if self.by == "letter":
            return ascii_uppercase[options.index(str(value))]
        return self.alphabet.escaper.write(str(value))

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        options = self.options(scope)
        if self.by == "letter":
            index = ascii_uppercase.find(text.upper()) if len(text) == 1 else -1
            if 0 <= index < len(options):
                return options[index]
        else:
            wanted = self.unescape(text, scope)
            for option in options:
                if option == wanted:
                    return option
            for option in options:
                if fold(option) == fold(wanted):
                    return option
        scope.report("unknown_choice", self.place.name, text)
        return INVALID

    def shape(self, scope: Scope) -> Grammar:
        return any_of(self.write(option, scope) for option in self.options(scope))

    def could_be(self, folded: str) -> bool:
        return self.by == "letter" and len(folded) == 1 and folded.upper() in ascii_uppercase


class Number(Node):
    """A number with declared rounding: ``number: DECIMALS``, half to even on the decimal form."""

    keys = frozenset({"number"})

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        super().__init__(spec, place, alphabet)
        decimals = spec["number"]
        if not isinstance(decimals, int) or isinstance(decimals, bool) or not 0 <= decimals <= 12:
            raise TemplateError(place.line("number"), f"number: {decimals!r}", "give the decimals, 0 to 12")
        self.decimals = decimals

    def _rounded(self, number: str) -> Decimal:
        return Decimal(number).quantize(Decimal(1).scaleb(-self.decimals))

    def _value(self, rounded: Decimal) -> int | float:
        return int(rounded) if self.decimals == 0 else float(rounded) + 0.0  # + 0.0: no negative zero

    def normal(self, raw: Json, scope: Scope) -> Value:
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            raise self.data_error(scope, f"is {kind_of(raw)}", "a number node wants a number")
        whole = _DIGITS - self.decimals
        if not abs(raw) < 10**whole:  # nan and the infinities are not below anything
            shown = "a larger whole number" if isinstance(raw, int) else repr(raw)
            raise self.data_error(scope, f"is {shown}", f"give a number with at most {whole} digits before the point")
        return self._value(self._rounded(repr(raw)))

    def raw(self, raw: Json, scope: Scope) -> Value:
        self.normal(raw, scope)
        number: Value = raw
        return number

    def write(self, value: Value, scope: Scope) -> str:
        number = self.normal(value, scope)
        return self.alphabet.escaper.write(format(self._rounded(repr(number)), "f"))

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        plain = self.unescape(text, scope)
        if _NUMBER.fullmatch(plain):
            try:
                return self._value(self._rounded(plain))
            except InvalidOperation:
                pass
        scope.report("bad_number", self.place.name, text)
        return INVALID

    def shape(self, scope: Scope) -> Grammar:
        escaper = self.alphabet.escaper
        whole = [any_of("0"), Sequence((any_of("123456789"), _digits(0, _DIGITS - self.decimals - 1)))]
        fraction = Sequence((Literal("."), _digits(self.decimals, self.decimals))) if self.decimals else NOTHING
        number = Sequence((maybe(Literal(escaper.write("-"))), OneOf(tuple(whole)), fraction))
        reserved = any(_NUMBER.fullmatch(word) for word in escaper.reserved)
        return guarded(number) if reserved else number

    def could_be(self, folded: str) -> bool:
        return _NUMBER.fullmatch(folded) is not None


def _digits(least: int, most: int) -> Grammar:
    digits = any_of("0123456789")
    return Sequence((*[digits] * least, maybe(Repeat(digits, most=most - least)) if most > least else NOTHING))


def _numbered(text: str) -> tuple[str, int | None]:
    """A surface and the number behind it; None if there is none."""
    surface, mark, digits = text.rpartition("#")
    digits = digits.lstrip()
    if mark and len(digits) <= 6 and digits.isascii() and digits.isdigit():
        return surface.rstrip(), int(digits)
    return text, None


ONE_PIECE = "a span is one piece of its text, so that it can be copied and found again"


class SpanOf(Node):
    """Text that stands in a field; parsing gives its offsets there.

    With ``repeat: number`` the how-manieth occurrence is written behind the surface (`` #2``) where grounding
    would choose another one, so that offsets round-trip always.
    """

    keys = frozenset({"span_of", "repeat"})

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        super().__init__(spec, place, alphabet)
        if not isinstance(spec["span_of"], str):
            raise TemplateError(place.line("span_of"), "span_of names no field", "write span_of: FIELD")
        self.field: str = spec["span_of"]
        self.counted = False  # True, set by the list, where no two of its items may stand on one place
        self.numbered = spec.get("repeat") is not None
        if self.numbered:
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
        if not self.numbered:
            return surface
        number = number_for(scope.source(self.field), span, scope.cursor)
        return surface if number is None else f"{surface} #{number}"

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        text, number = _numbered(text) if self.numbered else (text, None)
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
        return guarded(Copy(source, escaped, self.numbered, self.counted))

    def could_be(self, folded: str) -> bool:
        return False  # the guard keeps reserved words apart

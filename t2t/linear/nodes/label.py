"""The nodes of closed sets: label and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from t2t.errors import TemplateError, UnreachableGold
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import Grammar, Literal, OneOf, Subset, any_of
from t2t.linear.node import INVALID, Invalid, Node, Place, mark_between
from t2t.linear.node_kinds import NODES
from t2t.linear.parsed import TargetPart, stripped
from t2t.linear.scope import Scope, kind_of
from t2t.registry import did_you_mean
from t2t.structures import Json, Value
from t2t.text import fold, nfkc, scalar_text


class SeenLabels(dict[Json, str]):
    """The labels that training saw, and their words: others may be in the gold, and cannot be said."""


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


@NODES.register("label")
class Label(Node):
    """One of a closed set."""

    keys = frozenset({"label"})
    closed = closed_set = True
    key = "label"

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        super().__init__(spec, place, alphabet)
        self.set = ClosedSet(spec[self.key], place, self.key)

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

    def closed_texts(self, scope: Scope) -> tuple[str, ...]:
        return self.with_absent(self.set.values)

    def could_be(self, folded: str) -> bool:
        return folded in self.set.folded

    def check(self) -> None:
        super().check()
        for words in self.set.values:
            self.alphabet.check_word(words, "label", self.place.line(self.key))

    def labels(self) -> Mapping[Json, str]:
        return self.set.words

    def said(self, value: Value, scope: Scope) -> Iterator[str]:
        yield self.set.words[value]

    def fixed_words(self) -> Iterator[tuple[str, str, str]]:
        yield from (("label", words, self.key) for words in self.set.values)
        yield from super().fixed_words()


@NODES.register("labels")
class Labels(Label):
    """A subset of a closed set, in declared order."""

    keys = frozenset({"labels", "between", "empty"})
    key = "labels"
    many = True
    closed_set = False  # subsets are many

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        super().__init__(spec, place, alphabet)
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

    def parts(self, text: str, start: int = 0) -> Iterator[TargetPart]:
        for chunk in text.split(self.between):
            yield from stripped(self.title, chunk, start)
            start += len(chunk) + len(self.between)

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

    def closed_texts(self, scope: Scope) -> tuple[str, ...]:
        return ()

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

    def said(self, value: Value, scope: Scope) -> Iterator[str]:
        for item in value if isinstance(value, list) else ():
            yield self.set.words[item]

    def fixed_words(self) -> Iterator[tuple[str, str, str]]:
        yield from super().fixed_words()
        yield "word", self.empty, "empty"

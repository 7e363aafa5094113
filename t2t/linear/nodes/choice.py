"""The choice node: one of the options that the record itself has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import ascii_uppercase

from t2t.errors import TemplateError
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import Grammar, any_of
from t2t.linear.node import INVALID, Invalid, Node, Place, one_of
from t2t.linear.node_kinds import NODES
from t2t.linear.scope import Expression, Scope, kind_of
from t2t.structures import Json, Value
from t2t.text import fold


@NODES.register("choice")
class Choice(Node):
    """One of the record's own options; the value is the option's text, so two options with one text are one answer."""

    keys = frozenset({"choice", "by", "gold_is"})
    closed_set = True

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

    def closed_texts(self, scope: Scope) -> tuple[str, ...]:
        return self.with_absent(dict.fromkeys(self.write(option, scope) for option in self.options(scope)))

    def could_be(self, folded: str) -> bool:
        return self.by == "letter" and len(folded) == 1 and folded.upper() in ascii_uppercase

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.options_expression.root,)

    def said(self, value: Value, scope: Scope) -> Iterator[str]:
        if self.by == "letter":
            yield self.write(value, scope)

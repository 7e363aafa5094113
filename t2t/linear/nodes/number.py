"""The number node: a number with declared rounding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from t2t.errors import TemplateError
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import NOTHING, Grammar, Literal, OneOf, Repeat, Sequence, any_of, guarded, maybe
from t2t.linear.node import INVALID, Invalid, Node, Place
from t2t.linear.node_kinds import NODES
from t2t.linear.scope import Scope, kind_of
from t2t.structures import Json, Value

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_DIGITS = 28  # the precision of decimal: what can be rounded


@NODES.register("number")
class Number(Node):
    """A number with declared rounding: ``number: DECIMALS``, half to even on the decimal form."""

    keys = frozenset({"number"})
    faithful = False  # it is rounded

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

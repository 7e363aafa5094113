"""A grammar as a network of states joined by spelled bytes (Thompson 1968), of the size of the grammar."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from t2t.generation.spelling import UNKNOWN, Bytes, Spelling
from t2t.linear.grammar import (
    NUMBER_MARK,
    Copy,
    FreeText,
    Grammar,
    Literal,
    OneOf,
    Repeat,
    Sequence,
    Subset,
    any_of,
)
from t2t.linear.grounding import MOST_PLACES
from t2t.text import CODES, ESCAPE, written_forms

FAR = 1 << 30
_HEX = "0123456789abcdef"


def _codes() -> Grammar:
    """What may follow the escape character inside free text."""
    digit = any_of(_HEX)
    not_surrogate = OneOf(
        (Sequence((any_of(_HEX.replace("d", "")), digit)), Sequence((Literal("d"), any_of(_HEX[:8]))))
    )
    basic = Sequence((Literal("u"), not_surrogate, digit, digit))
    plane = OneOf((Sequence((Literal("0"), any_of(_HEX[1:]))), Literal("10")))
    return OneOf((any_of(CODES.values()), basic, Sequence((Literal("U"), plane, *[digit] * 4))))


_CODES = _codes()


class Network:
    """``edges[state]``: the states that follow, by byte. ``free[state]``: those that follow without one.

    ``places[state]``: the copy that could end in this state, where its number of places says which numbers may follow.
    ``distance[state]``: the fewest bytes to ``end``, FAR where there is no way.
    """

    def __init__(self, grammar: Grammar, spelling: Spelling) -> None:
        self.edges: list[dict[int, list[int]]] = []
        self.free: list[list[int]] = []
        self.places: dict[int, int] = {}
        self._spelling = spelling
        self._after_copy: list[int] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self.start = self._state()
        self.end = self._build(grammar, self._spelled(spelling.start, self.start))
        self.distance: list[int] = []
        self._measure()

    def _state(self) -> int:
        self.edges.append({})
        self.free.append([])
        return len(self.edges) - 1

    def _edge(self, source: int, byte: int, target: int) -> None:
        self.edges[source].setdefault(byte, []).append(target)

    def _spelled(self, string: bytes, at: int, end: int | None = None) -> int:
        """A chain of ``string`` from ``at``, to ``end`` if one is given."""
        for index, byte in enumerate(string):
            following = end if end is not None and index == len(string) - 1 else self._state()
            self._edge(at, byte, following)
            at = following
        if end is not None and not string:
            self.free[at].append(end)
        return at if end is None else end

    def _literal(self, text: str, at: int) -> int:
        return self._spelled(self._spelling.of(text), at) if text else at

    def _build(self, grammar: Grammar, at: int) -> int:
        """States for ``grammar`` from ``at``; gives the state where it ends."""
        match grammar:
            case Literal(text):
                return self._literal(text, at)
            case Sequence(parts):
                for part in parts:
                    at = self._build(part, at)
                return at
            case OneOf(options):
                end = self._state()
                for option in options:
                    self.free[self._build(option, at)].append(end)
                return end
            case Repeat():
                return self._repeat(grammar, at)
            case Subset():
                return self._subset(grammar, at)
            case FreeText(escaped):
                return self._free_text(escaped, at)
            case Copy():
                return self._copy(grammar, at)

    def _repeat(self, grammar: Repeat, at: int) -> int:
        end = self._state()
        if grammar.most is None:
            again = self._state()
            self.free[at].append(again)
            last = self._build(grammar.item, again)
            self.free[last].append(end)
            self.free[self._literal(grammar.between, last)].append(again)
            return end
        for number in range(grammar.most):
            at = self._build(grammar.item, self._literal(grammar.between, at) if number else at)
            self.free[at].append(end)
        return end

    def _subset(self, grammar: Subset, at: int) -> int:
        end = self._state()
        for word in grammar.words:
            last, following = self._literal(word, at), self._state()
            self.free[last].append(end)
            self.free[at].append(following)
            self.free[self._literal(grammar.between, last)].append(following)
            at = following
        return end

    def _free_text(self, escaped: frozenset[str], at: int) -> int:
        chunk, end = self._state(), self._state()
        self.free[at].append(chunk)
        self._strings(self._spelling.raw(escaped), chunk, end, {})
        self.free[self._build(_CODES, self._literal(ESCAPE, chunk))].append(end)
        self.free[end].append(chunk)
        self._spelled(self._spelling.of(" "), end, chunk)
        return end

    def _strings(self, strings: Bytes, at: int, end: int, known: dict[int, int]) -> None:
        known[id(strings)] = at
        for byte, rest in strings.items():
            if rest is None:
                self._edge(at, byte, end)
                continue
            if id(rest) not in known:
                self._strings(rest, self._state(), end, known)
            self._edge(at, byte, known[id(rest)])

    def _copy(self, grammar: Copy, at: int) -> int:
        """One state before each unit of the source, and one more where a raw space must be followed by more."""
        spelling, end = self._spelling, self._state()
        units = spelling.units(grammar.source)
        before = [self._state() for _ in range(len(units) + 1)]
        for index, unit in enumerate(units):
            here, following = before[index], before[index + 1]
            forms = self._forms(unit, grammar.escaped)
            coded = forms[1:] if unit == " " else forms
            for form in filter(None, coded):
                self._spelled(form, here, following)
                self._edge(at, form[0], self.edges[here][form[0]][-1])
            if b"" in coded:
                self.free[here].append(following)
            if unit == " " and units[index - 1 : index] not in ([" "], []):
                self._raw_space(forms[0], here, units, index, grammar, before)
            if index and coded == [UNKNOWN] == self._forms(units[index - 1], grammar.escaped):
                self.free[here].append(following)
        for state in before[1:]:
            self.free[state].append(end)
            if grammar.numbered:
                self.places[state] = len(self._after_copy)
        self._after_copy.append(end)
        return end

    def _raw_space(
        self, form: bytes, here: int, units: list[str], index: int, grammar: Copy, before: list[int]
    ) -> None:
        if index + 1 == len(units):
            return
        inside = self._spelled(form, here)
        forms = self._forms(units[index + 1], grammar.escaped)
        for following in forms[1:] if units[index + 1] == " " else forms:
            self._spelled(following, inside, before[index + 2])

    def _forms(self, unit: str, escaped: frozenset[str]) -> list[bytes]:
        if len(unit) == 1:
            return [self._spelling.of(form) for form in written_forms(unit, escaped)]
        if unit[0] == " " or unit[0] in escaped:
            return [self._spelling.of("".join(written_forms(char, escaped)[-1] for char in unit))]
        return [self._spelling.of(unit)]

    def numbers(self, copy: int, most: int) -> int:
        """The state before `` #1`` to `` #most`` behind a copy that stands in ``most`` places."""
        most = min(most, MOST_PLACES)
        if (copy, most) not in self._numbers:
            first = len(self.edges)
            self._numbers[copy, most] = start = self._state()
            self._up_to(most, self._literal(NUMBER_MARK, start), self._after_copy[copy])
            self._measure_new(first)
        return self._numbers[copy, most]

    def _up_to(self, most: int, at: int, end: int) -> None:
        """The numbers from 1 to ``most``, without leading zeros."""
        digits = str(most)
        any_digits = [self._state() for _ in digits]  # n more digits may follow any_digits[n]
        for fewer, more in pairwise(any_digits):
            for digit in "0123456789":
                self._edge(more, ord(digit), fewer)
        for state in any_digits:
            self.free[state].append(end)
        for digit in "123456789" if len(digits) > 1 else "":
            self._edge(at, ord(digit), any_digits[-2])
        for index, limit in enumerate(digits):
            for digit in _HEX[int(index == 0) : int(limit)]:
                self._edge(at, ord(digit), any_digits[len(digits) - 1 - index])
            following = self._state()
            self._edge(at, ord(limit), following)
            at = following
        self.free[at].append(end)

    def _measure(self) -> None:
        self.distance = [FAR] * len(self.edges)
        before: list[list[tuple[int, int]]] = [[] for _ in self.edges]
        for state, edges in enumerate(self.edges):
            for target in self.free[state]:
                before[target].append((state, 0))
            for targets in edges.values():
                for target in targets:
                    before[target].append((state, 1))
        self.distance[self.end] = 0
        waiting = deque([self.end])
        while waiting:
            state = waiting.popleft()
            for source, cost in before[state]:
                if self.distance[state] + cost < self.distance[source]:
                    self.distance[source] = self.distance[state] + cost
                    waiting.append(source) if cost else waiting.appendleft(source)

    def _measure_new(self, first: int) -> None:
        """Distances of states that lead, without a way back, to older ones."""
        self.distance += [FAR] * (len(self.edges) - first)
        changed = True
        while changed:
            changed = False
            for state in reversed(range(first, len(self.edges))):
                costs = [self.distance[target] for target in self.free[state]]
                costs += [1 + self.distance[target] for targets in self.edges[state].values() for target in targets]
                nearest = min(costs, default=FAR)
                if nearest < self.distance[state]:
                    self.distance[state], changed = nearest, True

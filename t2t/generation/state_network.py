"""A grammar as a network of states joined by spelled bytes (Thompson 1968), of the size of the grammar.

Every kind of grammar becomes states between the one where it begins (``at``) and the one where it ends. A literal is a
chain of its bytes; alternatives begin at one state and end by free edges in one; a repetition has a free edge back::

    Repeat(item, between):   at --> again ==item==> last --> end
                                      ^--between------'

The large one is a copy: any piece of a source, spelled as the vocabulary spells it. It has a state before each unit (a
character with its combining marks) of the source, may begin at any of them and end at any later one, so it is of the
size of the source and not of the number of its pieces, which is quadratic. For the source ``ab c``::

    at --a--> 1 --b--> 2 --" "--> . --c--> 4      at has the first edges of all units: a piece begins anywhere
              |        |                   |      but at a blank
              v        v                   v
             end      end                 end     and ends anywhere but behind a blank, whose state (.) is no end

What a vocabulary lacks splits these states. ``n`` for ``ñ`` is grounded by more than the exact text, ``<unk>`` stands
for any few characters; how many of both a piece may hold is what grounding still finds. So a unit has one state for
each way in which the piece was said so far (``_Heard``: exactly or not, how many wildcards, whether something of it is
certain), a handful at most, and mostly one. A number behind a copy (``ab#2``) counts exact places: it may follow where
all was said exactly; which numbers there are depends on the piece and is looked up when it is asked for (``places``).

Places that are taken (an item is there already) are no new grammar: pieces that begin at one of them go through
states of their own as long as they could end where it ends, where they do not reach ``end``, and join the others
behind it.
"""

from __future__ import annotations

from collections import deque
from itertools import accumulate, pairwise
from typing import NamedTuple

from t2t.generation.spelling import UNKNOWN, Bytes, Spelled, Spelling, unknown_is_text
from t2t.linear.admission import source_text
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
from t2t.linear.grounding import LONGEST_WILDCARD, MOST_PLACES, MOST_WILDCARDS, UNKNOWN_PIECES
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


class _Heard(NamedTuple):
    """How a piece of a source was said so far: see Spelled."""

    exact: bool
    wildcards: int
    anchored: bool


def _is_unknown(ways: list[Spelled]) -> bool:
    return any(one.unknown for one in ways)


def _walls(said: list[list[Spelled]]) -> set[int]:
    """The units before which a row of unknown ones must end, so that no wildcard stands for too many characters."""
    walls: set[int] = set()
    width = 0
    for index, ways in enumerate(said):
        more = next((one.width for one in ways if one.unknown), 0)
        width = width + more if more else 0
        if width > LONGEST_WILDCARD:
            walls.add(index)
            width = more
    return walls


class _Copied:
    """A copy's source in units. ``taken``: for each unit at which a piece begins whose place is taken, the units before
    which such pieces end, with the numbers of their other places; none, where there is no other."""

    def __init__(self, grammar: Copy, units: list[str]) -> None:
        self.units = units
        self.taken: dict[int, dict[int, tuple[int, ...]]] = {}
        before = {offset: index for index, offset in enumerate(accumulate(map(len, units), initial=0))}
        source = source_text(grammar.source)
        for surface in {grammar.source[place.start : place.end] for place in grammar.taken}:
            places = source.exact(surface)
            free = tuple(number for number, place in enumerate(places, 1) if place not in grammar.taken)
            for place in places:
                if place.start in before and place.end in before:
                    self.taken.setdefault(before[place.start], {})[before[place.end]] = free


class Network:
    """``edges[state]``: the states that follow, by byte. ``free[state]``: those that follow without one.

    ``places[state]``: the copy that could end in this state, where its number of places says which numbers may follow.
    ``distance[state]``: the fewest bytes to ``end``, FAR where there is no way.

    What the vocabulary cannot say is left out, but that a span may hold UNKNOWN where grounding finds it all the same
    (without a number, which counts exact places), and free text anywhere; nowhere if a character of ``<unk>`` is a
    mark. ``lossy``: UNKNOWN stands for all that cannot be said, so texts need not parse.
    """

    def __init__(self, grammar: Grammar, spelling: Spelling, lossy: bool = False) -> None:
        self._lossy = lossy
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
        """A chain of ``text``; a state that nothing leads to where the vocabulary cannot say it."""
        spelled = self._spelling.of(text) if text else b""
        return self._spelled(spelled, at) if self._lossy or UNKNOWN not in spelled else self._state()

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
        unknown = self._lossy or unknown_is_text(escaped)
        self._strings(self._spelling.raw(escaped, unknown), chunk, end, {})
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
        """States before each unit of the source, by how it was said so far; one more where a raw space needs more.

        Pieces that begin where a place is taken go through states of their own as long as they could end there.
        """
        end, copied = self._state(), _Copied(grammar, self._spelling.units(grammar.source))
        copy = len(self._after_copy) if grammar.numbered else None
        self._after_copy += [] if copy is None else [end]
        said = self._ways(copied.units, grammar)
        fresh = _Heard(exact=True, wildcards=0, anchored=not any(one.wildcard for ways in said for one in ways))
        walls, length = _walls(said), len(said)
        everywhere: list[dict[_Heard, int]] = [{fresh: self._state()} for _ in range(length + 1)]
        for index in range(length):
            begins = None if index in copied.taken else at
            self._through(copied.units, said, walls, index, everywhere[index:], begins)
        self._end_copy(everywhere[1:], end, copy)
        for start, ends in copied.taken.items():
            last = max(ends)
            own: list[dict[_Heard, int]] = [{fresh: self._state()}, *({} for _ in range(last - start))]
            nodes = own + everywhere[last + 1 :]
            for index in range(start, min(last + 1, length)):
                begins = at if index == start else None
                self._through(copied.units, said, walls, index, nodes[index - start :], begins)
            for index in range(start + 1, last + 1):
                self._end_taken(own[index - start], end, copy, ends.get(index))
        return end

    def _through(
        self,
        units: list[str],
        said: list[list[Spelled]],
        walls: set[int],
        index: int,
        nodes: list[dict[_Heard, int]],
        begins: int | None,
    ) -> None:
        """Edges for unit ``index``: from ``nodes[0]``, the states before it, to those after it, and from ``begins``."""
        ways, here_by_heard = said[index], nodes[0]
        first = next(iter(here_by_heard.values()), None)
        reached = [pair for pair in here_by_heard.items() if pair[0].exact or index not in walls]
        for heard, here in reached:
            follows = not heard.exact and _is_unknown(said[index - 1])
            for one in ways:
                self._go_on(heard, here, one, follows, nodes[1])
            if follows and _is_unknown(ways):
                self.free[here].append(nodes[1][heard])
        if begins is not None and first is not None:
            for byte, targets in self.edges[first].items():
                self.edges[begins].setdefault(byte, []).extend(targets)
        if units[index] == " " and index + 1 < len(units) and units[index - 1 : index] not in ([" "], []):
            for heard, here in reached:
                inside = self._spelled(self._spelling.of(" "), here)
                for one in said[index + 1]:
                    self._go_on(heard, inside, one, False, nodes[2])

    def _end_taken(
        self, states: dict[_Heard, int], end: int, copy: int | None, numbers: tuple[int, ...] | None
    ) -> None:
        """The end of a copy in ``states``. ``numbers``: its place is taken, and these are those of the others."""
        if numbers is None:
            self._end_copy([states], end, copy)
            return
        for heard, state in states.items():
            if numbers and (heard.anchored or not heard.wildcards):
                self.free[state].append(end)
            for number in numbers if copy is not None and heard.exact else ():
                self.free[self._literal(f"{NUMBER_MARK}{number}", state)].append(end)

    def _ways(self, units: list[str], grammar: Copy) -> list[list[Spelled]]:
        """For each unit the ways to say it other than as a raw space."""
        wild = unknown_is_text(grammar.escaped) and not UNKNOWN_PIECES.search(grammar.source)
        ways: list[list[Spelled]] = []
        for unit in units:
            forms = self._forms(unit, grammar.escaped)
            coded = forms[1:] if unit == " " else forms
            if self._lossy:
                ways.append([self._spelling.said_at_all(form) for form in coded])
            else:
                found = (self._spelling.said(form) for form in coded)
                ways.append([one for one in found if one is not None and (wild or not one.wildcard)])
        return ways

    def _go_on(self, heard: _Heard, here: int, one: Spelled, follows: bool, targets: dict[_Heard, int]) -> None:
        """States from ``here`` for ``one`` to the one of ``targets`` that it leads to.

        ``follows``: the unit before was unknown, whose wildcard stands for this one too if that is unknown.
        """
        wildcards = heard.wildcards + (one.wildcard and not (follows and one.unknown))
        if wildcards <= MOST_WILDCARDS:
            after = _Heard(heard.exact and one.exact, wildcards, heard.anchored or one.anchors)
            if after not in targets:
                targets[after] = self._state()
            self._spelled(one.spelled, here, targets[after])

    def _end_copy(self, before: list[dict[_Heard, int]], end: int, copy: int | None) -> None:
        """``copy``: which one it is of those behind which a number may follow."""
        for heard, state in (pair for states in before for pair in states.items()):
            if heard.anchored or not heard.wildcards:
                self.free[state].append(end)
            if copy is not None and heard.exact:
                self.places[state] = copy

    def _forms(self, unit: str, escaped: frozenset[str]) -> list[str]:
        if len(unit) == 1:
            return list(written_forms(unit, escaped))
        if unit[0] == " " or unit[0] in escaped:
            return ["".join(written_forms(char, escaped)[-1] for char in unit)]
        return [unit]

    def numbers(self, copy: int, most: int) -> int:
        """The state before `` #1`` to `` #most`` behind a copy that is in ``most`` places."""
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

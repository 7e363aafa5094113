"""Our grammars in llguidance: the translation, and the rows of a batch behind the same face as ours.

A grammar becomes one terminal of llguidance's Lark, which is one regular expression to it: its lexer looks one byte
ahead, so terminals that begin alike or end with a space that may go on could not stand side by side. All works on
spelled bytes, as ours does (``t2t/generation/spelling.py``, which both need): the tokens are given as they are spelled,
``<unk>`` as a noncharacter.

A copy is a suffix automaton of the source (Blumer et al. 1985) with a terminal for each of its states. All pieces that
end in one state are in the same places, so the state knows which numbers may follow. llguidance has substrings of
its own (``substring_chars``), but neither numbers nor codes could be said of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import llguidance
import llguidance.numpy
import numpy as np
from llguidance._tokenizer import TokenizerWrapper
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from t2t.generation.spelling import PROBED, UNKNOWN, Spelled, Spelling, unknown_is_text
from t2t.linear.admission import source_text
from t2t.linear.grammar import NUMBER_MARK, Copy, FreeText, Grammar, Literal, OneOf, Repeat, Subset
from t2t.linear.grammar import Sequence as Parts
from t2t.linear.grounding import LONGEST_WILDCARD, MOST_PLACES, MOST_WILDCARDS, UNKNOWN_PIECES
from t2t.text import CODES, ESCAPE, written_forms

_STAND_IN = "\U0010fffe"  # for UNKNOWN, which is no UTF-8
# Without it a token is refused that ends where the grammar forces what follows, as the canonical ``▁`` does.
_OPTIONS = '%llguidance {"no_forcing": true}'
_CODES = f"/[{''.join(CODES.values())}]|u([0-9a-ce-f][0-9a-f]|d[0-7])[0-9a-f]{{2}}|U(0[1-9a-f]|10)[0-9a-f]{{4}}/"
_LIMITS = {"max_grammar_size": 10_000_000, "initial_lexer_fuel": 100_000_000, "step_lexer_fuel": 100_000_000}


@dataclass(slots=True)
class _State:
    """Of a suffix automaton. ``length``: of its longest piece; ``places``: how many its pieces have."""

    length: int
    last: str = ""
    link: int = -1
    places: int = 1
    edges: dict[str, int] = field(default_factory=dict)


def suffix_automaton(units: Sequence[str]) -> list[_State]:
    """The states of all pieces of ``units``, the empty one first."""
    states, at = [_State(0, places=0)], 0
    for unit in units:
        states.append(_State(states[at].length + 1, unit))
        new, before = len(states) - 1, at
        while before >= 0 and unit not in states[before].edges:
            states[before].edges[unit] = new
            before = states[before].link
        states[new].link = 0 if before < 0 else _shared(states, before, unit)
        at = new
    for number in sorted(range(1, len(states)), key=lambda one: -states[one].length):
        states[states[number].link].places += states[number].places
    return states


def _shared(states: list[_State], before: int, unit: str) -> int:
    """The state of the longest piece that ends with ``unit`` and stood before, split off where it must be."""
    there = states[before].edges[unit]
    if states[there].length == states[before].length + 1:
        return there
    whole = states[there]
    states.append(_State(states[before].length + 1, unit, whole.link, 0, dict(whole.edges)))
    whole.link = split = len(states) - 1
    while before >= 0 and states[before].edges.get(unit) == there:
        states[before].edges[unit] = split
        before = states[before].link
    return split


class _Said(NamedTuple):
    """How a piece was said so far. ``row``: characters of the row of unknown ones at its end; ``raw``: a raw space is.

    ``given``: the piece itself as long as it may become one whose place is taken.
    """

    exact: bool = True
    wildcards: int = 0
    anchored: bool = False
    row: int = 0
    raw: bool = False
    given: str | None = None


class _Copied(NamedTuple):
    """A copy in states, with the ``ways`` to say each unit but as a raw space.

    ``left``: which numbers are left of the pieces that have places which are taken; ``begun``: how these begin.
    """

    grammar: Copy
    states: list[_State]
    ways: dict[str, list[Spelled]]
    left: dict[str, list[int]]
    begun: frozenset[str]


class Translation:
    """Lark for ``grammar``. ``empty``: there is no text of it that the vocabulary can say."""

    def __init__(self, grammar: Grammar, spelling: Spelling) -> None:
        self._spelling = spelling
        self._lines: dict[str, str] = {}
        self._names: dict[Grammar, str | None] = {}
        self._mark, self._space = self._literal(NUMBER_MARK), spelling.of(" ")
        body = self._of(grammar)
        self.empty = body is None
        self._lines["ALL"] = f"{_quoted(spelling.start)} {body or _quoted(b'')}"
        self.text = "\n".join([_OPTIONS, "start: ALL", *(f"{name}: {line}" for name, line in self._lines.items())])

    def _name(self, line: str) -> str:
        name = f"T{len(self._lines)}"
        self._lines[name] = line
        return name

    def _of(self, grammar: Grammar) -> str | None:
        """An expression; None where the vocabulary says no text of ``grammar``."""
        if isinstance(grammar, Literal):
            return self._literal(grammar.text)
        if grammar not in self._names:
            line = self._line(grammar)
            self._names[grammar] = line and self._name(line)
        return self._names[grammar]

    def _literal(self, text: str) -> str | None:
        spelled = self._spelling.of(text) if text else b""
        return None if UNKNOWN in spelled else _quoted(spelled)

    def _line(self, grammar: Grammar) -> str | None:
        match grammar:
            case Parts(parts):
                found = [self._of(part) for part in parts]
                return " ".join([_quoted(b""), *filter(None, found)]) if None not in found else None
            case OneOf(options):
                return " | ".join(filter(None, map(self._of, options))) or None
            case Repeat():
                item, between = self._of(grammar.item), self._literal(grammar.between)
                most = "*" if grammar.most is None else f"{{0,{grammar.most - 1}}}"
                return item and (f"{item} ({between} {item}){most}" if between else item)
            case Subset(words, between):
                return self._subset(words, between)
            case Copy():
                return self._copy(grammar)
            case FreeText(escaped):
                return self._free_text(escaped)

    def _subset(self, words: tuple[str, ...], between: str) -> str | None:
        following: str | None = None
        for word in reversed([self._literal(word) for word in words]):
            if word is not None:
                more = f"{word} ({self._literal(between)} {following})? | {following}" if following else word
                following = self._name(more)
        return following

    def _free_text(self, escaped: frozenset[str]) -> str:
        """Characters raw and coded, with single raw spaces between them; which stand raw is ``Spelling.raw``'s."""
        of = self._spelling.of
        changed = {char for char in PROBED if of(char) != char.encode()} - {" "}
        others = {of(char).decode(errors="replace") for char in escaped} | {" ", of(" ").decode()} | changed
        others |= set() if self._spelling.says_all else {_STAND_IN}
        never = "".join(f"\\u{{{ord(char):x}}}" for char in sorted(others) if len(char) == 1)
        raw = [f"/[^{never}]/", *(_quoted(of(char)) for char in sorted(changed - escaped))]
        if not self._spelling.says_all and unknown_is_text(escaped):
            raw.append(_quoted(UNKNOWN))
        chunk = self._name(f"{' | '.join(raw)} | {_quoted(of(ESCAPE))} {_CODES}")
        return f"{chunk} ({_quoted(of(' '))}? {chunk})*"

    def _copy(self, grammar: Copy) -> str | None:
        copied = self._copied(grammar)
        certain = not any(one.wildcard for several in copied.ways.values() for one in several)
        first = (0, _Said(anchored=certain, given="" if copied.left else None))
        found: dict[tuple[int, _Said], list[tuple[bytes, tuple[int, _Said]]]] = {}
        waiting = [first]
        while waiting:
            key = waiting.pop()
            if key not in found:
                found[key] = list(self._steps(copied, *key))
                waiting += [after for _, after in found[key]]
        names: dict[tuple[int, _Said], str] = {}
        for key in sorted(found, key=lambda one: -copied.states[one[0]].length):
            options = [f"{_quoted(spelled)} {names[after]}" for spelled, after in found[key] if after in names]
            options += self._ends(copied, *key)
            if options:
                names[key] = self._name(" | ".join(options))
        return names.get(first)

    def _copied(self, grammar: Copy) -> _Copied:
        states = suffix_automaton(self._spelling.units(grammar.source))
        wild = unknown_is_text(grammar.escaped) and not UNKNOWN_PIECES.search(grammar.source)
        units = dict.fromkeys(state.last for state in states[1:])
        ways = {unit: self._ways(unit, grammar.escaped, wild) for unit in units}
        left = {
            surface: [n for n, place in enumerate(source_text(grammar.source).exact(surface), 1) if place not in taken]
            for taken in [grammar.taken]
            for surface in {grammar.source[place.start : place.end] for place in taken}
        }
        begun = frozenset(surface[:length] for surface in left for length in range(len(surface) + 1))
        return _Copied(grammar, states, ways, left, begun)

    def _steps(self, copied: _Copied, number: int, said: _Said) -> Iterator[tuple[bytes, tuple[int, _Said]]]:
        state = copied.states[number]
        for unit, target in state.edges.items():
            given = None if said.given is None or said.given + unit not in copied.begun else said.given + unit
            for one in copied.ways[unit]:
                follows = bool(said.row) and one.unknown
                row = said.row + one.width if follows else one.width if one.unknown else 0
                wildcards = said.wildcards + (one.wildcard and not follows)
                if wildcards <= MOST_WILDCARDS and row <= LONGEST_WILDCARD:
                    after = _Said(said.exact and one.exact, wildcards, said.anchored or one.anchors, row, given=given)
                    yield one.spelled, (target, after)
                    if follows:
                        yield b"", (target, after)
            if unit == " " and number and state.last != " ":
                yield self._space, (target, said._replace(row=0, raw=True, given=given))

    def _ways(self, unit: str, escaped: frozenset[str], wild: bool) -> list[Spelled]:
        """The ways to say a unit of the source other than as a raw space, as ``Network`` has them."""
        forms = [unit]
        if len(unit) == 1:
            forms = list(written_forms(unit, escaped))
        elif unit[0] == " " or unit[0] in escaped:
            forms = ["".join(written_forms(char, escaped)[-1] for char in unit)]
        found = map(self._spelling.said, forms[1:] if unit == " " else forms)
        return [one for one in found if one is not None and (wild or not one.wildcard)]

    def _ends(self, copied: _Copied, number: int, said: _Said) -> Iterator[str]:
        if not number or said.raw or (said.wildcards and not said.anchored):
            return
        left = copied.left.get(said.given or "")
        if left != []:
            yield _quoted(b"")
        if copied.grammar.numbered and said.exact:
            places = min(copied.states[number].places, MOST_PLACES)
            numbers = [f"/{_up_to(places)}/"] if left is None else [f'"{one}"' for one in left]
            yield from (f"{self._mark} {one}" for one in numbers)


@cache
def _up_to(most: int) -> str:
    """A pattern of the numbers from 1 to ``most``."""
    digits = str(most)
    options = [digits, *([f"[1-9][0-9]{{0,{len(digits) - 2}}}"] if len(digits) > 1 else [])]
    for place, digit in enumerate(digits):
        if int(digit) > int(not place):
            options.append(f"{digits[:place]}[{int(not place)}-{int(digit) - 1}][0-9]{{{len(digits) - place - 1}}}")
    return "|".join(options)


@cache
def _quoted(spelled: bytes) -> str:
    return json.dumps(spelled.replace(UNKNOWN, _STAND_IN.encode()).decode(), ensure_ascii=False)


class _Vocabulary:
    """A vocabulary as llguidance wants it: the bytes of each token, none where a token is no text."""

    bos_token_id = None

    def __init__(self, tokenizer: PreTrainedTokenizerFast, spelling: Spelling) -> None:
        self.eos_token_id = int(tokenizer.eos_token_id)
        unknown = b"" if spelling.says_all else _STAND_IN.encode()  # no text holds the byte 0xFF
        first = {piece: number for number, piece in reversed(spelling.pieces.items())}  # of tokens spelled alike
        spelled = {number: piece.replace(UNKNOWN, unknown) for piece, number in first.items()}
        spelled[self.eos_token_id] = b"\xff</s>"
        self.tokens = [spelled.get(number, b"") for number in range(len(tokenizer))]
        self.special_token_ids = [self.eos_token_id]

    def __call__(self, text: str) -> list[int]:
        return []


class LlguidanceGuides:
    """The Guides of a batch by llguidance, which knows nothing of how many tokens are left."""

    def __init__(self, matchers: Sequence[llguidance.LLMatcher]) -> None:
        self._matchers = list(matchers)
        self._check()

    def _check(self) -> None:
        """ValueError where llguidance has given up."""
        for matcher in self._matchers:
            if matcher.is_error():
                raise ValueError(matcher.get_error())

    def mask(self, live: Sequence[bool], left: Sequence[int], vocabulary: int) -> NDArray[np.bool_]:
        """See Guides."""
        bits = np.zeros(llguidance.numpy.get_bitmask_shape(len(self._matchers), vocabulary), dtype=np.int32)
        for row, (matcher, alive) in enumerate(zip(self._matchers, live, strict=True)):
            if alive:
                llguidance.numpy.fill_next_token_bitmask(matcher, bits, row)
        self._check()
        return np.unpackbits(bits.view(np.uint8), axis=1, count=vocabulary, bitorder="little").view(np.bool_)

    def take(self, tokens: Sequence[int], live: Sequence[bool]) -> list[bool]:
        """See Guides."""
        for matcher, token, alive in zip(self._matchers, tokens, live, strict=True):
            if alive:
                matcher.consume_token(token)
        self._check()
        return [False] * len(self._matchers)

    def select(self, rows: Sequence[int]) -> None:
        """See Guides."""
        self._matchers = [self._matchers[row] for row in rows]


class Llguidance:
    """Guides for one tokenizer. ValueError for a grammar of which the vocabulary can say no text."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._spelling = Spelling(tokenizer)
        self._tokens = llguidance.LLTokenizer(TokenizerWrapper(_Vocabulary(tokenizer, self._spelling)))
        self._limits = llguidance.LLParserLimits(**_LIMITS)

    def guides(self, grammars: Sequence[Grammar]) -> LlguidanceGuides:
        """Guides at the beginning of a text of each grammar."""
        return LlguidanceGuides([self._matcher(grammar) for grammar in grammars])

    def _matcher(self, grammar: Grammar) -> llguidance.LLMatcher:
        translation = Translation(grammar, self._spelling)
        if translation.empty:
            raise ValueError("the vocabulary can say no text of this grammar")
        lark = llguidance.LLMatcher.grammar_from_lark(translation.text)
        return llguidance.LLMatcher(self._tokens, lark, log_level=0, limits=self._limits)

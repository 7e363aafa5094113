"""Our grammars in llguidance: the translation, and the rows of a batch behind the same face as ours.

A grammar becomes one terminal of llguidance's Lark, which is one regular expression to it: its lexer looks one byte
ahead, so terminals that begin alike or end with a space that may go on could not stand side by side. All works on
spelled bytes, as ours does (``t2t/generation/spelling.py``, which both need): the tokens are given as they are spelled,
``<unk>`` as a noncharacter.

A copy is a suffix automaton of the source (Blumer et al. 1985) with a terminal for each of its states. All pieces that
end in one state stand in the same places, so the state knows which numbers may follow. llguidance has substrings of
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

from t2t.generation.spelling import UNKNOWN, Spelled, Spelling, unknown_is_text
from t2t.linear.grammar import NUMBER_MARK, Copy, FreeText, Grammar, Literal, OneOf, Repeat, Subset
from t2t.linear.grammar import Sequence as Parts
from t2t.linear.grounding import LONGEST_WILDCARD, MOST_PLACES, MOST_WILDCARDS, UNKNOWN_PIECES
from t2t.text import written_forms

_STAND_IN = "\U0010fffe"  # for UNKNOWN, which is no UTF-8
# Without it a token is refused that ends where the grammar forces what follows, as the canonical ``▁`` does.
_OPTIONS = '%llguidance {"no_forcing": true}'
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
    """How a piece was said so far. ``row``: characters of the row of unknown ones at its end; ``raw``: a space is."""

    exact: bool = True
    wildcards: int = 0
    anchored: bool = False
    row: int = 0
    raw: bool = False


class Translation:
    """Lark for ``grammar``. ValueError for free text, which is not translated. Places that are taken are not known."""

    def __init__(self, grammar: Grammar, spelling: Spelling) -> None:
        self._spelling = spelling
        self._lines: dict[str, str] = {}
        self._names: dict[Grammar, str | None] = {}
        self._mark = self._literal(NUMBER_MARK)
        body = self._of(grammar)
        start = json.dumps(spelling.start.decode(), ensure_ascii=False)
        self._lines["ALL"] = f"{start} {body}" if body is not None else f"{start} /[^\\x00-\\u{{10ffff}}]/"
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
                return " ".join(one for one in found if one) if None not in found else None
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
            case FreeText():
                raise ValueError("free text is not translated")
        raise TypeError(grammar)

    def _subset(self, words: tuple[str, ...], between: str) -> str | None:
        following: str | None = None
        for word in reversed([self._literal(word) for word in words]):
            if word is not None:
                more = f"{word} ({self._literal(between)} {following})? | {following}" if following else word
                following = self._name(more)
        return following

    def _copy(self, grammar: Copy) -> str | None:
        states = suffix_automaton(self._spelling.units(grammar.source))
        wild = unknown_is_text(grammar.escaped) and not UNKNOWN_PIECES.search(grammar.source)
        units = dict.fromkeys(state.last for state in states[1:])
        ways = {unit: self._ways(unit, grammar.escaped, wild) for unit in units}
        first = (0, _Said(anchored=not any(one.wildcard for several in ways.values() for one in several)))
        found: dict[tuple[int, _Said], list[tuple[bytes, tuple[int, _Said]]]] = {}
        waiting = [first]
        while waiting:
            key = waiting.pop()
            if key not in found:
                found[key] = list(self._steps(states, *key, ways))
                waiting += [after for _, after in found[key]]
        names: dict[tuple[int, _Said], str] = {}
        for key in sorted(found, key=lambda one: -states[one[0]].length):
            options = [f"{_quoted(spelled)} {names[after]}" for spelled, after in found[key] if after in names]
            options += self._ends(grammar, states[key[0]], key[1])
            if options:
                names[key] = self._name(" | ".join(options))
        return names.get(first)

    def _steps(
        self, states: list[_State], number: int, said: _Said, ways: dict[str, list[Spelled]]
    ) -> Iterator[tuple[bytes, tuple[int, _Said]]]:
        state = states[number]
        for unit, target in state.edges.items():
            for one in ways[unit]:
                follows = bool(said.row) and one.unknown
                row = said.row + one.width if follows else one.width if one.unknown else 0
                wildcards = said.wildcards + (one.wildcard and not follows)
                if wildcards <= MOST_WILDCARDS and row <= LONGEST_WILDCARD:
                    after = _Said(said.exact and one.exact, wildcards, said.anchored or one.anchors, row)
                    yield one.spelled, (target, after)
                    if follows:
                        yield b"", (target, after)
            if unit == " " and number and state.last != " ":
                yield self._spelling.of(" "), (target, said._replace(row=0, raw=True))

    def _ways(self, unit: str, escaped: frozenset[str], wild: bool) -> list[Spelled]:
        """The ways to say a unit of the source other than as a raw space, as ``Network`` has them."""
        forms = [unit]
        if len(unit) == 1:
            forms = list(written_forms(unit, escaped))
        elif unit[0] == " " or unit[0] in escaped:
            forms = ["".join(written_forms(char, escaped)[-1] for char in unit)]
        found = map(self._spelling.said, forms[1:] if unit == " " else forms)
        return [one for one in found if one is not None and (wild or not one.wildcard)]

    def _ends(self, grammar: Copy, state: _State, said: _Said) -> Iterator[str]:
        if state.length and not said.raw and (said.anchored or not said.wildcards):
            yield '""'
            if grammar.numbered and said.exact:
                yield f"{self._mark} {self._up_to(min(state.places, MOST_PLACES))}"

    def _up_to(self, most: int) -> str:
        """The numbers from 1 to ``most``."""
        name = f"N{most}"
        if name not in self._lines:
            self._lines[name] = f'"{most}"' + (f" | {self._up_to(most - 1)}" if most > 1 else "")
        return name


@cache
def _quoted(spelled: bytes) -> str:
    return json.dumps(spelled.replace(UNKNOWN, _STAND_IN.encode()).decode(), ensure_ascii=False)


class _Vocabulary:
    """A vocabulary as llguidance wants it: the bytes of each token, none where a token is no text."""

    bos_token_id = None

    def __init__(self, tokenizer: PreTrainedTokenizerFast, spelling: Spelling) -> None:
        self.eos_token_id = int(tokenizer.eos_token_id)
        first = {piece: number for number, piece in reversed(spelling.pieces.items())}
        spelled = {number: piece for piece, number in first.items()} | {self.eos_token_id: b"\xff</s>"}
        self.tokens = [spelled.get(n, b"").replace(UNKNOWN, _STAND_IN.encode()) for n in range(len(tokenizer))]
        self.tokens[self.eos_token_id] = b"\xff</s>"
        self.special_token_ids = [self.eos_token_id]

    def __call__(self, text: str) -> list[int]:
        return []


class LlguidanceRow:
    """One row's way through a grammar. ValueError where llguidance gives up."""

    def __init__(self, matcher: llguidance.LLMatcher, size: int) -> None:
        self._matcher, self._bits = matcher, llguidance.numpy.allocate_token_bitmask(1, size)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise ValueError(self._matcher.get_error())

    def mask(self) -> NDArray[np.bool_]:
        """[v]: True where a token is allowed."""
        llguidance.numpy.fill_next_token_bitmask(self._matcher, self._bits)
        self._check()
        return np.unpackbits(self._bits.view(np.uint8), bitorder="little").view(np.bool_)

    def take(self, token: int) -> None:
        self._matcher.consume_token(token)
        self._check()


class LlguidanceEngine:
    """Rows of one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._spelling = Spelling(tokenizer)
        self._tokens = llguidance.LLTokenizer(TokenizerWrapper(_Vocabulary(tokenizer, self._spelling)))
        self._limits = llguidance.LLParserLimits(**_LIMITS)

    def row(self, grammar: Grammar) -> LlguidanceRow:
        """A row at the beginning of a text of ``grammar``."""
        lark = llguidance.LLMatcher.grammar_from_lark(Translation(grammar, self._spelling).text)
        matcher = llguidance.LLMatcher(self._tokens, lark, log_level=0, limits=self._limits)
        return LlguidanceRow(matcher, self._tokens.vocab_size)

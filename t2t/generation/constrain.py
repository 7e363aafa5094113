"""Which tokens may come next: the masks of a grammar over the pieces of a tokenizer.

Masks are exact on spelled bytes, so a grammar admits the canonical ids of every one of its texts that the vocabulary
can say, and every row of ids that ends where EOS is allowed decodes to one of its texts. A vocabulary without byte
fallback (T5's) says UNKNOWN for a character that it lacks: options that hold one are left out; a span may hold one
where grounding finds it again, and free text, so what is decoded parses without an issue all the same. Where no text at
all is left, the masks are ``lossy``: UNKNOWN stands wherever something cannot be said.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from t2t.generation.automaton import DEAD, Automaton
from t2t.generation.spelling import Spelling
from t2t.linear.grammar import Grammar

_KEPT = 16  # masks of so many grammars are kept: templates without a copy have one for all records


class Trie:
    """Pieces as a trie in arrays: the children of a node are ``count[node]`` nodes from ``first[node]`` on.

    ``byte[node]`` leads to the node; ``token[node]`` is the id that is spelled there, -1 if none is.
    """

    def __init__(self, pieces: dict[int, bytes]) -> None:
        spelled: dict[bytes, int] = {}
        for number, piece in pieces.items():
            spelled.setdefault(piece, number)
        prefixes = {piece[:length] for piece in spelled for length in range(len(piece) + 1)}
        nodes = sorted(prefixes, key=lambda prefix: (len(prefix), prefix))
        number_of = {prefix: number for number, prefix in enumerate(nodes)}
        parents = np.array([number_of[prefix[:-1]] for prefix in nodes[1:]], dtype=np.int64)
        self.byte = np.array([0, *(prefix[-1] for prefix in nodes[1:])], dtype=np.uint8)
        self.token = np.array([spelled.get(prefix, -1) for prefix in nodes], dtype=np.int64)
        self.count = np.bincount(parents, minlength=len(nodes))
        self.first = 1 + np.concatenate([[0], np.cumsum(self.count)[:-1]])

    def children(self, nodes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All children of ``nodes``, and for each of them which of ``nodes`` it is a child of (its index)."""
        counts = self.count[nodes]
        parents = np.repeat(np.arange(len(nodes)), counts)
        offsets = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.first[nodes][parents] + offsets, parents


@dataclass(frozen=True, slots=True, eq=False)
class Allowed:
    """The ids that may come next (EOS not among them), ascending, and the state that each leads to."""

    ids: NDArray[np.int64]
    states: NDArray[np.int32]


class Masks:
    """The masks of one grammar, each made when a row first comes to its state. ``lossy``: see Network."""

    def __init__(self, grammar: Grammar, spelling: Spelling, trie: Trie) -> None:
        self.automaton, self.lossy = Automaton(grammar, spelling), False
        if self.automaton.start == DEAD and not spelling.says_all:
            self.automaton = Automaton(grammar, spelling, lossy=True)
            self.lossy = self.automaton.start != DEAD
        self._trie = trie
        self._known: dict[int, Allowed] = {}

    def allowed(self, state: int) -> Allowed:
        """The tokens that may follow in ``state``."""
        if state not in self._known:
            self._known[state] = self._walk(state)
        return self._known[state]

    def _walk(self, state: int) -> Allowed:
        """The trie and the automaton walked side by side, all nodes of a depth at once."""
        trie = self._trie
        nodes, states = np.zeros(1, dtype=np.int64), np.array([state], dtype=np.int32)
        ids, after = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int32)]
        while len(nodes):
            children, parents = trie.children(nodes)
            following = self.automaton.after(states[parents], trie.byte[children])
            kept = following != DEAD
            nodes, states = children[kept], following[kept]
            ends = trie.token[nodes] >= 0
            ids.append(trie.token[nodes[ends]])
            after.append(states[ends])
        found = np.concatenate(ids)
        order = np.argsort(found)
        return Allowed(found[order], np.concatenate(after)[order])


class Guide:
    """One row's way through a grammar.

    ``closing``: near the limit only tokens are allowed after which the text can still be completed, a token a byte
    reckoned; so a row that would be cut ends in time. ``lossy``: what it lets through need not parse.
    """

    def __init__(self, masks: Masks, eos: int, closing: bool = False) -> None:
        self._masks, self._eos, self._closing = masks, eos, closing
        self.lossy = masks.lossy
        self._state = masks.automaton.start

    def allowed(self, left: int) -> NDArray[np.int64]:
        """The ids that may come next if ``left`` tokens, this one and EOS counted, are left; none at a dead end."""
        if self._state == DEAD:
            return np.zeros(0, dtype=np.int64)
        found, automaton = self._masks.allowed(self._state), self._masks.automaton
        ids = found.ids
        if self._closing:
            in_time = automaton.distance(found.states) + 2 <= left
            ids = ids[in_time] if in_time.any() or automaton.accepting[self._state] else ids
        return np.append(ids, self._eos) if automaton.accepting[self._state] else ids

    @property
    def may_end(self) -> bool:
        """Whether a text of the grammar is complete here."""
        return self._state != DEAD and self._masks.automaton.accepting[self._state]

    def take(self, token: int) -> None:
        """Go on with ``token``, one of those that were allowed."""
        if token != self._eos:
            found = self._masks.allowed(self._state)
            self._state = int(found.states[np.searchsorted(found.ids, token)])

    def follow(self, ids: Sequence[int], most: int) -> int:
        """Go on with ``ids`` as far as they are allowed in an output of ``most`` tokens; gives how many were."""
        for number, token in enumerate(ids):
            if token not in self.allowed(most - number):
                return number
            self.take(token)
        return len(ids)

    def admits(self, ids: Sequence[int]) -> bool:
        """True if every one of ``ids``, taken in turn, is allowed. The guide is used up."""
        return self.follow(ids, len(ids)) == len(ids)


class MaskGuides:
    """The Guides of a batch by masks of our own, a Guide a row.

    ``begun``: what each row has said. ``enough``: for each row, whether what it has said, which may end there, is all
    that there is to know.
    """

    def __init__(
        self,
        guides: Iterable[Guide],
        begun: Iterable[Sequence[int]] = (),
        enough: Iterable[Callable[[Sequence[int]], bool]] = (),
    ) -> None:
        self._guides, self._said, self._enough = list(guides), [list(ids) for ids in begun], list(enough)

    def mask(self, live: Sequence[bool], left: Sequence[int], vocabulary: int) -> NDArray[np.bool_]:
        """See Guides."""
        mask_bv = np.zeros((len(self._guides), vocabulary), dtype=np.bool_)
        for row, (guide, alive) in enumerate(zip(self._guides, live, strict=True)):
            if alive:
                mask_bv[row, guide.allowed(left[row])] = True
        return mask_bv

    def take(self, tokens: Sequence[int], live: Sequence[bool]) -> list[bool]:
        """See Guides."""
        known = [False] * len(self._guides)
        for row, (guide, token, alive) in enumerate(zip(self._guides, tokens, live, strict=True)):
            if alive:
                guide.take(token)
                if self._enough:
                    self._said[row].append(token)
                    known[row] = guide.may_end and self._enough[row](self._said[row])
        return known

    def select(self, rows: Sequence[int]) -> None:
        """See Guides."""
        self._guides = [self._guides[row] for row in rows]
        if self._enough:
            self._said, self._enough = [self._said[row] for row in rows], [self._enough[row] for row in rows]


class Constrainer:
    """Makes guides for one tokenizer. Raises InputError for one whose outputs cannot be constrained."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._spelling = Spelling(tokenizer)
        self._trie = Trie(self._spelling.pieces)
        self._eos = int(tokenizer.eos_token_id)
        self._masks: OrderedDict[Grammar, Masks] = OrderedDict()

    def guide(self, grammar: Grammar, closing: bool = False) -> Guide:
        """A guide at the beginning of a text of ``grammar``."""
        masks = self._masks.pop(grammar, None) or Masks(grammar, self._spelling, self._trie)
        self._masks[grammar] = masks
        if len(self._masks) > _KEPT:
            self._masks.popitem(last=False)
        return Guide(masks, self._eos, closing)

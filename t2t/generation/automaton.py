"""The deterministic automaton of a grammar, made state by state as it is walked (the subset construction)."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from t2t.generation.spelling import Spelling
from t2t.generation.state_network import FAR, Network
from t2t.linear.grammar import Grammar

DEAD, UNKNOWN_YET = -1, -2


class Automaton:
    """States are numbers, 0 the first. A state from which no text can be completed is DEAD.

    ``accepting[state]``: a text may end there. ``lossy``: see Network.
    """

    def __init__(self, grammar: Grammar, spelling: Spelling, lossy: bool = False) -> None:
        self._network = Network(grammar, spelling, lossy)
        self._closures: dict[int, frozenset[int]] = {}
        self._index: dict[frozenset[int], int] = {}
        self._members: list[frozenset[int]] = []
        self._rows: NDArray[np.int32] = np.full((64, 256), UNKNOWN_YET, dtype=np.int32)
        self.accepting: list[bool] = []
        self._distances: NDArray[np.int32] = np.zeros(64, dtype=np.int32)
        self.start = self._state_of({self._network.start})

    def after(self, states: NDArray[np.int32], bytes_: NDArray[np.uint8]) -> NDArray[np.int32]:
        """The states that follow ``states`` by ``bytes_``, pair by pair."""
        found: NDArray[np.int32] = self._rows[states, bytes_]
        if (found == UNKNOWN_YET).any():
            for state in np.unique(states[found == UNKNOWN_YET]).tolist():
                self._fill(state)
            found = self._rows[states, bytes_]
        return found

    def distance(self, states: NDArray[np.int32]) -> NDArray[np.int32]:
        """The fewest bytes that complete a text from each of ``states``."""
        found: NDArray[np.int32] = self._distances[states]
        return found

    def _fill(self, state: int) -> None:
        by_byte: dict[int, set[int]] = {}
        for member in self._members[state]:
            for byte, targets in self._network.edges[member].items():
                by_byte.setdefault(byte, set()).update(targets)
        following = {byte: self._state_of(targets) for byte, targets in by_byte.items()}
        row = self._rows[state]
        row[:] = DEAD
        row[list(following)] = list(following.values())

    def _state_of(self, reached: set[int]) -> int:
        members = frozenset().union(*map(self._closure, reached))
        copies = Counter(self._network.places[member] for member in members & self._network.places.keys())
        for copy, count in copies.items():
            members |= self._closure(self._network.numbers(copy, count))
        if members not in self._index:
            distance = min((self._network.distance[member] for member in members), default=FAR)
            self._index[members] = DEAD if distance >= FAR else self._add(members, distance)
        return self._index[members]

    def _add(self, members: frozenset[int], distance: int) -> int:
        self._members.append(members)
        self.accepting.append(self._network.end in members)
        if len(self._members) > len(self._rows):
            self._rows = np.concatenate([self._rows, np.full_like(self._rows, UNKNOWN_YET)])
            self._distances = np.concatenate([self._distances, np.zeros_like(self._distances)])
        self._distances[len(self._members) - 1] = distance
        return len(self._members) - 1

    def _closure(self, state: int) -> frozenset[int]:
        """What is reached from ``state`` without a byte, as far as a byte or the end may follow there."""
        if state not in self._closures:
            reached, waiting = {state}, [state]
            while waiting:
                for target in self._network.free[waiting.pop()]:
                    if target not in reached:
                        reached.add(target)
                        waiting.append(target)
            network = self._network
            self._closures[state] = frozenset(
                member
                for member in reached
                if network.edges[member] or member in network.places or member == network.end
            )
        return self._closures[state]

"""Prompts that stand twice, by 8 bytes each."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from t2t.draws import digest_of

_CHUNK = 1 << 16


class Duplicates:
    """64-bit hashes of the prompts of all splits: a chance match among a million of them is one in 10^7."""

    def __init__(self) -> None:
        self._hashes: dict[str, array[int]] = {}
        self._sorted: dict[str, NDArray[np.uint64]] = {}

    def add(self, split: str, prompt: str) -> None:
        digest = digest_of(prompt)
        self._hashes.setdefault(split, array("Q")).append(int.from_bytes(digest, "little"))

    def count(self, split: str) -> tuple[int, int]:
        """How many prompts of ``split`` stood there before, and how many are in ``train`` (0 for train itself).

        Nothing can be added to a split that was counted.
        """
        own = self._in_order(split)
        repeated = sum(
            int((own[start + 1 : start + 1 + _CHUNK] == own[start : start + _CHUNK][: len(own) - start - 1]).sum())
            for start in range(0, len(own), _CHUNK)
        )
        train = self._in_order("train")
        if split == "train" or not len(train):
            return repeated, 0
        return repeated, sum(_known(own[start : start + _CHUNK], train) for start in range(0, len(own), _CHUNK))

    def _in_order(self, split: str) -> NDArray[np.uint64]:
        if split not in self._sorted:
            hashes = np.frombuffer(self._hashes.get(split, array("Q")), dtype=np.uint64)
            hashes.sort()  # in place: a copy would be another 8 bytes a record
            self._sorted[split] = hashes
        return self._sorted[split]


def _known(some: NDArray[np.uint64], train: NDArray[np.uint64]) -> int:
    places = np.minimum(np.searchsorted(train, some), len(train) - 1)
    return int((train[places] == some).sum())

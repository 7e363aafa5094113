"""Chance that depends on a key alone: the same on every machine, in every process, however often it is asked.

What varies by epoch is drawn by (seed, epoch, name, id), so it hangs neither on the order of the examples nor on how
many ranks there are, and a run that goes on draws what it would have drawn.
"""

from __future__ import annotations

import hashlib
from random import Random


def digest_of(*key: object, size: int = 8) -> bytes:
    """``size`` bytes (BLAKE2b) of the parts of a key, written one behind the other with a slash between."""
    return hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=size).digest()


def number_of(*key: object, size: int = 8) -> int:
    """A whole number of ``size`` bytes."""
    return int.from_bytes(digest_of(*key, size=size))


def chance_of(*key: object) -> float:
    """In [0, 1)."""
    return number_of(*key) / 2**64


def random_of(*key: object) -> Random:
    """A generator of more than one draw."""
    return Random(digest_of(*key))

"""How long the fault bench looks, and from which seed: a few rounds in `make test`, minutes in `make faults`.

FAULTS_MINUTES: how long `make faults` takes about; without it each test does its fewest rounds. FAULTS_SEED: what the
rounds are drawn from (default 1), so that what was found can be found again.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

SEED = int(os.environ.get("FAULTS_SEED", "1"))
MINUTES = float(os.environ.get("FAULTS_MINUTES", "0"))
only_long = pytest.mark.skipif(not MINUTES, reason="make faults has the time")
_WORKERS = 2  # as `make faults` runs them


def rounds(name: str, fewest: int, share: float) -> Iterator[random.Random]:
    """A generator of random numbers for each round: ``fewest`` of them, and more until ``share`` of the time is gone.

    A round depends on seed, ``name`` and its number alone, and is reported, so that a failure names the one to look at.
    """
    end = time.monotonic() + share * MINUTES * 60 * _WORKERS
    number = 0
    while number < fewest or time.monotonic() < end:
        print(f"{name}: round {number} of seed {SEED}", flush=True)
        yield random.Random(f"{SEED} {name} {number}")
        number += 1
    print(f"{name}: {number} rounds", flush=True)

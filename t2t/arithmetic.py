"""How numbers are added, which is chosen before torch is imported."""

from __future__ import annotations

import os
import sys

# MKL's setting for products that are summed in one order by 1, 2, 4, 8 ... threads (by others but for two or three
# rows). Else a score has other last digits where a machine, or a worker, has more of them, and a batch job that went on
# there other bytes.
_IN_ONE_ORDER = {"MKL_CBWR": "AUTO,STRICT"}


def in_one_order() -> dict[str, str]:
    """The variables of the environment for it; what a user has set stays."""
    return {name: os.environ.get(name, value) for name, value in _IN_ONE_ORDER.items()}


def add_in_one_order() -> None:
    """Set it for this process and those that it starts; what a user has set stays. Without effect behind torch."""
    if "torch" not in sys.modules:
        os.environ.update(in_one_order())

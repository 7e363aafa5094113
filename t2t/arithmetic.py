"""How numbers are added, which is chosen before torch is imported."""

from __future__ import annotations

import os
import sys

# MKL's setting for products that are summed in one order by any number of threads. Else a score has other last digits
# where a machine, or a worker, has more of them, and a batch job that went on there other bytes.
IN_ONE_ORDER = {"MKL_CBWR": "AUTO,STRICT"}


def add_in_one_order() -> None:
    """Set it for this process and those that it starts; what a user has set stays. Without effect behind torch."""
    if "torch" not in sys.modules:
        os.environ.update(IN_ONE_ORDER | os.environ)

"""Python's garbage collector where it costs more than it finds: at the start of a process and at its end.

Modules are made for good, some million objects with torch and transformers; to search them again and again while they
are imported takes a third of a start, and once more at the end a second.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = 50_000, 20, 20  # objects made before the young are searched; Python's own is 700, 10, 10


@contextmanager
def at_rest() -> Iterator[None]:
    """What is made within, and what is there then, is for good: it is not searched, now or later."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if searched:
            gc.enable()


def search_seldom() -> None:
    """For the process of a command, which imports what it needs as it goes: search seldom, and not at its end."""
    gc.set_threshold(*_SELDOM)
    atexit.register(gc.freeze)

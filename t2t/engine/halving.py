"""Micro-batches that find no memory are cut in two, from the step in which it ran out on: the same examples an update.

Where no rank has summed anything over ranks in that step yet, all agree that it is to be taken again: a checkpoint is
written before it, which says how often micro-batches are cut, and DeepSpeed is set up anew from there, since nothing
short of that drops all that a backward pass leaves behind that has failed half-way. Elsewhere (ZeRO-3, and ZeRO-2 on
GPUs, on several ranks) the others wait in a sum that the failed rank will never come to. So it notes the cut in the
run's folder and ends, which ends them (see peers.py), and the run goes on from its last checkpoint when it is started
again.
"""

from __future__ import annotations

from pathlib import Path

from t2t.errors import T2TError
from t2t.runs.run_files import read_json, write_json

_FILE = "memory.json"  # in the run's folder


class OutOfMemory(Exception):
    """Memory ran out in the forwards and backwards of a step, of which nothing is left: no weight has changed, and
    random numbers are drawn as before it.

    ``single``: with a micro-batch of one example. ``agreed``: it is raised on every rank.
    """

    def __init__(self, single: bool, agreed: bool) -> None:
        super().__init__(single, agreed)
        self.single, self.agreed = single, agreed


class NoRoom(T2TError):
    """Memory runs out with micro-batches of a single example; the last checkpoint stays."""


class StartAgain(T2TError):
    """The run goes on from its last checkpoint, with smaller micro-batches, when it is started again."""


def halvings_noted(run: Path) -> int:
    """How often a rank that ended for want of memory had micro-batches cut; 0 where none did."""
    return int(read_json(run / _FILE)["halvings"]) if (run / _FILE).is_file() else 0


def note_halvings(run: Path, halvings: int) -> None:
    """Keep for the next start how often micro-batches are cut."""
    write_json(run / _FILE, {"halvings": halvings})

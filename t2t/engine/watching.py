"""What looks at training from outside of its loop: the log, checkpoints, validation, stopping.

The loop knows nothing of what its watchers do. It tells each of them of every step, asks the first rank which of them
are due, and lets those act, on every rank at once, in their order: so a checkpoint, which stands last, holds what the
others found at its step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from t2t.data.batch import Step
from t2t.engine.checkpoint import Position
from t2t.structures import Json


@dataclass(frozen=True, slots=True)
class Seen:
    """One step that was made: where training stands after it, this rank's sum of the negative log-likelihood (nats),
    the schedule's factor and the norm of the whole gradient; ``last``: the schedule ends here."""

    position: Position
    step: Step
    nats: float
    factor: float
    norm: float
    last: bool


class Watcher(Protocol):
    """A watcher's life: ``begin``, then for each step ``see`` and where it is due ``act``, then ``close``.

    ``name`` is that of its ``state``, which is in checkpoints and comes back by ``begin`` when a run goes on.
    ``quick``: what it does takes no time, so it acts where training ends too, also when a signal ends it.
    """

    name: str
    quick: bool

    def begin(self, start: Position, state: Json) -> None:
        """Training starts from ``start``; ``state`` is what ``state`` gave there, None at the beginning of a run."""

    def see(self, seen: Seen) -> None:
        """A step was made. Called on every rank; no sums over ranks here."""

    def due(self, position: Position) -> bool:
        """Whether it wants to act after the step that leads here. The first rank alone is asked, for all: it may look
        at the clock."""

    def act(self, seen: Seen) -> bool:
        """What it does where it was due, and at the last step; on every rank at once. True to end training here."""

    def ends(self) -> bool:
        """Whether what it has seen so far ends training; asked, on every rank, where a run goes on."""

    def state(self) -> Json:
        """What it must be told when the run goes on from here. Called on every rank."""

    def close(self) -> None:
        """Training has ended, however."""


class Quiet:
    """A watcher that does nothing; others take from it what they have no use for."""

    name = ""
    quick = False

    def begin(self, start: Position, state: Json) -> None:
        """Nothing to begin."""

    def see(self, seen: Seen) -> None:
        """Nothing to see."""

    def due(self, position: Position) -> bool:
        return False

    def act(self, seen: Seen) -> bool:
        return False

    def ends(self) -> bool:
        return False

    def state(self) -> Json:
        return None

    def close(self) -> None:
        """Nothing to close."""


class Thaw(Quiet):
    """Ends training at a ``step``, from which it goes on with more weights."""

    name = "thaw"
    quick = True

    def __init__(self, step: int) -> None:
        self.step = step

    def due(self, position: Position) -> bool:
        return position.step >= self.step

    def act(self, seen: Seen) -> bool:
        return seen.position.step >= self.step

"""What encoding counts: what was cut of examples, and what of their targets the vocabulary cannot say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol, TypeVar

from t2t.structures import Json


@dataclass(frozen=True, slots=True)
class Cut:
    """What was left out of one example: characters of the prompt's ``shorten`` field (of the text of a token task),
    tokens of the target."""

    characters: int
    target_tokens: int


class ToldBack(Protocol):
    """A text and what its ids give back; see t2t.model.sayable."""

    @property
    def lost(self) -> bool: ...
    @property
    def beyond_accents(self) -> bool: ...


ToldBackT = TypeVar("ToldBackT", bound=ToldBack)


class Listener(Protocol[ToldBackT]):
    """Who says what ids give back of texts, and which characters are lost in one."""

    def hear(self, texts: Sequence[str], rows: Sequence[Sequence[int]]) -> list[ToldBackT]: ...
    def lost_in(self, said: ToldBackT) -> Counter[str]: ...


@dataclass(slots=True)
class Counts:
    """How many examples of a task were encoded, what was cut, and what of their targets the vocabulary cannot say.

    ``targets_changed``: come back otherwise from their ids; ``targets_lost``: and not for accents alone;
    ``characters``: which are lost, and how often.
    """

    n: int = 0
    prompts_cut: int = 0
    characters_cut: int = 0
    targets_cut: int = 0
    targets_changed: int = 0
    targets_lost: int = 0
    characters: Counter[str] = field(default_factory=Counter)

    def add(self, cut: Cut | None, lost: Counter[str] | None = None, beyond_accents: bool = False) -> None:
        """Count one example."""
        self.n += 1
        if cut is not None:
            self.prompts_cut += cut.characters > 0
            self.characters_cut += cut.characters
            self.targets_cut += cut.target_tokens > 0
        if lost is not None:
            self.targets_changed += 1
            self.targets_lost += beyond_accents
            self.characters.update(lost)

    @property
    def targets(self) -> tuple[int, int, int]:
        """How many targets there are, how many change, how many lose more than an accent."""
        return self.n, self.targets_changed, self.targets_lost

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Counts)))

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, one.name) - getattr(other, one.name) for one in fields(Counts)))

    def to_json(self) -> dict[str, Json]:
        """The counts by name, the most frequent characters first."""
        plain = {one.name: getattr(self, one.name) for one in fields(Counts)}
        return {**plain, "characters": dict(self.characters.most_common())}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Counts:
        """What ``to_json`` wrote."""
        return cls(**{**data, "characters": Counter(data["characters"])})

"""How the patterns of a language are kept: for training and test, and apart from them for split ``patterns``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Bank:
    """Sentence patterns of one meaning: ``seen`` in train, valid and test; ``unseen`` in split ``patterns`` alone."""

    seen: tuple[str, ...]
    unseen: tuple[str, ...]

    def with_combined(self, patterns: tuple[str, ...]) -> Bank:
        """The same with patterns that are made from parts on the side of training."""
        return Bank((*self.seen, *patterns), self.unseen)

    def of(self, unseen: bool) -> tuple[str, ...]:
        """One of the two sides."""
        return self.unseen if unseen else self.seen


@dataclass(frozen=True, slots=True)
class Story:
    """The sentences that tell one piece of news, and its headline."""

    key: Bank
    headline: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The turns of a booking: ``asks`` and ``answers`` by slot; ``changes`` replace the destination ``{old}``."""

    speakers: tuple[str, str]
    opening: Bank
    asks: Mapping[str, Bank]
    answers: Mapping[str, Bank]
    changes: Bank
    replies: Bank


@dataclass(frozen=True)
class Patterns:
    """All patterns of a language, by what they say."""

    topic: Mapping[str, Bank]
    intent: Mapping[str, Bank]
    ner: Bank
    plain: Bank
    facts: Mapping[str, Bank]
    asides: Bank
    questions: Mapping[str, Bank]
    events: Mapping[str, Bank]
    news: tuple[Story, ...]
    details: Bank
    dialogue: Dialogue

    @cached_property
    def banks(self) -> tuple[Bank, ...]:
        """Every bank of the language."""
        return tuple(bank for field in fields(self) for bank in _banks(getattr(self, field.name)))


def _banks(part: object) -> Iterator[Bank]:
    if isinstance(part, Bank):
        yield part
    elif isinstance(part, Story):
        yield part.key
        yield Bank((part.headline,), ())
    elif isinstance(part, Dialogue):
        for field in fields(part):
            yield from _banks(getattr(part, field.name))
    elif isinstance(part, Mapping):
        for each in part.values():
            yield from _banks(each)
    elif isinstance(part, tuple):
        for each in part:
            yield from _banks(each)

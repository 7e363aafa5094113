"""What an engine is: prompts as ids in, ids out. Each is one file; which outputs are accepted is the generator's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from t2t.config.run import SampleSettings
from t2t.generation.constrain import Guides
from t2t.model.seq2seq import SpecialIds


@dataclass(frozen=True, slots=True)
class Search:
    """``max_tokens``: the longest output, EOS counted. ``beams``: 1 is greedy, or with ``sample`` drawn token by token.

    ``no_repeat_ngram``: no n-gram of so many tokens is said twice, unless ``guides`` allow nothing else.
    ``keys``: where it is sampled, for each prompt of the batch the number of 64 bits that its draws hang on.
    """

    max_tokens: int
    beams: int = 1
    no_repeat_ngram: int | None = None
    sample: SampleSettings | None = None
    keys: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoded:
    """``ids``: without the start, with EOS where there is one. ``total``: their log-probability in nats, summed, EOS
    counted, as the model gives it without masks."""

    ids: tuple[int, ...]
    total: float


class Engine(Protocol):
    @property
    def ids(self) -> SpecialIds: ...

    def decode(self, prompts: Sequence[Sequence[int]], search: Search, guides: Guides | None = None) -> list[Decoded]:
        """The outputs of one batch of prompts, each with EOS last, in their order.

        ``guides``: of each prompt, which tokens may come next; then the search is greedy, or draws from these.

        InputError where the model's logits are not finite.
        """

    def rank(self, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[Sequence[int]]]) -> list[list[float]]:
        """The log-probabilities (nats, summed) of the ``texts`` of each prompt, which are ids with EOS last.

        InputError as in ``decode``.
        """

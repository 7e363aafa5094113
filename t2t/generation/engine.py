"""What an engine is: prompts as ids in, ids out. Each is one file; which outputs are accepted is the generator's.

What holds an engine to a grammar has a face too: ``Guides``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from t2t.config.run import SampleSettings
from t2t.model.seq2seq import SpecialIds


@dataclass(frozen=True, slots=True)
class Search:
    """``max_tokens``: the longest output, EOS counted. ``beams``: 1 is greedy, or with ``sample`` drawn token by token.

    ``no_repeat_ngram``: no n-gram of so many tokens is said twice, unless ``guides`` allow nothing else.
    ``length_penalty``: hypotheses of beams are compared by their log-probability over their tokens, EOS counted, to
    this power.
    ``keys``: where it is sampled, for each prompt of the batch the number of 64 bits that its draws hang on.
    """

    max_tokens: int
    beams: int = 1
    no_repeat_ngram: int | None = None
    sample: SampleSettings | None = None
    keys: tuple[int, ...] = ()
    length_penalty: float = 1.0


@dataclass(frozen=True, slots=True)
class Decoded:
    """``ids``: without the start, with EOS where there is one. ``total``: their log-probability in nats, summed, EOS
    counted, as the model gives it without masks."""

    ids: tuple[int, ...]
    total: float


class Guides(Protocol):
    """Which tokens may come next in each row of a batch."""

    def mask(self, live: Sequence[bool], left: Sequence[int], vocabulary: int) -> NDArray[np.bool_]:
        """[b, v]: True where a token is allowed; nothing is where a row is not ``live``.

        ``left``: tokens that each row has left, this one and EOS counted.
        """

    def take(self, tokens: Sequence[int], live: Sequence[bool]) -> list[bool]:
        """Each row that is ``live`` goes on with its token, one of those that were allowed. True for a row of which
        enough is known: it ends there."""

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows only, in this order."""


def usual_tokens(device: str) -> int:
    """The size of a batch (Decoding) that pays on a kind of device, ``cpu`` or ``cuda``.

    A processor's caches hold what a batch of some thousand tokens computes, and a GPU is only busy with more.
    """
    return 16384 if device == "cpu" else 32768


class Engine(Protocol):
    @property
    def ids(self) -> SpecialIds: ...

    @property
    def batch_tokens(self) -> int:
        """How large batches should be where nobody says, see Decoding and ``usual_tokens``."""

    def decode(
        self,
        prompts: Sequence[Sequence[int]],
        search: Search,
        guides: Guides | None = None,
        begun: Sequence[Sequence[int]] = (),
    ) -> list[Decoded]:
        """The outputs of one batch of prompts, each with EOS last, in their order.

        ``guides``: of each prompt, which tokens may come next; then the search is greedy, or draws from these.
        ``begun``: what each output begins with, behind which its guide is; it is neither ended nor as long as may be.

        InputError where the model's logits are not finite.
        """

    def stream(
        self, prompts: Sequence[Sequence[int]], search: Search, room: Callable[[], int], reserved: int
    ) -> Iterator[list[tuple[int, Decoded]]]:
        """The outputs of any number of prompts, the longest first, as they come: each with the place of its prompt.

        ``room``: how many tokens the rows of a batch may have together, of which each takes as many as the longest
        prompt there and ``reserved``. InputError as in ``decode``.
        """

    def log_probabilities(
        self, prompts: Sequence[Sequence[int]], outputs: Sequence[Sequence[int]]
    ) -> list[tuple[float, ...]]:
        """Of each token of the output for each prompt (nats), what is before it given: in one pass."""

    def rank(self, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[Sequence[int]]]) -> list[list[float]]:
        """The log-probabilities (nats, summed) of the ``texts`` of each prompt, which are ids with EOS last.

        InputError as in ``decode``.
        """

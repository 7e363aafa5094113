"""Token tasks: span corruption and prefix language modelling (Raffel et al. 2020, sections 3.1.4 and 3.2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from t2t.config.token_task import TokenTask
from t2t.draws import number_of
from t2t.errors import VocabularyError

Tokens: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]


def corrupted_lengths(raw: int, noise: float, mean_span: float) -> tuple[int, int]:
    """The lengths of prompt and target, EOS counted, that ``raw`` tokens become."""
    hidden = round(raw * noise)
    spans = round(hidden / mean_span)
    return raw - hidden + spans + 1, hidden + spans + 1


def raw_length(prompt_length: int, noise: float, mean_span: float) -> tuple[int, int]:
    """How many raw tokens fill a prompt of ``prompt_length``, and the length of their target."""
    raw = prompt_length - 1
    while corrupted_lengths(raw + 1, noise, mean_span)[0] <= prompt_length:
        raw += 1
    prompt, target = corrupted_lengths(raw, noise, mean_span)
    return (raw - 1, target - 1) if noise == 0.5 and target > prompt else (raw, target)


def _hidden(length: int, noise: float, mean_span: float) -> tuple[int, int]:
    """How many of ``length`` tokens are hidden, and in how many spans: at least one, none at the first token."""
    hidden = min(max(round(length * noise), 1), length - 1)
    return hidden, min(max(round(hidden / mean_span), 1), length - hidden)


def noise_mask(
    length: int, noise: float, mean_span: float, random: np.random.Generator, anywhere: bool = False
) -> Mask:
    """Which of ``length`` tokens are hidden: spans of at least one token, the first token is not in one.

    As many spans as ``noise`` and ``mean_span`` ask for, but no more than there are tokens to keep them apart. The last
    one ends the text, as in T5, so that a single one is always at the end; or, ``anywhere``, tokens may follow it.
    """
    if noise == 0:
        return np.zeros(length, dtype=np.bool_)
    total = max(length, 2)
    hidden, spans = _hidden(total, noise, mean_span)
    kept = (
        _segments(total - hidden + 1, spans + 1, random)[:-1] if anywhere else _segments(total - hidden, spans, random)
    )
    lengths = np.stack([kept, _segments(hidden, spans, random)], axis=1).ravel()
    mask = np.zeros(total, dtype=np.bool_)
    mask[: int(lengths.sum())] = np.repeat(np.arange(2 * spans) % 2 == 1, lengths)
    return mask[:length]


def _segments(total: int, parts: int, random: np.random.Generator) -> Tokens:
    """``total`` cut at random into so many parts of at least one."""
    begins = random.permutation(np.arange(total - 1) < parts - 1)
    lengths: Tokens = np.bincount(np.cumsum(np.concatenate([[0], begins])), minlength=parts)
    return lengths


def replace_spans(ids: Tokens, mask: Mask, sentinels: Sequence[int]) -> Tokens:
    """``ids`` with the n-th span of ``mask`` as the n-th of ``sentinels``. ValueError if there are not enough."""
    begins = mask & ~np.concatenate([[False], mask[:-1]])
    if int(begins.sum()) > len(sentinels):
        raise ValueError(f"{begins.sum()} spans, {len(sentinels)} sentinels")
    replaced = ids.copy()
    replaced[begins] = np.asarray(sentinels, dtype=np.int64)[: int(begins.sum())]
    kept: Tokens = replaced[~mask | begins]
    return kept


class Corrupter:
    """Makes prompts and targets of at most the given lengths, EOS counted but not written.

    ``sentinels``: the ids of ``<extra_id_0>``, ``<extra_id_1>`` and so on. VocabularyError if the longest text could
    need more of them than there are, or if ``prefix``, the ids that every prompt begins with, leaves it no room.
    """

    def __init__(
        self,
        settings: TokenTask,
        sentinels: Sequence[int],
        prompt_limit: int,
        target_limit: int,
        prefix: Sequence[int] = (),
    ) -> None:
        self.settings = settings
        self.sentinels = sentinels
        self.prefix = np.asarray(prefix, dtype=np.int64)
        self.limits = prompt_limit - len(prefix), target_limit
        if prefix and self.limits[0] < 4:
            found = f"the prefix {settings.prefix!r} has {len(prefix)} tokens, a prompt {prompt_limit}"
            raise VocabularyError("token_task", found, "raise lengths: prompt, or choose a shorter prefix")
        self.longest = self._longest()

    def _longest(self) -> int:
        """How many tokens of a text are used at once."""
        prompt, target = self.limits
        if self.settings.kind == "prefix language modelling":
            return prompt + target - 2
        noise, mean_span = self.settings.noise, self.settings.mean_span
        raw = max(raw_length(prompt, noise, mean_span)[0], 2)
        hidden, spans = _hidden(raw, noise, mean_span)
        while raw > 2 and (raw - hidden + spans >= prompt or hidden + spans >= target):
            raw -= 1
            hidden, spans = _hidden(raw, noise, mean_span)
        if spans > len(self.sentinels):
            found = f"a text of {raw} tokens needs {spans} sentinels, the tokenizer has {len(self.sentinels)}"
            raise VocabularyError("token_task", found, "lower lengths: prompt, or raise mean_span")
        return raw

    def row(self, ids: Sequence[int], key: str) -> tuple[Tokens, Tokens, Tokens]:
        """Prompt, with its prefix, target and the part of a text that they are made of, all drawn by ``key`` alone.

        Of a text that is longer than fits, a piece is drawn.
        """
        seed = number_of(key, size=16)
        random = np.random.Generator(np.random.Philox(seed))
        start = int(random.integers(0, max(len(ids) - self.longest, 0) + 1))
        used = np.asarray(ids[start : start + self.longest], dtype=np.int64)
        if self.settings.kind == "prefix language modelling":
            at = self._pivot(len(used), random)
            return self._after_prefix(used[:at]), used[at:], used
        how = self.settings
        mask = noise_mask(len(used), how.noise, how.mean_span, random, how.anywhere)
        prompt = self._after_prefix(replace_spans(used, mask, self.sentinels))
        return prompt, replace_spans(used, ~mask, self.sentinels), used

    def _after_prefix(self, ids: Tokens) -> Tokens:
        return np.concatenate([self.prefix, ids])

    def _pivot(self, length: int, random: np.random.Generator) -> int:
        """Where prompt ends and target begins: anywhere that leaves both a token and keeps both in their limits."""
        prompt, target = self.limits
        low, high = max(1, length - target + 1), min(length - 1, prompt - 1)
        return int(random.integers(low, high + 1)) if low <= high else 0

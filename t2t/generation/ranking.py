"""The log-probabilities of all texts of a closed set for each prompt: one pass of the encoder, one of the decoder for
each beginning that texts have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Logits = Callable[[Tensor], Tensor]  # the last tokens [n] to the logits of the next ones [n, vocabulary]
Select = Callable[[Tensor], None]  # rows [m] of the n that the next call goes on from


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Texts of one prompt that have begun alike, by their places. ``row``: of the last call."""

    row: int
    prompt: int
    texts: tuple[int, ...]


@torch.inference_mode()
def rank_texts(
    first_b: Tensor, logits_of: Logits, select: Select, texts: Sequence[Sequence[Sequence[int]]]
) -> list[list[float]]:
    """The log-probability (nats, summed) of each of ``texts`` [b][any number], as ids with EOS, for each of b inputs.

    ``first_b``, ``logits_of`` and ``select`` are those of ``beams.beam_search``; the rows are here the different
    beginnings of the texts. No text is the beginning of another, since each ends with EOS; equal ones score the same.
    """
    totals = [[0.0] * len(several) for several in texts]
    open_now = [_Beginning(row, row, tuple(range(len(several)))) for row, several in enumerate(texts)]
    last_n, depth = first_b, 0
    while open_now:
        following = _by_next_token(open_now, texts, depth)
        rows = torch.tensor([one.row for one, _ in following], device=last_n.device)
        tokens = torch.tensor([token for _, token in following], device=last_n.device)
        logits_nv = logits_of(last_n)
        gains = (logits_nv[rows, tokens] - logits_nv.logsumexp(dim=-1)[rows]).double().tolist()
        for (one, _), gain in zip(following, gains, strict=True):
            for text in one.texts:
                totals[one.prompt][text] += gain
        depth += 1
        on = [place for place, (one, _) in enumerate(following) if depth < len(texts[one.prompt][one.texts[0]])]
        if not on:
            break
        kept = torch.tensor(on, device=last_n.device)
        select(rows[kept])
        last_n = tokens[kept]
        open_now = [
            _Beginning(row, following[place][0].prompt, following[place][0].texts) for row, place in enumerate(on)
        ]
    return totals


def _by_next_token(
    beginnings: Sequence[_Beginning], texts: Sequence[Sequence[Sequence[int]]], depth: int
) -> list[tuple[_Beginning, int]]:
    """The beginnings parted by the token that comes next, each with it."""
    found = []
    for one in beginnings:
        parted: dict[int, list[int]] = {}
        for text in one.texts:
            parted.setdefault(texts[one.prompt][text][depth], []).append(text)
        found += [(_Beginning(one.row, one.prompt, tuple(those)), token) for token, those in parted.items()]
    return found

"""Step by step over one batch: of each row the likeliest token or one that is drawn, freely or under masks."""

from __future__ import annotations

import torch
from torch import Tensor

from t2t.generation.beams import Logits, Select
from t2t.generation.engine import Guides, Search
from t2t.generation.repeats import unrepeated
from t2t.generation.sampling import draw, signed
from t2t.model.seq2seq import SpecialIds

# Rows that have ended leave the batch when they are this share of it: copying the cache costs about a step.
ENDED_SHARE = 0.25


class _Rows:
    """What b rows have said, and of the n that are still in the batch: which of the b they are, the last token of each,
    whether it has ended, and the key of its draws."""

    def __init__(self, first_b: Tensor, search: Search, pad: int) -> None:
        size, device = first_b.shape[0], first_b.device
        self.first, self.pad = first_b[:1], pad
        self.tokens_bt = torch.full((size, search.max_tokens), pad, device=device)
        self.scores_bt = torch.zeros((size, search.max_tokens), device=device)
        self.number_n = torch.arange(size, device=device)
        self.last_n, self.ended_n = first_b, torch.zeros(size, dtype=torch.bool, device=device)
        self.keys_n = torch.tensor([signed(key) for key in search.keys], device=device)

    def so_far(self, step: int) -> Tensor:
        """What the n rows have said in ``step`` steps [n, step + 1], the start first."""
        return torch.cat([self.first.expand(len(self.number_n), 1), self.tokens_bt[self.number_n, :step]], dim=1)

    def append(self, step: int, tokens_n: Tensor, logits_nv: Tensor) -> None:
        """Note a step; rows that have ended say padding. ``logits_nv``: of the model, without masks."""
        self.last_n = tokens_n.masked_fill(self.ended_n, self.pad)
        self.tokens_bt[self.number_n, step] = self.last_n
        scores_n = logits_nv.gather(1, tokens_n[:, None]).squeeze(1) - logits_nv.logsumexp(dim=-1)
        self.scores_bt[self.number_n, step] = scores_n.masked_fill(self.ended_n, 0.0)

    def keep(self, kept: Tensor) -> None:
        """Go on with these of the n rows."""
        self.number_n, self.last_n, self.ended_n = self.number_n[kept], self.last_n[kept], self.ended_n[kept]
        self.keys_n = self.keys_n[kept] if len(self.keys_n) else self.keys_n


@torch.inference_mode()
def step_by_step(
    first_b: Tensor, logits_of: Logits, select: Select, search: Search, ids: SpecialIds, guides: Guides | None = None
) -> tuple[list[list[int]], Tensor]:
    """Ids of each of b rows (with the end where it came within ``max_tokens``), and the log-probabilities [b, t] of
    their tokens in nats, as the model gives them without masks; 0 behind the end.

    ``first_b``, ``logits_of`` and ``select`` are those of ``beams.beam_search``. A row at a dead end of its guide ends
    there. Draws are from the tokens that guides allow, whose probabilities then sum to 1.
    """
    rows = _Rows(first_b, search, ids.pad)
    for step in range(search.max_tokens):
        logits_nv = logits_of(rows.last_n)
        choices_nv = logits_nv
        if guides is not None:
            mask_nv = guides.mask((~rows.ended_n).tolist(), search.max_tokens - step, logits_nv.shape[1])
            allowed_nv = torch.from_numpy(mask_nv).to(first_b.device)
            choices_nv = logits_nv.masked_fill(~allowed_nv, -torch.inf)
            rows.ended_n = ~allowed_nv.any(dim=-1)  # a row that has ended is allowed nothing, one at a dead end neither
        if search.no_repeat_ngram is not None:
            choices_nv = unrepeated(choices_nv, rows.so_far(step), search.no_repeat_ngram)
        rows.append(step, _chosen(choices_nv, search, rows.keys_n, step), logits_nv)
        if guides is not None:
            guides.take(rows.last_n.tolist(), (~rows.ended_n).tolist())
        rows.ended_n = rows.ended_n | (rows.last_n == ids.end)
        count = int(rows.ended_n.sum())
        if count == len(rows.ended_n):
            break
        if count >= ENDED_SHARE * len(rows.ended_n):
            kept = (~rows.ended_n).nonzero().squeeze(1)
            rows.keep(kept)
            select(kept)
            if guides is not None:
                guides.select(kept.tolist())
    last = {ids.end} if guides is None else {ids.end, ids.pad}  # no grammar allows padding: it is behind a dead end
    return [until_end(row, ids.end, last) for row in rows.tokens_bt.tolist()], rows.scores_bt


def _chosen(choices_nv: Tensor, search: Search, keys_n: Tensor, step: int) -> Tensor:
    if search.sample is None:
        return choices_nv.max(dim=-1).indices
    return draw(choices_nv, search.sample, keys_n, torch.full_like(keys_n, step))


def until_end(row: list[int], end: int, last: set[int]) -> list[int]:
    """``row`` up to ``end``, which stays, or to another of ``last``, which does not."""
    place = next((index for index, token in enumerate(row) if token in last), len(row))
    return row[: place + 1] if row[place : place + 1] == [end] else row[:place]

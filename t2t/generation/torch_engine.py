"""Decoding with torch: greedy with a cache, freely or under masks, or beams."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from t2t.errors import InputError
from t2t.generation.beams import Logits, Select, beam_search
from t2t.generation.constrain import Guides
from t2t.generation.engine import Decoded, Search
from t2t.generation.ranking import rank_texts
from t2t.generation.sampling import sample
from t2t.model.seq2seq import Seq2Seq, SpecialIds

# Rows that have ended leave the batch when they are this share of it: copying the cache costs about a step.
_ENDED_SHARE = 0.25


class TorchEngine:
    """An Engine on one device. ``model`` is moved to ``device`` and ``dtype`` and set to evaluation."""

    def __init__(self, model: Seq2Seq, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> None:
        self.device = torch.device(device)
        self.model = model
        model.module.to(device=self.device, dtype=dtype).eval()

    @property
    def ids(self) -> SpecialIds:
        return self.model.ids

    @torch.inference_mode()
    def decode(self, prompts: Sequence[Sequence[int]], search: Search, guides: Guides | None = None) -> list[Decoded]:
        """See Engine."""
        input_bs, mask_bs = self._pad(prompts)
        if search.beams > 1 and guides is None:
            rows, totals = self._beams(input_bs, mask_bs, search)
        else:
            rows, totals = self._greedy(input_bs, mask_bs, search.max_tokens, guides)
        return [Decoded(tuple(row), total) for row, total in zip(rows, totals, strict=True)]

    @torch.inference_mode()
    def rank(self, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[Sequence[int]]]) -> list[list[float]]:
        """See Engine."""
        first_b, logits_of, select = self._stepping(*self._pad(prompts))
        totals = rank_texts(first_b, logits_of, select, texts)
        self._check_finite(torch.tensor([total for several in totals for total in several]))
        return totals

    @torch.inference_mode()
    def sample(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, top: int, draw: torch.Generator
    ) -> list[list[int]]:
        """Ids for each prompt, each token drawn by ``draw`` (of the CPU) from the ``top`` likeliest."""
        stepping = self._stepping(*self._pad(prompts))
        return sample(*stepping, min(top, self.model.vocabulary), max_tokens, self.ids.end, draw)

    def _pad(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        longest = max(1, *map(len, prompts))
        input_bs = torch.full((len(prompts), longest), self.ids.pad)
        mask_bs = torch.zeros((len(prompts), longest), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            input_bs[row, : len(prompt)] = torch.as_tensor(prompt, dtype=torch.long)
            mask_bs[row, : len(prompt)] = 1
        return input_bs.to(self.device), mask_bs.to(self.device)

    def _greedy(
        self, input_bs: Tensor, mask_bs: Tensor, max_tokens: int, guides: Guides | None
    ) -> tuple[list[list[int]], list[float]]:
        """Ids and summed log-probabilities of each row, the likeliest token (of those allowed) at every step."""
        size, ids = input_bs.shape[0], self.ids
        hidden_bsd = self.model.encode(input_bs, mask_bs)
        cache = self.model.new_cache()
        tokens = torch.full((size, max_tokens), ids.pad, device=self.device)
        scores = torch.zeros((size, max_tokens), device=self.device)
        alive = torch.arange(size, device=self.device)
        ended = torch.zeros(size, dtype=torch.bool, device=self.device)
        last_b = torch.full((size,), ids.start, device=self.device)
        for step in range(max_tokens):
            logits_bv = self.model.step(last_b, hidden_bsd, mask_bs, cache)
            total_b = logits_bv.logsumexp(dim=-1)
            if guides is not None:
                live = (~ended).tolist()
                allowed_bv = torch.from_numpy(guides.mask(live, max_tokens - step, logits_bv.shape[1])).to(self.device)
                logits_bv = logits_bv.masked_fill(~allowed_bv, -torch.inf)
                ended = ~allowed_bv.any(dim=-1)  # a row that has ended is allowed nothing, one at a dead end neither
            best_b, last_b = logits_bv.max(dim=-1)
            last_b = last_b.masked_fill(ended, ids.pad)
            if guides is not None:
                guides.take(last_b.tolist(), (~ended).tolist())
            tokens[alive, step] = last_b
            scores[alive, step] = (best_b - total_b).masked_fill(ended, 0.0)
            ended = ended | (last_b == ids.end)
            count = int(ended.sum())
            if count == len(alive):
                break
            if count >= _ENDED_SHARE * len(alive):
                kept = (~ended).nonzero().squeeze(1)
                if guides is not None:
                    guides.select(kept.tolist())
                cache.select(kept)
                alive, last_b, ended = alive[kept], last_b[kept], ended[kept]
                hidden_bsd, mask_bs = hidden_bsd[kept], mask_bs[kept]
        self._check_finite(scores)
        last = {ids.end} if guides is None else {ids.end, ids.pad}  # no grammar allows padding: it is behind a dead end
        return [_until(row, ids.end, last) for row in tokens.tolist()], scores.double().sum(dim=1).tolist()

    def _check_finite(self, scores: Tensor) -> None:
        if not bool(torch.isfinite(scores).all()):
            found = f"the model's logits are NaN or infinite in {str(self.model.dtype).removeprefix('torch.')}"
            raise InputError("model", found, "use precision: fp32, or a sound checkpoint")

    def _beams(self, input_bs: Tensor, mask_bs: Tensor, search: Search) -> tuple[list[list[int]], list[float]]:
        """Ids and summed log-probabilities of each row's best beam."""
        stepping = self._stepping(input_bs, mask_bs)
        return beam_search(*stepping, search.beams, search.max_tokens, self.ids.end)

    def _stepping(self, input_bs: Tensor, mask_bs: Tensor) -> tuple[Tensor, Logits, Select]:
        """What a search over rows is made of: the first tokens, the logits that follow, and which rows go on."""
        model = self.model
        cache, state = model.new_cache(), [model.encode(input_bs, mask_bs), mask_bs]

        def logits_of(last_n: Tensor) -> Tensor:
            return model.step(last_n, state[0], state[1], cache)

        def select(rows: Tensor) -> None:
            cache.select(rows)
            state[:] = [tensor[rows] for tensor in state]

        return torch.full((input_bs.shape[0],), self.ids.start, device=self.device), logits_of, select


def _until(row: list[int], end: int, last: set[int]) -> list[int]:
    """``row`` up to ``end``, which stays, or to another of ``last``, which does not."""
    place = next((index for index, token in enumerate(row) if token in last), len(row))
    return row[: place + 1] if row[place : place + 1] == [end] else row[:place]

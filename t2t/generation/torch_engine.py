"""Decoding with torch: greedy or sampled with a cache, freely or under masks, or with beams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor

from t2t.errors import InputError
from t2t.generation.batches import in_batches
from t2t.generation.beams import Logits, Select, beam_search
from t2t.generation.engine import Decoded, Guides, Search, usual_tokens
from t2t.generation.ranking import rank_texts
from t2t.generation.stepwise import Steps
from t2t.model.seq2seq import IGNORED, Seq2Seq, SpecialIds, shift_right

_POSITIONS = 1024  # whose logits are in memory together


class TorchEngine:
    """An Engine on one device. ``model`` is moved to ``device`` and ``dtype`` and set to evaluation."""

    def __init__(self, model: Seq2Seq, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> None:
        self.device = torch.device(device)
        self.model = model
        model.module.to(device=self.device, dtype=dtype).eval()

    @property
    def ids(self) -> SpecialIds:
        return self.model.ids

    @property
    def batch_tokens(self) -> int:
        return usual_tokens(self.device.type)

    @torch.inference_mode()
    def decode(
        self,
        prompts: Sequence[Sequence[int]],
        search: Search,
        guides: Guides | None = None,
        begun: Sequence[Sequence[int]] = (),
    ) -> list[Decoded]:
        """See Engine."""
        if search.beams > 1 and guides is None:
            rows, totals = beam_search(*self._stepping(prompts), search, self.ids.end)
            return [Decoded(tuple(row), total) for row, total in zip(rows, totals, strict=True)]
        steps = Steps(self.model, self._encoded, prompts, search, lambda longest: len(prompts), guides)
        if any(begun):
            steps.begin_with(begun, self.log_probabilities(prompts, begun))
        found = dict(one for several in steps for one in self._checked(several))
        return [found[place] for place in range(len(prompts))]

    def stream(
        self, prompts: Sequence[Sequence[int]], search: Search, room: Callable[[], int], reserved: int
    ) -> Iterator[list[tuple[int, Decoded]]]:
        """See Engine. Rows that have ended make room for others, but among beams."""
        if search.beams > 1:
            yield from in_batches(self, prompts, search, room, reserved)
            return

        def rows_for(longest: int) -> int:
            return room() // (longest + reserved)

        for found in Steps(self.model, self._encoded, prompts, search, rows_for):
            yield self._checked(found)

    @torch.inference_mode()
    def log_probabilities(
        self, prompts: Sequence[Sequence[int]], outputs: Sequence[Sequence[int]]
    ) -> list[tuple[float, ...]]:
        """See Engine."""
        mask_bs, hidden_bsd = self._encoded(prompts)
        longest = max(1, *map(len, outputs))
        labels_bt = torch.tensor([[*one, *[IGNORED] * (longest - len(one))] for one in outputs], device=self.device)
        kept_bt = labels_bt != IGNORED
        states_btd = self.model.decode(shift_right(labels_bt, self.ids), hidden_bsd, mask_bs)
        states_nd, labels_n = states_btd[kept_bt], labels_bt[kept_bt]
        logs: list[float] = []
        for place in range(0, len(labels_n), _POSITIONS):
            logits_nv = self.model.logits(states_nd[place : place + _POSITIONS]).float()
            wanted_n1 = labels_n[place : place + _POSITIONS, None]
            logs += (logits_nv.gather(1, wanted_n1)[:, 0] - logits_nv.logsumexp(dim=-1)).tolist()
        rest = iter(logs)
        return [tuple(islice(rest, len(one))) for one in outputs]

    @torch.inference_mode()
    def rank(self, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[Sequence[int]]]) -> list[list[float]]:
        """See Engine."""
        first_b, logits_of, select = self._stepping(prompts)
        totals = rank_texts(first_b, logits_of, select, texts)
        self._check_finite(torch.tensor([total for several in totals for total in several]))
        return totals

    def _encoded(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """The mask [b, s] of the prompts, 0 where there is padding, and their states [b, s, d]."""
        longest = max(1, *map(len, prompts))
        input_bs = torch.full((len(prompts), longest), self.ids.pad)
        mask_bs = torch.zeros((len(prompts), longest), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            input_bs[row, : len(prompt)] = torch.as_tensor(prompt, dtype=torch.long)
            mask_bs[row, : len(prompt)] = 1
        input_bs, mask_bs = input_bs.to(self.device), mask_bs.to(self.device)
        return mask_bs, self.model.encode(input_bs, mask_bs)

    def _checked(self, found: list[tuple[int, Decoded]]) -> list[tuple[int, Decoded]]:
        self._check_finite(torch.tensor([one.total for _, one in found]))
        return found

    def _check_finite(self, scores: Tensor) -> None:
        if not bool(torch.isfinite(scores).all()):
            found = f"the model's logits are NaN or infinite in {str(self.model.dtype).removeprefix('torch.')}"
            raise InputError("model", found, "use precision: fp32, or a sound checkpoint")

    def _stepping(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Logits, Select]:
        """What a search over rows is made of: the first tokens, the logits that follow, and which rows go on.

        A prompt that is there several times, for several samples, is encoded once.
        """
        model, places = self.model, {prompt: place for place, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
        mask_bs, hidden_bsd = self._encoded(list(places))
        cache, state = model.new_cache(), [hidden_bsd, mask_bs]

        def logits_of(last_n: Tensor) -> Tensor:
            return model.step(last_n, state[0], state[1], cache)

        def keep(rows: Tensor) -> None:
            state[:] = [tensor[rows] for tensor in state]

        def select(rows: Tensor) -> None:
            cache.select(rows)
            keep(rows)

        if len(places) < len(prompts):
            keep(torch.tensor([places[tuple(prompt)] for prompt in prompts], device=self.device))
        return torch.full((len(prompts),), self.ids.start, device=self.device), logits_of, select

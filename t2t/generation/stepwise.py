"""Step by step over many prompts: of each row the likeliest token or one that is drawn, freely or under masks.

All go through one batch: where rows have ended, others begin (continuous batching; Yu et al. 2022, Orca). Rows then
differ in how much they have said. What a decoder keeps of the tokens before is aligned at its end, and each row is
shown what is its own; the models' positions are relative, so that is all there is to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from t2t.generation.engine import Decoded, Guides, Search
from t2t.generation.repeats import unrepeated
from t2t.generation.sampling import draw, signed
from t2t.model.seq2seq import Cache, Seq2Seq

# Rows that have ended leave the batch when they are this share of it: copying the cache costs about a step.
ENDED_SHARE = 0.25
Encode = Callable[[Sequence[Sequence[int]]], tuple[Tensor, Tensor]]


@dataclass(slots=True)
class _Rows:
    """n rows of a batch: whose prompts they are (``place``), the last token of each (at first [n, t], all that it
    begins with, padded in front), how many it has said (``age``), whether it has ended, the mask and states of its
    prompt, and what the decoder keeps, of ``slots`` tokens.

    ``mixed``: rows may differ in age.
    """

    place_n: Tensor
    last_n: Tensor
    age_n: Tensor
    ended_n: Tensor
    mask_ns: Tensor
    hidden_nsd: Tensor
    cache: Cache
    slots: int = 0
    mixed: bool = False

    def seen(self) -> Tensor | None:
        """[n, slots + 1]: 1 where a token, the one that is read now among them, is the row's own."""
        if not self.mixed:
            return None
        slots_t = torch.arange(self.slots + 1, device=self.age_n.device)
        return (slots_t >= self.slots - self.age_n[:, None]).long()

    def keep(self, kept_n: Tensor) -> None:
        """Go on with these rows (places among the n), without what none of them needs."""
        front = self.hidden_nsd.shape[1] - self.mask_ns.shape[1]  # states that are before every prompt
        self.mask_ns = self.mask_ns[kept_n]
        self.age_n = self.age_n[kept_n]
        width = int(self.mask_ns.sum(dim=1).max())
        self.slots = int(self.age_n.max())
        self.mask_ns = self.mask_ns[:, :width]
        self.hidden_nsd = self.hidden_nsd[kept_n, : front + width]
        self.cache.crop(self.slots, front + width)
        self.cache.select(kept_n)
        self.place_n, self.last_n, self.ended_n = self.place_n[kept_n], self.last_n[kept_n], self.ended_n[kept_n]

    def join(self, more: _Rows) -> None:
        """Go on with the rows of ``more`` too."""
        self.cache.join(more.cache)
        width = max(self.mask_ns.shape[1], more.mask_ns.shape[1])
        states = max(self.hidden_nsd.shape[1], more.hidden_nsd.shape[1])
        self.mask_ns = torch.cat([_widened(one.mask_ns[..., None], width)[..., 0] for one in (self, more)])
        self.hidden_nsd = torch.cat([_widened(one.hidden_nsd, states) for one in (self, more)])
        for name in ("place_n", "last_n", "age_n", "ended_n"):
            setattr(self, name, torch.cat([getattr(self, name), getattr(more, name)]))
        self.slots, self.mixed = max(self.slots, more.slots), True


def _widened(rows_nsd: Tensor, width: int) -> Tensor:
    return functional.pad(rows_nsd, (0, 0, 0, width - rows_nsd.shape[1]))


class Steps:
    """The outputs of many prompts by a greedy search, or drawn, with the log-probabilities that the model gives their
    tokens without masks.

    ``encode``: gives mask [n, s] and states [n, s, d] of prompts. ``rows_for``: how many rows there may be where the
    longest prompt has so many tokens; if not all, the longest come first and there are no ``guides``. A row at a dead
    end of its guide ends there. Draws are from the tokens that guides allow, whose probabilities then sum to 1.
    """

    def __init__(
        self,
        model: Seq2Seq,
        encode: Encode,
        prompts: Sequence[Sequence[int]],
        search: Search,
        rows_for: Callable[[int], int],
        guides: Guides | None = None,
    ) -> None:
        self._model, self._encode, self._prompts = model, encode, [tuple(prompt) for prompt in prompts]
        self._search, self._rows_for, self._guides = search, rows_for, guides
        self._begun: Sequence[Sequence[int]] = [()] * len(prompts)
        self._device = next(model.module.parameters()).device
        shape = len(self._prompts), search.max_tokens
        self._tokens_pt = torch.full(shape, model.ids.pad, device=self._device)
        self._scores_pt = torch.zeros(shape, device=self._device)
        self._keys_p = torch.tensor([signed(key) for key in search.keys], device=self._device)

    def begin_with(self, begun: Sequence[Sequence[int]], logs: Sequence[Sequence[float]]) -> None:
        """Have each output begin with tokens that are known, of these log-probabilities."""
        self._begun = begun
        for place, (ids, own) in enumerate(zip(begun, logs, strict=True)):
            self._tokens_pt[place, : len(ids)] = torch.tensor(ids, dtype=torch.long)
            self._scores_pt[place, : len(ids)] = torch.tensor(own)

    @torch.inference_mode()
    def __iter__(self) -> Iterator[list[tuple[int, Decoded]]]:
        """Places of prompts with their outputs, as rows leave the batch."""
        rows, begun = None, 0
        while rows is not None or begun < len(self._prompts):
            live = 0 if rows is None else int((~rows.ended_n).sum())
            left = self._prompts[begun:][:1]
            width = max([*map(len, left), *([] if not live or rows is None else [rows.mask_ns.shape[1]])], default=1)
            most = max(1, self._rows_for(width))
            refill = bool(left) and (not live or most - live >= ENDED_SHARE * most)
            few = rows is not None and len(rows.ended_n) - live < ENDED_SHARE * len(rows.ended_n)
            # Where the slots are as many as an output may have, who has used them all has ended, and they become fewer.
            if rows is not None and live and not refill and few and rows.slots < self._search.max_tokens:
                self._step(rows)
                continue
            if rows is not None and (ended_n := rows.ended_n).any():
                yield self._decoded(rows.place_n[ended_n])
                if live:
                    kept_n = (~ended_n).nonzero().squeeze(1)
                    rows.keep(kept_n)
                    if self._guides is not None:
                        self._guides.select(kept_n.tolist())
            rows = rows if live else None
            if refill:
                more = self._first(range(begun, min(len(self._prompts), begun + most - live)))
                begun += len(more.place_n)
                if rows is None:
                    rows = more
                else:
                    rows.join(more)

    def _first(self, places: range) -> _Rows:
        """Rows for prompts with their first new tokens. One that is there several times is encoded once."""
        prompts = [self._prompts[place] for place in places]
        number = {prompt: n for n, prompt in enumerate(dict.fromkeys(prompts))}
        mask_ns, hidden_nsd = self._encode(list(number))
        if len(number) < len(prompts):
            which_n = torch.tensor([number[prompt] for prompt in prompts], device=self._device)
            mask_ns, hidden_nsd = mask_ns[which_n], hidden_nsd[which_n]
        place_n = torch.arange(places.start, places.stop, device=self._device)
        ended_n = torch.zeros_like(place_n, dtype=torch.bool)
        begun, ids = [self._begun[place] for place in places], self._model.ids
        slots = max(map(len, begun))
        known = [[ids.pad] * (slots - len(one)) + [ids.start, *one] for one in begun]
        last_nt = torch.tensor(known, device=self._device)
        last = last_nt if slots else last_nt[:, 0]
        age_n = torch.tensor([len(one) for one in begun], device=self._device)
        mixed = min(map(len, begun)) < slots
        rows = _Rows(
            place_n, last, age_n, ended_n, mask_ns, hidden_nsd, self._model.new_cache(), slots=slots, mixed=mixed
        )
        self._step(rows)
        return rows

    def _step(self, rows: _Rows) -> None:
        """One more token of each row; what those say that have ended counts for nothing."""
        search = self._search
        logits_nv = self._model.step(rows.last_n, rows.hidden_nsd, rows.mask_ns, rows.cache, rows.seen())
        choices_nv = logits_nv
        if self._guides is not None:
            left = (search.max_tokens - rows.age_n).tolist()
            mask_nv = self._guides.mask((~rows.ended_n).tolist(), left, logits_nv.shape[1])
            allowed_nv = torch.from_numpy(mask_nv).to(self._device)
            choices_nv = logits_nv.masked_fill(~allowed_nv, -torch.inf)
            rows.ended_n = ~allowed_nv.any(dim=-1)  # one that has ended is allowed nothing, one at a dead end neither
        if search.no_repeat_ngram is not None:
            choices_nv = self._unrepeated(choices_nv, rows, search.no_repeat_ngram)
        if search.sample is None:
            rows.last_n = choices_nv.max(dim=-1).indices
        else:
            rows.last_n = draw(choices_nv, search.sample, self._keys_p[rows.place_n], rows.age_n)
        scores_n = logits_nv.gather(1, rows.last_n[:, None]).squeeze(1) - logits_nv.logsumexp(dim=-1)
        where = rows.place_n, rows.age_n.clamp(max=search.max_tokens - 1)
        self._tokens_pt[where] = torch.where(rows.ended_n, self._tokens_pt[where], rows.last_n)
        self._scores_pt[where] = torch.where(rows.ended_n, self._scores_pt[where], scores_n)
        if self._guides is not None:
            known = self._guides.take(rows.last_n.tolist(), (~rows.ended_n).tolist())
            rows.ended_n = rows.ended_n | torch.tensor(known, device=self._device)
        rows.age_n = rows.age_n + 1
        rows.slots += 1
        rows.ended_n = rows.ended_n | (rows.last_n == self._model.ids.end) | (rows.age_n >= search.max_tokens)

    def _unrepeated(self, choices_nv: Tensor, rows: _Rows, size: int) -> Tensor:
        found_nv = choices_nv.clone()
        for age in sorted(set(rows.age_n.tolist())):
            those_m = (rows.age_n == age).nonzero().squeeze(1)
            said_mt = self._tokens_pt[rows.place_n[those_m], :age]
            said_mt = functional.pad(said_mt, (1, 0), value=self._model.ids.start)
            found_nv[those_m] = unrepeated(choices_nv[those_m], said_mt, size)
        return found_nv

    def _decoded(self, place_n: Tensor) -> list[tuple[int, Decoded]]:
        ids = self._model.ids
        last = {ids.end} if self._guides is None else {ids.end, ids.pad}  # no grammar allows padding: a dead end
        said = [tuple(_until(row, ids.end, last)) for row in self._tokens_pt[place_n].tolist()]
        totals = self._scores_pt[place_n].double().sum(dim=1).tolist()
        return list(zip(place_n.tolist(), map(Decoded, said, totals), strict=True))


def _until(row: list[int], end: int, last: set[int]) -> list[int]:
    """``row`` up to ``end``, which stays, or to another of ``last``, which does not."""
    place = next((index for index, token in enumerate(row) if token in last), len(row))
    return row[: place + 1] if row[place : place + 1] == [end] else row[:place]

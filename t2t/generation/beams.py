"""Beam search over one batch: several hypotheses an input, the best by its log-probability for its length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from t2t.generation.engine import Search
from t2t.generation.repeats import unrepeated

Logits = Callable[[Tensor], Tensor]  # the last tokens [n] to the logits of the next ones [n, vocabulary]
Select = Callable[[Tensor], None]  # rows [m] of the n that the next call goes on from


@dataclass(slots=True)
class _Hypotheses:
    """The hypotheses of one input: the running ones as their rows are in the batch, best first, and those ended.

    ``penalty``: of the length; a hypothesis is worth its sum of log-probabilities over its tokens to this power.
    """

    penalty: float
    running: list[tuple[float, tuple[int, ...]]] = field(default_factory=lambda: [(0.0, ())])
    ended: list[tuple[float, float, tuple[int, ...]]] = field(default_factory=list)  # worth, sum, ids

    def advance(self, candidates: Sequence[tuple[float, int, int]], beams: int, eos: int) -> list[int]:
        """Go on with the best of ``candidates`` (sum, which running one, token), best first; gives who goes on."""
        kept: list[int] = []
        running: list[tuple[float, tuple[int, ...]]] = []
        for rank, (total, place, token) in enumerate(candidates):
            ids = (*self.running[place][1], token)
            if token == eos:
                if rank < beams:
                    self.ended.append((self._worth(total, ids), total, ids))
            elif len(running) < beams:
                running.append((total, ids))
                kept.append(place)
        self.running = running
        self.ended = sorted(self.ended, key=lambda one: one[0], reverse=True)[:beams]
        return kept

    def is_done(self, beams: int) -> bool:
        """True if no running hypothesis, as it stands, is worth more than all that ended."""
        if not self.running or len(self.ended) < beams:
            return not self.running
        total, ids = self.running[0]
        return self.ended[-1][0] >= self._worth(total, ids)

    def _worth(self, total: float, ids: Sequence[int]) -> float:
        return float(total / len(ids) ** self.penalty)

    def best(self) -> tuple[list[int], float]:
        """Ids and sum of log-probabilities of the best that ended; of the best running one if none has."""
        if self.ended:
            return list(self.ended[0][2]), self.ended[0][1]
        return list(self.running[0][1]), self.running[0][0]


@torch.inference_mode()
def beam_search(
    first_b: Tensor, logits_of: Logits, select: Select, search: Search, eos: int
) -> tuple[list[list[int]], list[float]]:
    """Ids (with EOS where it came within ``max_tokens``) and summed log-probabilities in nats, for each of b inputs.

    ``first_b`` are the decoder's first tokens. ``logits_of`` is called with the last token of each row and adds it to
    its cache; ``select`` then names the rows that go on, in their new order: those of inputs that are done leave.
    What says an n-gram again (``search.no_repeat_ngram``) does not go on; the others keep their log-probabilities. A
    hypothesis is worth its summed log-probability over its tokens, EOS counted, to the power ``search.length_penalty``
    (as in transformers; 1: the mean). An input is done when ``beams`` hypotheses have ended that are all worth more
    than what the running ones are so far.
    """
    beams, start = search.beams, int(first_b[0])
    inputs = [_Hypotheses(search.length_penalty) for _ in range(first_b.shape[0])]
    alive, last_n = list(range(len(inputs))), first_b
    for _ in range(search.max_tokens):
        scores_nv = logits_of(last_n).log_softmax(dim=-1)
        going_on = [inputs[number] for number in alive]
        if search.no_repeat_ngram is not None:
            said = [[start, *ids] for one in going_on for _, ids in one.running]
            scores_nv = unrepeated(scores_nv, torch.tensor(said, device=first_b.device), search.no_repeat_ngram)
        rows, tokens = _advance(going_on, scores_nv, beams, eos)
        going = [index for index, number in enumerate(alive) if not inputs[number].is_done(beams)]
        if not going:
            break
        alive = [alive[index] for index in going]
        select(torch.tensor([row for index in going for row in rows[index]], device=first_b.device))
        last_n = torch.tensor([token for index in going for token in tokens[index]], device=first_b.device)
    found = [one.best() for one in inputs]
    return [ids for ids, _ in found], [total for _, total in found]


def _advance(
    inputs: Sequence[_Hypotheses], scores_nv: Tensor, beams: int, eos: int
) -> tuple[list[list[int]], list[list[int]]]:
    """One more token for all inputs, by log-probabilities; for each the rows of the batch that go on, and their new
    tokens."""
    sizes = [len(one.running) for one in inputs]
    sums = torch.tensor([total for one in inputs for total, _ in one.running], device=scores_nv.device)
    # Of 2 x beams candidates at most ``beams`` end, so enough go on.
    best = (scores_nv + sums[:, None]).topk(min(2 * beams, scores_nv.shape[1]), dim=-1)
    totals, ids = best.values.tolist(), best.indices.tolist()
    rows: list[list[int]] = []
    start = 0
    for one, size in zip(inputs, sizes, strict=True):
        candidates = [
            (total, place, token)
            for place in range(size)
            for total, token in zip(totals[start + place], ids[start + place], strict=True)
        ]
        candidates.sort(key=lambda candidate: (-candidate[0], candidate[1], candidate[2]))
        rows.append([start + place for place in one.advance(candidates[: 2 * beams], beams, eos)])
        start += size
    return rows, [[ids_of[-1] for _, ids_of in one.running] for one in inputs]

"""What a teacher says of each target position, as a term of the loss (Hinton et al. 2015, on tokens)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.nn import functional

from t2t.engine.terms import OfPositions
from t2t.model.seq2seq import Seq2Seq

_LEAST_REST = 1e-6  # probability of all tokens that are not among the top: its logarithm stays finite


class Distilled:
    """weight x divergence from the teacher, in place of as much of the cross-entropy.

    The teacher reads the same prompt and the same tokens of the target before a position. It is frozen, without
    dropout, whole on every rank, and no part of what DeepSpeed trains or saves. It has no state.
    """

    def __init__(
        self, teacher: Seq2Seq, weight: float, temperature: float, top: int | None = None, *, autocast: bool = False
    ) -> None:
        """``autocast``: the teacher computes in bf16, as a student does that is trained so."""
        self.replaces, self.temperature, self.top = weight, temperature, top
        self._teacher, self._autocast = teacher, autocast
        teacher.module.requires_grad_(False).eval()

    def begin(self, batch: Mapping[str, Tensor], kept_bt: Tensor) -> OfPositions:
        device = kept_bt.device.type
        with torch.no_grad(), self._precision(device):
            states_nd = self._teacher.states_of(batch, kept_bt)

        def cost(places: slice, logits_nv: Tensor, targets_n: Tensor) -> Tensor:
            with torch.no_grad(), self._precision(device):
                taught_nv = self._teacher.logits(states_nd[places])
            return self.replaces * divergence(logits_nv, taught_nv.float(), self.temperature, self.top)

        return cost

    def _precision(self, device: str) -> AbstractContextManager[object]:
        return torch.autocast(device, dtype=torch.bfloat16) if self._autocast else nullcontext()


def divergence(logits_nv: Tensor, taught_nv: Tensor, temperature: float, top: int | None = None) -> Tensor:
    """[n], nats: T^2 KL(teacher || student), both softmax(logits / T) over the ids that both have.

    T^2 keeps the gradient as large as at T = 1. ``top``: of the teacher's so many likeliest ids each, all others
    together as one more class, in both; this is never more than the whole divergence, and equal to it where ``top`` is
    all.
    """
    ids = min(logits_nv.shape[-1], taught_nv.shape[-1])  # beyond these are rows of an embedding without a piece
    own_nv = functional.log_softmax(logits_nv[..., :ids] / temperature, dim=-1)
    taught_nv = functional.log_softmax(taught_nv[..., :ids] / temperature, dim=-1)
    if top is not None and top < ids:
        taught_nk, places_nk = taught_nv.topk(top, dim=-1)
        own_nk = own_nv.gather(-1, places_nk)
        taught_nv, own_nv = (torch.cat([part, _rest(part)], dim=-1) for part in (taught_nk, own_nk))
    return temperature**2 * (taught_nv.exp() * (taught_nv - own_nv)).sum(dim=-1)


def _rest(logarithms_nk: Tensor) -> Tensor:
    """[n, 1], the logarithm of what the probabilities of these leave to all others."""
    together = torch.logsumexp(logarithms_nk, dim=-1, keepdim=True)
    return torch.log(-torch.expm1(together.clamp(max=-_LEAST_REST)))

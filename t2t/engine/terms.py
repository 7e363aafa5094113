"""Terms of the loss beside the cross-entropy: what each target position costs besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

# Of the n positions with a target those of a slice, whose logits are [m, vocabulary] (fp32) and targets [m], to [m].
OfPositions = Callable[[slice, Tensor, Tensor], Tensor]


class Term(Protocol):
    """A part of the loss. It is added to the others, position by position, before positions are weighed and summed.

    So it is normalised as they are, whatever the number of ranks and ZeRO's stage. It has no weights that are trained.
    What hangs on the weights of the model alone is no term: no process has all of them at ZeRO 3 (see anchoring.py).
    """

    @property
    def replaces(self) -> float:
        """The share of the cross-entropy, from 0 to 1, in whose place it stands."""

    def begin(self, batch: Mapping[str, Tensor], kept_bt: Tensor) -> OfPositions:
        """What the positions of a micro-batch cost, those where ``kept_bt`` is true in their order.

        It may be asked for the same slice twice: in the backward pass logits are computed again. It draws no random
        numbers.
        """


@dataclass(frozen=True, slots=True)
class ZLoss:
    """weight x (ln Z)^2, Z the sum of the exponentials of a position's logits: it keeps them from drifting away from
    0 (Mesh TensorFlow's z-loss; Chowdhery et al. 2022, section 5)."""

    weight: float
    replaces: float = 0.0

    def begin(self, batch: Mapping[str, Tensor], kept_bt: Tensor) -> OfPositions:
        return self._cost

    def _cost(self, places: slice, logits_nv: Tensor, targets_n: Tensor) -> Tensor:
        return self.weight * torch.logsumexp(logits_nv, dim=-1) ** 2

"""Integrated gradients (Sundararajan, Taly and Yan 2017) of an output's score over the encoder's embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from t2t.errors import InputError
from t2t.explaining.scoring import Scorer

# Points of the path at which gradients are taken (Gauss-Legendre), more where the fewer do not add up.
STEPS = (16, 64, 256)
TOLERANCE = 0.02  # of the difference that they should add up to, or of a nat where that is less than one


@dataclass(frozen=True, slots=True)
class Attributed:
    """``tokens``: what each token of the prompt adds to the score (nats), 0 for those that stay. ``score``: of the
    output; ``without``: with the padding's embedding in the place of what is replaced. By completeness the tokens add
    up to score - without; ``gap`` is what they miss it by."""

    tokens: tuple[float, ...]
    score: float
    without: float

    @property
    def gap(self) -> float:
        return sum(self.tokens) - (self.score - self.without)


def adds_up(gap: float, difference: float) -> bool:
    """True if attributions miss the difference in score that they should add up to by no more than TOLERANCE."""
    return abs(gap) <= TOLERANCE * max(1.0, abs(difference))


def check_installed() -> None:
    """InputError where captum is not installed."""
    if find_spec("captum") is None:
        found = "attributions are computed by captum, which is not installed"
        raise InputError("t2t explain", found, 'install it: pip install "t2t[explain]"')


def integrated_gradients(scorer: Scorer, ids: Sequence[int], replaced: Sequence[int]) -> Attributed:
    """What each token of a prompt, of those at the places ``replaced``, adds to the score of an output.

    The path leads from the prompt with the embedding of padding in those places to the prompt itself, so that what
    stays (the task's wording, EOS) is part of both. InputError where captum is not installed.
    """
    check_installed()
    embedded_1sd, base_1sd = _ends(scorer, ids, replaced)

    with torch.no_grad():
        score, without = (float(scorer.of_embedded(end, _mask(end))) for end in (embedded_1sd, base_1sd))
    for steps in STEPS:
        tokens = _along(scorer, embedded_1sd, base_1sd, steps)
        found = Attributed(tokens, score, without)
        if adds_up(found.gap, score - without):
            break
    return found


def _ends(scorer: Scorer, ids: Sequence[int], replaced: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The two ends of the path, [1, s, d] each."""
    model = scorer.model
    with torch.no_grad():
        embedded_1sd = model.embed(torch.tensor([list(ids)], device=scorer.device))
        pad_1d = model.embed(torch.tensor([model.ids.pad], device=scorer.device))
        base_1sd = embedded_1sd.clone()
        base_1sd[0, list(replaced)] = pad_1d
    return embedded_1sd, base_1sd


def _along(scorer: Scorer, embedded_1sd: Tensor, base_1sd: Tensor, steps: int) -> tuple[float, ...]:
    from captum.attr import IntegratedGradients

    method: Any = IntegratedGradients(lambda points_nsd: scorer.of_embedded(points_nsd, _mask(points_nsd)))
    found_1sd: Tensor = method.attribute(
        embedded_1sd.requires_grad_(),
        base_1sd,
        n_steps=steps,
        method="gausslegendre",
        internal_batch_size=scorer.rows_at_once(embedded_1sd.shape[1]),
    )
    return tuple(found_1sd.sum(dim=-1)[0].double().tolist())


def _mask(embedded_nsd: Tensor) -> Tensor:
    return torch.ones(embedded_nsd.shape[:2], dtype=torch.long, device=embedded_nsd.device)

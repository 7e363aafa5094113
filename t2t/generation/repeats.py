"""No n-gram twice in an output, by transformers' own rule."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import NoRepeatNGramLogitsProcessor


def unrepeated(scores_nv: Tensor, said_nt: Tensor, size: int) -> Tensor:
    """Scores [n, v] with -inf for every token that would say an n-gram of ``size`` a second time.

    ``said_nt``: what each row has said, the decoder's start first. A row in which nothing would be left, because a
    grammar allows only what has been said, stays as it is.
    """
    left_nv: Tensor = NoRepeatNGramLogitsProcessor(size)(said_nt, scores_nv)
    return torch.where((left_nv > -torch.inf).any(dim=-1, keepdim=True), left_nv, scores_nv)

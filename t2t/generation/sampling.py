"""Sampling: each token drawn from the likeliest ones, by their probabilities (top-k; Fan et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from t2t.generation.beams import Logits, Select


@torch.inference_mode()
def sample(
    first_b: Tensor, logits_of: Logits, select: Select, top: int, max_tokens: int, eos: int, draw: torch.Generator
) -> list[list[int]]:
    """Ids (with EOS where it came within ``max_tokens``) for each of b inputs, drawn by ``draw``, of the CPU.

    ``first_b``, ``logits_of`` and ``select``: see ``beam_search``; inputs that are done leave.
    """
    found: list[list[int]] = [[] for _ in range(len(first_b))]
    alive, last_n = list(range(len(first_b))), first_b
    for _ in range(max_tokens):
        logits_nk, tokens_nk = logits_of(last_n).float().cpu().topk(top, dim=-1)
        drawn_n = torch.multinomial(logits_nk.softmax(dim=-1), 1, generator=draw)
        tokens = tokens_nk.gather(1, drawn_n).squeeze(1).tolist()
        for row, token in zip(alive, tokens, strict=True):
            found[row].append(token)
        going = [place for place, token in enumerate(tokens) if token != eos]
        if not going:
            break
        alive = [alive[place] for place in going]
        last_n = torch.tensor([tokens[place] for place in going], device=first_b.device)
        if len(going) < len(tokens):
            select(torch.tensor(going, device=first_b.device))
    return found

"""Weights to start from that make copying easy.

A text-to-text model of names, slots and answers mostly copies. From T5's own initialisation a small model finds out
how only after more than a thousand updates, in a sudden fall of the loss. Here it starts with the parts of that
mechanism (an induction head: Olsson et al. 2022) in place, with the scales of T5's initialisation:

- by the relative position bias one head of the encoder and of the decoder looks at the token before, one of the
  encoder at the token after, and a third of the encoder's at other places of the same token;
- values and outputs of a layer are transposed orthogonal matrices, so that what a head looks at is passed on as it is
  (mimetic initialisation: Trockman and Kolter 2023);
- in two thirds of the heads of cross-attention queries and keys are the same orthogonal matrix, so that the decoder's
  last token looks at the places of the source where that token stands, which also know what follows there.

Everything stays trainable. benchmarks/RESULTS.md has the loss with and without.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

PLACE_BIAS = 7.0  # added to, or taken from, the logits of a place: that place is looked at alone, or never
MATCH_SCALE = 0.39  # of a shared query and key matrix: a token's match with itself has a logit of about 5


@torch.no_grad()
def make_copy_ready(model: T5ForConditionalGeneration) -> None:
    """Change the fresh weights of ``model`` in place, by torch's global generator. Shapes and scales stay."""
    config = model.config
    heads, size = config.num_heads, config.d_kv
    here, before, after = 0, 1, config.relative_attention_num_buckets // 2 + 1  # T5's buckets of distances 0, -1, +1
    encoder_bias = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    decoder_bias = model.decoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    encoder_bias[before, 0] += PLACE_BIAS
    decoder_bias[before, 0] += PLACE_BIAS
    encoder_bias[after, 1 % heads] += PLACE_BIAS
    same = slice(heads // 3, 2 * heads // 3)  # the heads that look at other places of the same token
    encoder_bias[here, same] -= PLACE_BIAS
    context = _orthogonal(heads * size, config.d_model)
    for block in model.encoder.block:
        _match(block.layer[0].SelfAttention, slice(same.start * size, same.stop * size))
        _pass_on(block.layer[0].SelfAttention, context)
    for block in model.decoder.block:
        _pass_on(block.layer[0].SelfAttention, context)
        _match(block.layer[1].EncDecAttention, slice(0, max(1, 2 * heads // 3) * size))
        _pass_on(block.layer[1].EncDecAttention, _orthogonal(heads * size, config.d_model))


def _match(attention: T5Attention, rows: slice) -> None:
    """The same queries and keys for the heads of ``rows``: they look at tokens like their own."""
    match = _orthogonal(*attention.q.weight.shape) * MATCH_SCALE
    attention.q.weight[rows] = match[rows]
    attention.k.weight[rows] = match[rows]


def _pass_on(attention: T5Attention, turn: Tensor) -> None:
    attention.v.weight.copy_(turn)
    attention.o.weight.copy_(turn.T)


def _orthogonal(rows: int, columns: int) -> Tensor:
    """A random matrix [rows, columns] with orthonormal rows or columns, whichever are fewer."""
    return torch.nn.init.orthogonal_(torch.empty(rows, columns))

"""Weights to start from that make copying easy.

A text-to-text model of names, slots and answers mostly copies. From T5's own initialisation a small model finds out
how only after more than a thousand updates, in a sudden fall of the loss. Here it starts with the mechanism in place
(an induction head: Olsson et al. 2022), over several tokens so that it does not jump from one name to another that
shares a piece, and with the scales of T5's initialisation:

- by the relative position bias the first heads of encoder and decoder look at the tokens before, one distance a head;
  in the first layer they write what they see into directions of their own, so a place knows the tokens before it;
- the first heads of cross-attention look for the place whose tokens before are the decoder's last tokens, in order;
  what they pass on is the token of that place: the one to copy next;
- one head of the encoder looks at the token after, the last third at other places of the same tokens;
- values and outputs of a layer are transposed orthogonal matrices, so that what a head looks at is passed on as it is
  (mimetic initialisation: Trockman and Kolter 2023).

Everything stays trainable. benchmarks/RESULTS.md has the loss with and without.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor
from transformers import T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

PLACE_BIAS = 7.0  # added to, or taken from, the logits of a place: that place is looked at alone, or never
MATCH_SCALE = 0.39  # of queries and keys that look for the same: a match of one token has a logit of about 5
FURTHEST = 3  # tokens back


@dataclass(frozen=True, slots=True)
class _Context:
    """How a layer says which tokens came before: read by ``reads`` [d_kv, d_model], one a distance, written by turns.

    ``encoder`` and ``decoder`` [d_model, d_kv] hold the directions written to for distances 1, 2, ..
    """

    reads: list[Tensor]
    encoder: list[Tensor]
    decoder: list[Tensor]


@torch.no_grad()
def make_copy_ready(model: T5ForConditionalGeneration) -> None:
    """Change the fresh weights of ``model`` in place, by torch's global generator. Shapes and scales stay."""
    heads = model.config.num_heads
    context = _draw_context(min(FURTHEST, max(1, heads // 2)), model.config.d_kv, model.config.d_model)
    _place_heads(model, len(context.encoder))
    for number, block in enumerate(model.encoder.block):
        attention = block.layer[0].SelfAttention
        _pass_on(attention)
        if number == 0:
            _write_context(attention, context.reads, context.encoder)
        _look_for_the_same(attention, slice(heads - heads // 3, heads))
    for number, block in enumerate(model.decoder.block):
        attention, cross = block.layer[0].SelfAttention, block.layer[1].EncDecAttention
        _pass_on(attention)
        if number == 0:
            # The decoder's token before is looked for two places before the one to copy, and so on.
            _write_context(attention, context.reads[1:], context.decoder)
        _pass_on(cross)
        _look_for_what_follows(cross, context, max(1, 2 * heads // 3))


def _draw_context(furthest: int, d_kv: int, d_model: int) -> _Context:
    """Random readers, and directions for the encoder's ``furthest`` tokens before and the decoder's, one fewer."""
    return _Context(
        [_orthogonal(d_kv, d_model) for _ in range(furthest)],
        [_orthogonal(d_model, d_kv) for _ in range(furthest)],
        [_orthogonal(d_model, d_kv) for _ in range(furthest - 1)],
    )


def _place_heads(model: T5ForConditionalGeneration, furthest: int) -> None:
    """By relative position (T5's buckets: 0 here, 1 before, half + 1 after) say where heads look, in all layers."""
    heads, half = model.config.num_heads, model.config.relative_attention_num_buckets // 2
    encoder_bh = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    decoder_bh = model.decoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    for head in range(furthest):
        encoder_bh[head + 1, head] += PLACE_BIAS
    for head in range(furthest - 1):
        decoder_bh[head + 1, head] += PLACE_BIAS
    same = heads - heads // 3
    if furthest < same:
        encoder_bh[half + 1, furthest] += PLACE_BIAS
    encoder_bh[0, same:] -= PLACE_BIAS


def _write_context(attention: T5Attention, reads: list[Tensor], writes: list[Tensor]) -> None:
    """Head by head: read the token looked at by ``reads`` and write it by ``writes``, as large as a whole token."""
    size = attention.key_value_proj_dim
    for head, (read, write) in enumerate(zip(reads, writes, strict=True)):
        rows = slice(head * size, (head + 1) * size)
        attention.v.weight[rows] = read
        attention.o.weight[:, rows] = write * sqrt(write.shape[0] / write.shape[1])


def _look_for_what_follows(attention: T5Attention, context: _Context, heads: int) -> None:
    """Queries are the decoder's last tokens, keys the tokens before a place, the same reader for the same distance."""
    size = attention.key_value_proj_dim
    query = context.reads[0] + sum(write.T for write in context.decoder)
    key = sum(write.T for write in context.encoder)
    for head in range(heads):
        turn = _orthogonal(size, size) * MATCH_SCALE
        rows = slice(head * size, (head + 1) * size)
        attention.q.weight[rows] = turn @ query
        attention.k.weight[rows] = turn @ key


def _look_for_the_same(attention: T5Attention, heads: slice) -> None:
    """The same queries and keys for ``heads``: they look at tokens, with what came before them, like their own."""
    rows = slice(heads.start * attention.key_value_proj_dim, heads.stop * attention.key_value_proj_dim)
    match = _orthogonal(*attention.q.weight.shape) * MATCH_SCALE
    attention.q.weight[rows] = match[rows]
    attention.k.weight[rows] = match[rows]


def _pass_on(attention: T5Attention) -> None:
    turn = _orthogonal(*attention.v.weight.shape)
    attention.v.weight.copy_(turn)
    attention.o.weight.copy_(turn.T)


def _orthogonal(rows: int, columns: int) -> Tensor:
    """A random matrix [rows, columns] with orthonormal rows or columns, whichever are fewer."""
    return torch.nn.init.orthogonal_(torch.empty(rows, columns))

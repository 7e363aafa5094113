"""Prefix tuning (Li and Liang 2021): learned keys and values in front of those of every attention, in the encoder AND
in the decoder.

It is our own: the peft library's prefixes are past_key_values, which an encoder has not, so that of an encoder-decoder
it trains the decoder's alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from t2t.config.settings import Positive, settings
from t2t.model.peft.method import METHODS, Flags
from t2t.model.seq2seq import Seq2Seq

_ATTENTION = "t2t_prefix"


class Prefix(nn.Module):
    """``keys`` and ``values`` [p, h x k] of one attention. Values are zero at first: nothing is added, only diluted."""

    def __init__(self, length: int, size: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(length, size, dtype=dtype) * size**-0.5)
        self.values = nn.Parameter(torch.zeros(length, size, dtype=dtype))

    def forward(self, keys_bhsk: Tensor, values_bhsk: Tensor) -> tuple[Tensor, Tensor]:
        """[b, h, s, k] to [b, h, p + s, k], both."""
        batch, heads, _, size = keys_bhsk.shape

        def in_front(own: Tensor, others: Tensor) -> Tensor:
            split = own.to(others.dtype).view(-1, heads, size).transpose(0, 1)
            return torch.cat([split.expand(batch, -1, -1, -1), others], dim=2)

        return in_front(self.keys, keys_bhsk), in_front(self.values, values_bhsk)


def prefixed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    position_bias: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """transformers' interface of attentions: the same, over the keys and values of the module's prefix too.

    A prefix has no place: its relative bias is 0, and every token sees it.
    """
    prefix: Any = module.prefix
    keys, values = prefix(key, value)
    bias = torch.zeros((), dtype=query.dtype, device=query.device) if position_bias is None else position_bias
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        bias = bias.masked_fill(~attention_mask, torch.finfo(query.dtype).min)
    elif attention_mask is not None:
        bias = bias + attention_mask
    if bias.dim():
        bias = functional.pad(bias, (keys.shape[2] - bias.shape[3], 0)).to(query.dtype)
    found = functional.scaled_dot_product_attention(
        query, keys, values, attn_mask=bias if bias.dim() else None, dropout_p=dropout, scale=scaling
    )
    return found.transpose(1, 2).contiguous(), None


ALL_ATTENTION_FUNCTIONS.register(_ATTENTION, prefixed_attention)


@METHODS.register("prefix")
@settings
class PrefixTuning(Flags):
    """``length``: learned keys and values of each attention."""

    method: Literal["prefix"] = "prefix"
    length: Positive = 20

    @property
    def merges(self) -> bool:
        return False

    @property
    def portable(self) -> bool:
        return False

    def formula(self, model: Seq2Seq) -> int:
        """2 x length x heads x d_kv for each attention: one a block of the encoder, two one of the decoder."""
        inner = next(one for name, one in model.parameters().items() if model.seat(name).role == "k").shape[0]
        return 2 * self.length * inner * (model.depth("encoder") + 2 * model.depth("decoder"))

    def apply(self, model: Seq2Seq) -> None:
        model.with_masks()
        for attention in _attentions(model):
            weight = attention.k.weight
            attention.prefix = Prefix(self.length, weight.shape[0], weight.dtype)
            # A configuration of its own: the stack's says which masks are made, this one who attends.
            attention.config = copy(attention.config)
            attention.config._attn_implementation_internal = _ATTENTION

    def merge(self, model: Seq2Seq) -> None:
        raise ValueError("learned keys and values are no weights of a plain model")

    def plain(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: weight for name, weight in weights.items() if ".prefix." not in name}

    def save(self, model: Seq2Seq, folder: Path, base: str | None) -> None:
        """Beside the model's weights, see save_adapter; there is no layout of others for it."""


def _attentions(model: Seq2Seq) -> Iterator[Any]:
    """The modules that attend: those with queries, keys and values of their own."""
    for module in list(model.module.modules()):
        if all(isinstance(getattr(module, name, None), nn.Linear) for name in ("q", "k", "v")):
            yield module

"""Methods whose additions no weight of a T5 can hold: biases, and bottleneck adapters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from t2t.config.settings import Positive, settings
from t2t.model.peft.method import METHODS, Flags, linears, replace_module
from t2t.model.peft.subsets import norms
from t2t.model.seq2seq import Seq2Seq

_ADDED = re.compile(r"\.bias$|\.(down|up)\.weight$")
_ALL = ("q", "k", "v", "o", "wi", "wi_0", "wi_1", "wo")


class _Added(Flags):
    """What these methods share: they do not merge, and are saved with the model alone."""

    __slots__ = ()

    @property
    def portable(self) -> bool:
        return False

    @property
    def merges(self) -> bool:
        return False

    def merge(self, model: Seq2Seq) -> None:
        raise ValueError("what it adds has no place in a plain T5")

    def plain(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        named = {name.replace(".base.weight", ".weight"): weight for name, weight in weights.items()}
        return {name: weight for name, weight in named.items() if not _ADDED.search(name)}

    def save(self, model: Seq2Seq, folder: Path, base: str | None) -> None:
        """Beside the model's weights, see save_adapter; there is no layout of others for it."""


@METHODS.register("bitfit")
@settings
class BitFit(_Added):
    """BitFit (Ben Zaken et al. 2021) for a model without biases: each linear layer gets one, zero at first; the scales
    of norms and the relative attention biases, which T5 has in place of biases, are trained with them."""

    method: Literal["bitfit"] = "bitfit"

    def formula(self, model: Seq2Seq) -> int:
        """The outputs of all linear layers, the norms, and heads x buckets for each relative bias."""
        own = sum(one.numel() for one in [*norms(model).values(), *_relative(model)])
        return own + sum(one.out_features for one in linears(model, _ALL).values())

    def apply(self, model: Seq2Seq) -> None:
        for layer in linears(model, _ALL).values():
            layer.bias = nn.Parameter(torch.zeros(layer.out_features, dtype=layer.weight.dtype))
        for parameter in [*norms(model).values(), *_relative(model)]:
            parameter.requires_grad_(True)


def _relative(model: Seq2Seq) -> list[nn.Parameter]:
    return [one for _, one in model.roles().get("relative_bias", [])]


class Bottleneck(nn.Module):
    """A linear layer whose output y becomes y + up(relu(down(y))); ``up`` is zero at first, so nothing has changed."""

    def __init__(self, base: nn.Linear, size: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.out_features, size)
        self.up = nn.Linear(size, base.out_features)
        nn.init.normal_(self.down.weight, std=base.out_features**-0.5)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    @property
    def weight(self) -> Tensor:
        """Of the layer itself: transformers asks for its type."""
        return self.base.weight

    def forward(self, hidden_bsd: Tensor) -> Tensor:
        """[b, s, in] to [b, s, out]."""
        out_bsd: Tensor = self.base(hidden_bsd)
        added: Tensor = self.up(functional.relu(self.down(out_bsd)))
        return out_bsd + added


class _Adapters(_Added):
    __slots__ = ()
    places: ClassVar[tuple[str, ...]]
    size: int

    def formula(self, model: Seq2Seq) -> int:
        """2 d m + m + d for each adapter of m units behind a layer of d outputs."""
        sizes = [one.out_features for one in linears(model, self.places).values()]
        return sum(2 * width * self.size + self.size + width for width in sizes)

    def apply(self, model: Seq2Seq) -> None:
        for name, layer in linears(model, self.places).items():
            replace_module(model, name, Bottleneck(layer, self.size).to(layer.weight.dtype))


@METHODS.register("houlsby")
@settings
class Houlsby(_Adapters):
    """An adapter behind every attention and every feed-forward (Houlsby et al. 2019). ``size``: its units."""

    method: Literal["houlsby"] = "houlsby"
    places: ClassVar[tuple[str, ...]] = ("o", "wo")
    size: Positive = 32


@METHODS.register("pfeiffer")
@settings
class Pfeiffer(_Adapters):
    """An adapter behind every feed-forward (Pfeiffer et al. 2020). ``size``: its units."""

    method: Literal["pfeiffer"] = "pfeiffer"
    places: ClassVar[tuple[str, ...]] = ("wo",)
    size: Positive = 64

"""Methods that add nothing: some of a T5's own weights are trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from safetensors.torch import save_file
from torch import Tensor, nn

from t2t.config.settings import settings
from t2t.model.peft.method import METHODS, Flags
from t2t.model.seq2seq import Seq2Seq


@METHODS.register("layernorm")
@settings
class LayerNorm(Flags):
    """The scales of all norms (Zhao et al. 2023). It has no settings."""

    method: Literal["layernorm"] = "layernorm"

    def formula(self, model: Seq2Seq) -> int:
        """d_model for each norm: two a block of the encoder, three a block of the decoder, one behind each stack."""
        return model.width * (2 * model.depth("encoder") + 3 * model.depth("decoder") + 2)

    def apply(self, model: Seq2Seq) -> None:
        for parameter in norms(model).values():
            parameter.requires_grad_(True)

    def merge(self, model: Seq2Seq) -> None:
        """They are the model's own weights."""

    def plain(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        raise ValueError("it merges")

    def save(self, model: Seq2Seq, folder: Path, base: str | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: one.detach().cpu() for name, one in norms(model).items()}, folder / "layernorm.safetensors")


def norms(model: Seq2Seq) -> dict[str, nn.Parameter]:
    """The scales of a model's norms by name."""
    return dict(model.roles()["norm"])

"""AdamW (Loshchilov and Hutter 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from t2t.config.optimizer_settings import OPTIMIZERS, OptimizerSettings
from t2t.config.settings import PositiveFloat, Share, settings

if TYPE_CHECKING:
    from torch.optim import Optimizer


@OPTIMIZERS.register("adamw")
@settings
class AdamW(OptimizerSettings):
    """``scale: rms`` multiplies the rate of each role of weights by their root mean square, as Adafactor does, in a
    form that survives ZeRO, where matrices are cut flat."""

    name: Literal["adamw"] = "adamw"
    scale: Literal["rms", "none"] = "rms"
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: PositiveFloat = 1.0e-8

    @property
    def relative(self) -> bool:
        return self.scale == "rms"

    def make(self, groups: list[dict[str, Any]]) -> Optimizer:
        from torch.optim import AdamW as Torchs

        return Torchs(groups, lr=0.0, betas=self.betas, eps=self.eps, fused=True)

"""Stochastic gradient descent with momentum (Sutskever et al. 2013): a third of AdamW's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from t2t.config.optimizer_settings import OPTIMIZERS, OptimizerSettings
from t2t.config.settings import Share, settings

if TYPE_CHECKING:
    from torch.optim import Optimizer


@OPTIMIZERS.register("sgd")
@settings
class SGD(OptimizerSettings):
    """``scale``: as of AdamW. Gradients are not normalised, so rates are of another size than AdamW's."""

    name: Literal["sgd"] = "sgd"
    scale: Literal["rms", "none"] = "none"
    momentum: Share = 0.9
    nesterov: bool = False

    @property
    def relative(self) -> bool:
        return self.scale == "rms"

    def make(self, groups: list[dict[str, Any]]) -> Optimizer:
        from torch.optim import SGD as Torchs

        return Torchs(groups, lr=0.0, momentum=self.momentum, nesterov=self.nesterov and self.momentum > 0)

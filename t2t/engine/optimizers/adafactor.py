"""Adafactor (Shazeer and Stern 2018): what T5 was trained with; its state is a row and a column for each matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from t2t.config.optimizer_settings import OPTIMIZERS, OptimizerSettings
from t2t.config.settings import PositiveFloat, settings

if TYPE_CHECKING:
    from torch.optim import Optimizer


@OPTIMIZERS.register("adafactor")
@settings
class Adafactor(OptimizerSettings):
    """Rates are relative to the root mean square of each matrix, and at most 1 / sqrt(step). ``beta2_decay``: the power
    of the step by which the second moment is averaged. ``threshold``: of the update's root mean square."""

    name: Literal["adafactor"] = "adafactor"
    beta2_decay: Annotated[float, Field(lt=0)] = -0.8
    threshold: PositiveFloat = 1.0

    def make(self, groups: list[dict[str, Any]]) -> Optimizer:
        from torch.optim import Adafactor as Torchs

        return Torchs(groups, lr=0.0, beta2_decay=self.beta2_decay, d=self.threshold)

    def refused(self, stage: int) -> str | None:
        if stage == 0:
            return None
        return "ZeRO cuts matrices flat, so adafactor could not factor them"

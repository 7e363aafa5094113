"""O-LoRA (Wang et al. 2023): a LoRA a stage, which is kept orthogonal to those of earlier stages, so that what it adds
to the model hardly changes what they added."""

from __future__ import annotations

from typing import Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

from t2t.config.settings import NotNegative, settings
from t2t.continual.strategy import ADAPTER, STRATEGIES, Orthogonal, Refusal, Stage, Strategy, Support, Training
from t2t.model.peft import WEIGHTS
from t2t.model.peft.low_rank import LoRA, reads
from t2t.model.peft.method import Method


@STRATEGIES.register("olora")
@settings
class OLoRA(Strategy):
    """``strength``: of the sum over earlier stages and layers of ||A_earlier A^T||^2, beside the mean loss of a token.

    A [r, in] is what reads the inputs of a layer: rows that are orthogonal to those of earlier stages read other
    directions of them. Earlier LoRAs stand merged in the weights that a stage starts from.
    """

    strategy: Literal["olora"] = "olora"
    strength: NotNegative = 0.5

    def refused(self, method: Method | None, source: str | None) -> Refusal | None:
        if isinstance(method, LoRA) and method.init == "zero" and not method.dora:
            return None
        has = "there is no peft:" if method is None else f"peft: is {method.method}"
        has = "its LoRA has dora: or init: pissa" if isinstance(method, LoRA) else has
        return Refusal(f"each stage trains a plain LoRA, and {has}", "use peft: {method: lora}")

    def begin(self, stage: Stage, training: Training) -> Support:
        """Each stage's LoRA has a start of its own: from the same one it would begin all but parallel to the last."""
        if not stage.earlier:
            return Support()
        earlier = [_rows(load_file(folder / ADAPTER / WEIGHTS)) for folder in stage.earlier]
        together = {name: torch.cat([rows[name] for rows in earlier]) for name in earlier[0]}
        return Support(orthogonal=Orthogonal(self.strength, together), draw=stage.number)


def _rows(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.float() for name, weight in weights.items() if reads(name)}

"""Progressive prompts (Razdaibiedina et al. 2023): each stage learns vectors of its own in front of those of all stages
before, which stay as they are: nothing is forgotten, and what earlier stages learned is there to be used."""

from __future__ import annotations

from typing import Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

from t2t.config.settings import settings
from t2t.continual.adapters import Beside
from t2t.continual.strategy import ADAPTER, STRATEGIES, Refusal, Stage, Support, Training
from t2t.model.peft import WEIGHTS
from t2t.model.peft.method import Method
from t2t.model.peft.prompt_tuning import HELD, LEARNED, PromptTuning


@STRATEGIES.register("progressive")
@settings
class Progressive(Beside):
    """``route``: see Adapters. The adapter of a stage has its own vectors and a copy of those of the stages before."""

    strategy: Literal["progressive"] = "progressive"

    def refused(self, method: Method | None, source: str | None) -> Refusal | None:
        if not isinstance(method, PromptTuning):
            has = "there is no peft:" if method is None else f"peft: is {method.method}"
            return Refusal(f"each stage learns vectors in front of the prompt, and {has}", "use peft: {method: prompt}")
        return Beside.refused(self, method, source)

    def peft(self, stage: Stage, peft: dict[str, Any] | None) -> dict[str, Any] | None:
        return {**(peft or {}), "held": len(_vectors(stage))} if stage.earlier else peft

    def begin(self, stage: Stage, training: Training) -> Support:
        return Support(held={HELD: _vectors(stage)}, draw=stage.number) if stage.earlier else Support()


def _vectors(stage: Stage) -> Tensor:
    """What the stages before have learned [p, d], the newest first."""
    weights = load_file(stage.earlier[-1] / ADAPTER / WEIGHTS)
    return torch.cat([weights[name] for name in (LEARNED, HELD) if name in weights])

"""LoRA (Hu et al. 2021), by the peft library, with rank-stabilised scaling (rsLoRA, Kalajdzievski 2023), weight
decomposition (DoRA, Liu et al. 2024) and a start from the largest singular values (PiSSA, Meng et al. 2024) as
options."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from t2t.config.settings import Positive, Share, settings
from t2t.errors import InputError
from t2t.model.peft.method import METHODS, linears
from t2t.model.peft.peft_layers import LibraryMethod
from t2t.model.seq2seq import Seq2Seq

Target = Literal["q", "k", "v", "o", "wi", "wi_0", "wi_1", "wo"]


def reads(name: str) -> bool:
    """True for the name of an A [r, in] of a LoRA: what reads the inputs of a layer."""
    return ".lora_A." in name


@METHODS.register("lora")
@settings
class LoRA(LibraryMethod):
    """``targets``: linear layers by their own name (T5 1.1 and later have wi_0 and wi_1 in place of wi)."""

    method: Literal["lora"] = "lora"
    r: Positive = 8
    alpha: Positive = 16
    dropout: Share = 0.0
    targets: Annotated[tuple[Target, ...], Field(min_length=1)] = ("q", "v")
    rslora: bool = False
    dora: bool = False
    init: Literal["zero", "pissa"] = "zero"

    @property
    def apart(self) -> bool:
        return self.init == "zero"  # else it stands on the residual, which is nobody's base

    @property
    def portable(self) -> bool:
        return self.apart

    def formula(self, model: Seq2Seq) -> int:
        """r (in + out) for each target; DoRA has a magnitude for each output too."""
        for target in self.targets:
            if not linears(model, (target,)):
                has = [name for name in get_args(Target) if linears(model, (name,))]
                raise InputError("targets", f"the model has no layer {target!r}", f"use some of: {', '.join(has)}")
        found = linears(model, self.targets).values()
        return sum(self.r * (one.in_features + one.out_features) + self.dora * one.out_features for one in found)

    def library_settings(self) -> Any:
        from peft import LoraConfig

        return LoraConfig(
            r=self.r,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=list(self.targets),
            use_rslora=self.rslora,
            use_dora=self.dora,
            init_lora_weights=True if self.init == "zero" else "pissa",
            task_type="SEQ_2_SEQ_LM",
        )

"""(IA)3 (Liu et al. 2022): keys, values and the inner activations of feed-forwards are scaled, by the peft library."""

from __future__ import annotations

from typing import Any, Literal

from t2t.config.settings import settings
from t2t.model.peft.method import METHODS, linears
from t2t.model.peft.peft_layers import LibraryMethod
from t2t.model.seq2seq import Seq2Seq


@METHODS.register("ia3")
@settings
class IA3(LibraryMethod):
    """It has no settings."""

    method: Literal["ia3"] = "ia3"

    def formula(self, model: Seq2Seq) -> int:
        """A scale for each output of k and v, and for each input of wo."""
        attended = sum(one.out_features for one in linears(model, ("k", "v")).values())
        return attended + sum(one.in_features for one in linears(model, ("wo",)).values())

    def library_settings(self) -> Any:
        from peft import IA3Config

        return IA3Config(target_modules=["k", "v", "wo"], feedforward_modules=["wo"], task_type="SEQ_2_SEQ_LM")

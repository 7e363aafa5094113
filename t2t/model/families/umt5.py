"""UMT5 (Chung et al. 2023): an mT5 with a relative bias in each layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from transformers import UMT5Config, UMT5ForConditionalGeneration

from t2t.model.families.t5 import T5
from t2t.model.seq2seq import FAMILIES


@FAMILIES.register("umt5")
class UMT5(T5):
    kind = "umt5"

    @classmethod
    def config_of(cls, raw: Mapping[str, Any]) -> Any:
        return UMT5Config.from_dict({**raw, "scale_decoder_outputs": False})  # as mT5

    @classmethod
    def module_of(cls, config: Any) -> type[Any]:
        return cast("type[Any]", UMT5ForConditionalGeneration)

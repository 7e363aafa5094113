"""mT5 (Xue et al. 2021): a T5 1.1 whose logits are never scaled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import MT5Config, T5Config

from t2t.model.families.t5 import T5
from t2t.model.seq2seq import FAMILIES


@FAMILIES.register("mt5")
class MT5(T5):
    """Read as a T5 and saved as one. transformers 5 writes ``tie_word_embeddings: true`` for it all the same, of which
    it would conclude that the logits are scaled."""

    kind = "mt5"

    @classmethod
    def config_of(cls, raw: Mapping[str, Any]) -> Any:
        as_t5 = {key: value for key, value in MT5Config.from_dict(dict(raw)).to_dict().items() if key != "model_type"}
        return T5Config.from_dict(as_t5 | {"scale_decoder_outputs": False})

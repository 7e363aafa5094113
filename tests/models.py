"""Models as transformers has them, to compare with what ours compute."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from t2t.model.seq2seq import IGNORED, Seq2Seq


def module_of(model: Seq2Seq | PreTrainedModel) -> PreTrainedModel:
    return model.module if isinstance(model, Seq2Seq) else model  # type: ignore[return-value]


def tied(model: Seq2Seq | PreTrainedModel) -> bool:
    module = module_of(model)
    return module.lm_head.weight is module.shared.weight


def token_nll(model: Seq2Seq | PreTrainedModel, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """By transformers' own forward: nats of the targets, summed, their number, and the sum for each example [b]."""
    module, labels_bt = module_of(model), batch["labels"]
    logits_btv = module(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        decoder_input_ids=module._shift_right(labels_bt),
    ).logits.float()
    nll_bt = functional.cross_entropy(logits_btv.transpose(1, 2), labels_bt, reduction="none")
    return nll_bt.sum(), (labels_bt != IGNORED).sum(), nll_bt.sum(dim=1)


def logits(model: Seq2Seq | PreTrainedModel, ids: Tensor, started: Tensor) -> Tensor:
    with torch.no_grad():
        return module_of(model).eval()(input_ids=ids, decoder_input_ids=started).logits

"""The model that DeepSpeed wraps: a unit goes in, its weighted loss comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import T5ForConditionalGeneration

from t2t.config.run import LossNorm
from t2t.data.batch import Step
from t2t.data.encode import Encoded
from t2t.model.backbone import IGNORED, shift_right


class TrainingModel(nn.Module):
    """T5 with the loss inside its forward, so that ZeRO-3 gathers the head as well.

    Only positions that have a target reach the head: on padded units that saves a share of its cost.
    """

    def __init__(self, model: T5ForConditionalGeneration, label_smoothing: float, autocast: bool) -> None:
        super().__init__()
        self.model = model
        self.label_smoothing = label_smoothing
        self.autocast = autocast

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Sums over target tokens, fp32: weight x loss, and the negative log-likelihood in nats (detached).

        ``batch`` is a unit with the ``weights`` [b] of its examples' tokens; of weight 0 nothing counts.
        """
        with self._precision(batch["input_ids"].device.type):
            logits_nv = self._logits(batch)
        labels_bt = batch["labels"]
        kept_bt = labels_bt != IGNORED
        logits_nv, targets_n = logits_nv.float(), labels_bt[kept_bt]
        loss_n = functional.cross_entropy(logits_nv, targets_n, reduction="none", label_smoothing=self.label_smoothing)
        weights_n = batch["weights"][:, None].expand_as(labels_bt)[kept_bt]
        nats_n = loss_n.detach()
        if self.label_smoothing:
            nats_n = functional.cross_entropy(logits_nv.detach(), targets_n, reduction="none")
        return (loss_n * weights_n).sum(), (nats_n * (weights_n > 0)).sum()

    def _logits(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits of the n positions that have a target, [n, vocabulary]."""
        model, mask_bs = self.model, batch["attention_mask"]
        hidden_bsd = model.encoder(input_ids=batch["input_ids"], attention_mask=mask_bs)[0]
        decoded_btd = model.decoder(
            input_ids=shift_right(batch["labels"]),
            encoder_hidden_states=hidden_bsd,
            encoder_attention_mask=mask_bs,
            use_cache=False,
        )[0]
        kept_nd = decoded_btd[batch["labels"] != IGNORED]
        if model.config.scale_decoder_outputs:
            kept_nd = kept_nd * model.config.d_model**-0.5
        logits_nv: Tensor = model.lm_head(kept_nd)
        return logits_nv

    def _precision(self, device: str) -> AbstractContextManager[object]:
        return torch.autocast(device, dtype=torch.bfloat16) if self.autocast else nullcontext()


def weigher(norm: LossNorm, shares: Sequence[float]) -> Callable[[Encoded], float]:
    """The weight of each target token of an example, before the division by the step's ``divisor``.

    tokens: every token counts alike. examples: every example does. tasks: an example of task t counts 1 / p_t, p_t the
    task's share of the mixture; its loss is the mean over its tokens.
    """
    if norm == "tokens":
        return lambda row: 1.0
    if norm == "examples":
        return lambda row: 1.0 / len(row.labels)
    return lambda row: 1.0 / (len(row.labels) * shares[row.task_index])


def divisor(norm: LossNorm, step: Step) -> int:
    """What a step's weighted sum over all ranks is divided by: its target tokens, or its examples."""
    return step.target_tokens if norm == "tokens" else step.examples

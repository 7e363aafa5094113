"""The model that DeepSpeed wraps: a micro-batch goes in, its weighted loss comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from t2t.config.run import LossNorm
from t2t.data.batch import Step
from t2t.data.encode import Encoded
from t2t.model.seq2seq import IGNORED, Seq2Seq


class TrainingModel(nn.Module):
    """A model with the loss inside its forward, so that ZeRO-3 gathers the head as well.

    Only positions that have a target reach the head: on padded micro-batches that saves a share of its cost.
    """

    def __init__(self, model: Seq2Seq, label_smoothing: float, autocast: bool) -> None:
        super().__init__()
        self.model = model.module  # whose parameters DeepSpeed and its checkpoints know by this name
        self._face = model
        self.label_smoothing = label_smoothing
        self.autocast = autocast

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Sums over target tokens, fp32: weight x loss, and the negative log-likelihood in nats (detached).

        ``batch`` is a micro-batch with the ``weights`` [b] of its examples' tokens; of weight 0 nothing counts.
        """
        labels_bt = batch["labels"]
        kept_bt = labels_bt != IGNORED
        with self._precision(batch["input_ids"].device.type):
            logits_nv = self._face.logits_of(batch, kept_bt)
        logits_nv, targets_n = logits_nv.float(), labels_bt[kept_bt]
        loss_n = functional.cross_entropy(logits_nv, targets_n, reduction="none", label_smoothing=self.label_smoothing)
        weights_n = batch["weights"][:, None].expand_as(labels_bt)[kept_bt]
        nats_n = loss_n.detach()
        if self.label_smoothing:
            nats_n = functional.cross_entropy(logits_nv.detach(), targets_n, reduction="none")
        return (loss_n * weights_n).sum(), (nats_n * (weights_n > 0)).sum()

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

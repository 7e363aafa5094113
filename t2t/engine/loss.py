"""The model that DeepSpeed wraps: a micro-batch goes in, its weighted loss comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from t2t.config.run import LossNorm
from t2t.data.batch import Step
from t2t.data.encode import Encoded
from t2t.engine.terms import OfPositions, Term
from t2t.model.seq2seq import IGNORED, Seq2Seq

_LOGITS = 1 << 27  # that are held at once where ``chunk`` does not say of how many positions: half a GiB in fp32


class TrainingModel(nn.Module):
    """A model with the loss inside its forward, so that ZeRO-3 gathers the head as well.

    Only positions that have a target reach the head: on padded micro-batches that saves a share of its cost. More than
    ``chunk`` positions (0: never; None: as many as have _LOGITS logits) reach it in chunks, whose logits are not kept:
    the backward pass computes them again, chunk by chunk. ``terms``: what training adds to the cross-entropy.
    """

    def __init__(
        self,
        model: Seq2Seq,
        label_smoothing: float,
        autocast: bool,
        terms: Sequence[Term] = (),
        chunk: int | None = None,
    ) -> None:
        super().__init__()
        self.model = model.module  # whose parameters DeepSpeed and its checkpoints know by this name
        self._face = model
        self.label_smoothing = label_smoothing
        self.autocast = autocast
        self.terms = tuple(terms)
        self._gold = 1.0 - sum(term.replaces for term in self.terms)
        self._chunk = max(1, _LOGITS // model.vocabulary) if chunk is None else chunk

    def parts(self, positions: int) -> int:
        """In how many parts so many positions reach the head."""
        return max(1, -(-positions // self._chunk)) if self._chunk else 1

    def forward(self, batch: Mapping[str, Tensor], parts: int | None = None) -> tuple[Tensor, Tensor]:
        """Sums over target tokens, fp32: weight x loss, and the negative log-likelihood in nats (detached).

        ``batch`` is a micro-batch with the ``weights`` [b] of its examples' tokens; of weight 0 nothing counts. In
        evaluation the loss is the cross-entropy alone. ``parts``: in how many the positions reach the head, which must
        be as many on all ranks where ZeRO-3 gathers it for each; a part may be empty. None: as ``parts`` says.
        """
        labels_bt = batch["labels"]
        kept_bt = labels_bt != IGNORED
        with self._precision(labels_bt.device.type):
            states_nd = self._face.states_of(batch, kept_bt)
            begun = [term.begin(batch, kept_bt) for term in self.terms] if self.training else []
        targets_n, weights_n = labels_bt[kept_bt], batch["weights"][:, None].expand_as(labels_bt)[kept_bt]
        parts = self.parts(len(targets_n)) if parts is None else parts
        if parts == 1:
            return self._sums(slice(0, len(targets_n)), states_nd, targets_n, weights_n, begun)
        sums, start = [], 0
        for states_md in torch.tensor_split(states_nd, parts):
            places = slice(start, start + len(states_md))
            sums.append(self._once_more(places, states_md, targets_n[places], weights_n[places], begun))
            start = places.stop
        losses, nats = zip(*sums, strict=True)
        return torch.stack(losses).sum(), torch.stack(nats).sum()

    def _once_more(self, *given: Any) -> tuple[Tensor, Tensor]:
        """``_sums``, of which nothing is kept for the backward pass: it is done once more there.

        Not by the reentrant kind: a head that is tied, or cut by ZeRO, has one gradient, which must be summed before
        DeepSpeed hears of it.
        """
        found: tuple[Tensor, Tensor] = checkpoint(self._sums, *given, use_reentrant=False)
        return found

    def _sums(
        self, places: slice, states_nd: Tensor, targets_n: Tensor, weights_n: Tensor, begun: Sequence[OfPositions]
    ) -> tuple[Tensor, Tensor]:
        """The two sums over the ``places`` among the positions, whose states, targets and weights are given."""
        with self._precision(states_nd.device.type):
            logits_nv = self._face.logits(states_nd)
        logits_nv = logits_nv.float()
        loss_n = functional.cross_entropy(logits_nv, targets_n, reduction="none", label_smoothing=self.label_smoothing)
        nats_n = loss_n.detach()
        if self.label_smoothing:
            nats_n = functional.cross_entropy(logits_nv.detach(), targets_n, reduction="none")
        if begun:
            added = torch.stack([cost(places, logits_nv, targets_n) for cost in begun]).sum(dim=0)
            loss_n = self._gold * loss_n + added
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

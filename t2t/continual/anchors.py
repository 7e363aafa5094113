"""Regularisation: weights are pulled back to where earlier stages left them, all alike (L2) or by how much earlier
tasks need each (elastic weight consolidation, Kirkpatrick et al. 2017; its online form, Schwarz et al. 2018)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, Literal

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from t2t.config.settings import NotNegative, Positive, settings
from t2t.continual.strategy import KEPT, STRATEGIES, Anchor, Refusal, Stage, Strategy, Support, Trained, Training
from t2t.data.collate import collate
from t2t.data.encode import Encoded
from t2t.draws import chance_of
from t2t.model.peft.method import Method
from t2t.model.seq2seq import IGNORED, Seq2Seq
from t2t.whole_files import whole_path

FILE = "anchor.safetensors"
_IMPORTANCE, _PULLED = "importance.", "pulled."


@settings
class _Anchored(Strategy, ABC):
    """``strength``: of the pull, beside the mean loss of a token; importances have the mean 1."""

    strategy: str
    strength: NotNegative = 1.0

    def refused(self, method: Method | None, source: str | None) -> Refusal | None:
        if method is None:
            return None
        found = f"it pulls the model's own weights, which peft: {method.method} does not train"
        return Refusal(found, "use another strategy, or no peft:")

    def begin(self, stage: Stage, training: Training) -> Support:
        if not stage.earlier:
            return Support()
        held = load_file(stage.earlier[-1] / KEPT / FILE)
        return Support(anchor=Anchor(self.strength, _under(held, _IMPORTANCE), _under(held, _PULLED)))

    def end(self, stage: Stage, trained: Trained) -> None:
        model = trained.model()
        importance = self.importance(model, trained)
        weights = {name: one.detach().float() for name, one in model.parameters().items() if name in importance}
        pulled = {name: importance[name] * weight for name, weight in weights.items()}
        if stage.earlier:
            importance, pulled = self.joined(load_file(stage.earlier[-1] / KEPT / FILE), importance, weights)
        stage.kept.mkdir(parents=True, exist_ok=True)
        held = {_IMPORTANCE + name: one.contiguous() for name, one in importance.items()}
        held |= {_PULLED + name: one.contiguous() for name, one in pulled.items()}
        with whole_path(stage.kept / FILE) as part:
            save_file(held, part)

    @abstractmethod
    def importance(self, model: Seq2Seq, trained: Trained) -> dict[str, Tensor]:
        """How much the tasks of a stage need each weight."""

    @abstractmethod
    def joined(
        self, before: Mapping[str, Tensor], importance: Mapping[str, Tensor], weights: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Importance and pulled weights of this stage and those before together."""


@STRATEGIES.register("l2")
@settings
class L2(_Anchored):
    """All weights alike, to where the stage before left them (L2-SP, Li et al. 2018, for stages)."""

    strategy: Literal["l2"] = "l2"
    strength: NotNegative = 0.01

    def importance(self, model: Seq2Seq, trained: Trained) -> dict[str, Tensor]:
        return {name: torch.ones_like(one, dtype=torch.float32) for name, one in model.parameters().items()}

    def joined(
        self, before: Mapping[str, Tensor], importance: Mapping[str, Tensor], weights: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        return dict(importance), {name: importance[name] * weight for name, weight in weights.items()}


@STRATEGIES.register("ewc")
@settings
class EWC(_Anchored):
    """By the diagonal of the Fisher information: the mean over ``examples`` of the squared gradient of each example's
    own log-likelihood (the square of a batch's mean gradient is another thing).

    ``online``: earlier importances are multiplied by ``decay``, and all pull to the newest weights; else each stage's
    pull to its own.
    """

    strategy: Literal["ewc"] = "ewc"
    strength: NotNegative = 0.1
    examples: Positive = 200
    online: bool = False
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0

    def importance(self, model: Seq2Seq, trained: Trained) -> dict[str, Tensor]:
        rows = [(task, row) for task, own in trained.rows.items() for row in own]
        rows.sort(key=lambda one: chance_of(trained.seed, "fisher", one[0], one[1].id))
        return normalised(fisher(model, [row for _, row in islice(rows, self.examples)]))

    def joined(
        self, before: Mapping[str, Tensor], importance: Mapping[str, Tensor], weights: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        old, pulled = _under(before, _IMPORTANCE), _under(before, _PULLED)
        together = {name: one + self.decay * old[name] for name, one in importance.items()}
        if self.online:
            return together, {name: together[name] * weight for name, weight in weights.items()}
        return together, {
            name: importance[name] * weight + self.decay * pulled[name] for name, weight in weights.items()
        }


def fisher(model: Seq2Seq, rows: Sequence[Encoded]) -> dict[str, Tensor]:
    """The mean over ``rows`` of the squared gradient of the log-likelihood (nats) of each row's target, by weight."""
    parameters = model.parameters()
    model.module.eval()
    found = {name: torch.zeros_like(one, dtype=torch.float32) for name, one in parameters.items()}
    for row in rows:
        model.module.zero_grad()
        batch = collate([row], model.ids, lambda _: 1.0)
        kept_bt = batch["labels"] != IGNORED
        logits_nv = model.logits_of(batch, kept_bt).float()
        loss = functional.cross_entropy(logits_nv, batch["labels"][kept_bt], reduction="sum")
        torch.autograd.backward(loss)
        for name, parameter in parameters.items():
            if parameter.grad is not None:
                found[name] += parameter.grad.float() ** 2 / len(rows)
    model.module.zero_grad()
    return found


def normalised(importance: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same relative to each other, with the mean 1 over all weights, so that strengths mean the same everywhere."""
    total = sum(float(one.double().sum()) for one in importance.values())
    count = sum(one.numel() for one in importance.values())
    return {name: one * (count / total) if total else one for name, one in importance.items()}


def _under(held: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): one for name, one in held.items() if name.startswith(prefix)}

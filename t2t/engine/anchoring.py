"""A pull of the weights towards where they were, added to the gradients of the fp32 weights wherever DeepSpeed keeps
them.

ZeRO cuts weights and hands its optimiser flat parts without names. Where each weight's numbers lie there is found by
DeepSpeed itself: the numbers that belong to the weights are written into them as if they were weights, read back as the
optimiser's own parts, and the weights put back. So the pull is the same at every stage and for any number of ranks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from deepspeed.utils import safe_set_full_fp32_param, safe_set_local_fp32_param
from torch import Tensor

from t2t.continual.strategy import Anchor
from t2t.engine import distributed
from t2t.engine.deepspeed import TrainingEngine


def attach(training: TrainingEngine, anchor: Anchor) -> None:
    """Have every update of ``training`` pulled as the anchor says. Every rank must call it, before the first step and
    after a checkpoint is loaded.

    The pull is added behind clipping, to what the optimiser is given: the gradient of the mean loss.
    """
    parts = parts_of(training)
    importance = as_parts(training, parts, anchor.importance)
    pulled = as_parts(training, parts, anchor.pulled)
    held = {id(part): pair for part, *pair in zip(parts, importance, pulled, strict=True)}

    def pull(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            for part in group["params"]:
                if part.grad is not None:
                    weight, target = held[id(part)]
                    part.grad.add_(weight * part.detach() - target, alpha=anchor.strength)

    training.optimizer.torch.register_step_pre_hook(pull)


def parts_of(training: TrainingEngine) -> list[Tensor]:
    """The tensors that the optimiser updates on this rank."""
    optimizer = training.engine.optimizer
    if training.stage == 3:
        return list(optimizer.fp32_partitioned_groups_flat)
    if training.stage:
        return list(optimizer.single_partition_of_fp32_groups)
    return [one for group in training.optimizer.torch.param_groups for one in group["params"]]


@torch.no_grad()
def as_parts(training: TrainingEngine, parts: list[Tensor], values: Mapping[str, Tensor]) -> list[Tensor]:
    """``values``, by the names of weights, as they lie in the parts; 0 for a weight that has none."""
    kept = [part.clone() for part in parts]
    for part in parts:
        part.zero_()
    for name, parameter in training.model.parameters().items():
        if name in values and parameter.requires_grad:
            _write(training, parameter, values[name].to(training.device))
    found = [part.clone() for part in parts]
    for part, before in zip(parts, kept, strict=True):
        part.copy_(before)
    return found


def _write(training: TrainingEngine, parameter: Any, value: Tensor) -> None:
    if training.stage == 3:  # a whole weight is not taken where the ranks' shares of it are not all equally long
        size = parameter.ds_tensor.numel()
        own = torch.zeros(size, device=value.device)
        given = value.flatten()[size * distributed.rank() : size * (distributed.rank() + 1)]
        own[: given.numel()] = given
        safe_set_local_fp32_param(parameter, own)
    elif training.stage:
        safe_set_full_fp32_param(parameter, value)
    else:
        training.master(parameter).copy_(value)

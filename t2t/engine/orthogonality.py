"""Rows of weights that are kept orthogonal to others, by a penalty whose gradient is added where anchors add theirs.

Unlike a pull, the gradient of a number hangs on the others of its weight, which ZeRO cuts: each rank puts what it has
of the fp32 weights into one vector, and their sum over the ranks has all of them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from t2t.continual.strategy import Orthogonal
from t2t.engine import distributed
from t2t.engine.anchoring import as_parts, parts_of
from t2t.engine.deepspeed import TrainingEngine

_DIGIT = 1 << 20  # numbers below it, and 2 ** 24 of them, are exact in fp32


class Orthogonality:
    """strength x the sum over the weights W of ||earlier W^T||^2, whose gradient every update of ``training`` has.

    Every rank must make it, before the first step and after a checkpoint is loaded. RuntimeError where the model has no
    such weights.
    """

    def __init__(self, training: TrainingEngine, orthogonal: Orthogonal) -> None:
        self._training, self._strength = training, orthogonal.strength
        device = training.device
        self._earlier = {name: rows.to(device) for name, rows in sorted(orthogonal.earlier.items())}
        parameters: dict[str, Any] = dict(training.model.parameters())
        if lacking := [name for name in self._earlier if name not in parameters]:
            raise RuntimeError(f"no weight {lacking[0]!r}, which is to be kept orthogonal to earlier ones")
        self._shapes = {name: getattr(parameters[name], "ds_shape", parameters[name].shape) for name in self._earlier}
        self._parts = parts_of(training)
        self._places = self._find_places()
        training.optimizer.torch.register_step_pre_hook(self._add)

    def penalty(self) -> float:
        """What the weights are punished with as they are, the strength aside. Every rank must call it."""
        return sum(float((weight @ self._earlier[name].T).square().sum()) for name, weight in self._weights().items())

    def _find_places(self) -> list[tuple[Tensor, Tensor]]:
        """Of each part of the optimiser on this rank which of its numbers are of the weights, and their places among
        all numbers of these, one weight after the other."""
        indices, count = {}, 0
        for name, shape in self._shapes.items():
            size = math.prod(shape)
            indices[name] = torch.arange(count, count + size).view(*shape)
            count += size
        high = {name: (one // _DIGIT + 1).float() for name, one in indices.items()}  # 0 is of no weight
        low = {name: (one % _DIGIT).float() for name, one in indices.items()}
        found = []
        for first, second in zip(*(as_parts(self._training, self._parts, one) for one in (high, low)), strict=True):
            held = first.flatten().nonzero().squeeze(1)
            found.append((held, (first.flatten()[held].long() - 1) * _DIGIT + second.flatten()[held].long()))
        return found

    @torch.no_grad()
    def _weights(self) -> dict[str, Tensor]:
        """The weights whole, fp32, on every rank."""
        sizes = [math.prod(shape) for shape in self._shapes.values()]
        whole = torch.zeros(sum(sizes), device=self._training.device)
        for part, (held, places) in zip(self._parts, self._places, strict=True):
            whole[places.to(whole.device)] = part.detach().reshape(-1)[held].to(whole)
        if self._training.stage:  # else each rank has all of it
            distributed.total(whole)
        named = zip(self._shapes.items(), torch.split(whole, sizes), strict=True)
        return {name: numbers.view(*shape) for (name, shape), numbers in named}

    @torch.no_grad()
    def _add(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """DeepSpeed calls the optimiser once for each of its groups, equally often on every rank."""
        weights = self._weights()
        slopes = [weight @ (rows := self._earlier[name]).T @ rows for name, weight in weights.items()]
        slope = 2 * self._strength * torch.cat([one.flatten() for one in slopes])
        updated = {id(part) for group in optimizer.param_groups for part in group["params"]}
        for part, (held, places) in zip(self._parts, self._places, strict=True):
            if id(part) in updated and part.grad is not None:
                part.grad.view(-1).index_add_(0, held, slope[places.to(slope.device)].to(part.grad))

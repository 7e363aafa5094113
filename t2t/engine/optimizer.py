"""An optimiser with a learning rate for each role of parameters, scaled by their size."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, distributed, nn

from t2t.config.optimizer_settings import OptimizerSettings
from t2t.model.seq2seq import Seat, Seq2Seq

SMALLEST_RMS = 1e-3  # as in Adafactor (Shazeer & Stern 2018), so that zero parameters can leave zero
_PARTS = {"shared": "embedding", "lm_head": "head"}  # roles that are parts of the model of their own
_SPARED = frozenset({"shared", "norm", "relative_bias"})


@dataclass(frozen=True, slots=True)
class _Group:
    """Weights of one role that are updated alike. ``factor``: of the rate."""

    role: int
    factor: float
    decays: bool
    parameters: list[nn.Parameter]


class ModelOptimizer:
    """torch's optimiser of a model: one parameter group a role, or more where its weights are updated differently.

    A group's rate = schedule x base rate x its own factor (``rates``, ``layer_decay``) x, where the settings are
    relative, the mean RMS of its role's matrices: Adafactor's relative step in a form that survives ZeRO, where
    matrices are cut flat, since only scalars of whole roles are needed.
    Weights decay, but norms, biases and embeddings do not: to shrink them regularises nothing. ``device`` is where the
    ranks' sums are added up. ``late``: names of weights that are trained from a later step on than the others, whose
    groups are their own, since an optimiser counts the updates of a group.
    """

    def __init__(
        self,
        model: Seq2Seq,
        settings: OptimizerSettings,
        device: torch.device | str = "cpu",
        late: Collection[str] = (),
    ) -> None:
        self.settings, self.device = settings, device
        trained = [[(name, one) for name, one in named if one.requires_grad] for named in model.roles().values()]
        named_roles = [named for named in trained if named]
        self.roles = [[one for _, one in named] for named in named_roles]
        self.groups = [
            group for role, named in enumerate(named_roles) for group in _parted(role, named, model, settings, late)
        ]
        self.torch = settings.make(
            [
                {"params": group.parameters, "weight_decay": settings.weight_decay if group.decays else 0.0}
                for group in self.groups
            ]
        )

    def set_rates(self, param_groups: list[dict[str, Any]], factor: float) -> None:
        """Write each group's rate for the coming step; every rank must call it."""
        scales = self.mean_rms() if self.settings.relative else [1.0] * len(self.roles)
        for given, group in zip(param_groups, self.groups, strict=True):
            given["lr"] = factor * self.settings.learning_rate * scales[group.role] * group.factor

    def mean_rms(self) -> list[float]:
        """The mean over a role's parameters of their root mean square, at least SMALLEST_RMS, for each role."""
        flat = [parameter for role in self.roles for parameter in role]
        squares = _squares(flat, self.device)
        sizes = torch.tensor([float(getattr(parameter, "ds_numel", parameter.numel())) for parameter in flat])
        rms = (squares.cpu() / sizes).sqrt().clamp_min(SMALLEST_RMS).tolist()
        return [fmean(islice(values, len(role))) for values in [iter(rms)] for role in self.roles]


def _parted(
    role: int,
    named: Sequence[tuple[str, nn.Parameter]],
    model: Seq2Seq,
    settings: OptimizerSettings,
    late: Collection[str],
) -> list[_Group]:
    """A role's weights by how they are updated, in the order of their first."""
    groups: dict[tuple[float, bool, bool], list[nn.Parameter]] = {}
    for name, parameter in named:
        seat = model.seat(name)
        # Without decay there is nothing to spare: what is one group stays one.
        decays = bool(settings.weight_decay) and seat.role not in _SPARED and not name.endswith(".bias")
        groups.setdefault((factor_of(seat, model, settings), decays, name in late), []).append(parameter)
    return [_Group(role, factor, decays, found) for (factor, decays, _), found in groups.items()]


def factor_of(seat: Seat, model: Seq2Seq, settings: OptimizerSettings) -> float:
    """Of the rate of a weight: that of its part, times that of its role, times the decay of the blocks above it."""
    part = _PARTS.get(seat.role, seat.stack)
    found = settings.rates.get(part, 1.0) if part is not None else 1.0  # type: ignore[call-overload]
    if seat.role not in _PARTS:
        found *= settings.rates.get(seat.role, 1.0)  # type: ignore[call-overload]
    return float(found * settings.layer_decay ** _blocks_above(seat, model))


def _blocks_above(seat: Seat, model: Seq2Seq) -> int:
    if seat.role == "shared":
        return max(model.depth("encoder"), model.depth("decoder"))
    if seat.stack is None or seat.block is None:
        return 0
    return model.depth(seat.stack) - 1 - seat.block


def _squares(parameters: list[nn.Parameter], device: torch.device | str) -> Tensor:
    """The sum of squares of each whole parameter; at ZeRO-3 the ranks add up those of their partitions.

    Under ZeRO-3 with offload partitions lie on the host, small ones (which every rank keeps whole) on the GPU; NCCL
    adds up what lies on the GPU only.
    """
    cut = hasattr(parameters[0], "ds_tensor")
    parts = [_partition(parameter) if cut else parameter.detach() for parameter in parameters]
    norms: list[Tensor] = [torch.empty(0)] * len(parts)
    for place in {part.device for part in parts}:
        chosen = [index for index, part in enumerate(parts) if part.device == place]
        together = torch.stack(torch._foreach_norm([parts[index] for index in chosen])).to(device)
        for index, norm in zip(chosen, together.unbind(), strict=True):
            norms[index] = norm
    squares = torch.stack(norms).float() ** 2
    if cut and distributed.is_initialized():
        distributed.all_reduce(squares)
    return squares


def _partition(parameter: nn.Parameter) -> Tensor:
    """This rank's part of a parameter at ZeRO-3, without what fills it up to equal parts."""
    part: Tensor = parameter.ds_tensor.detach()  # type: ignore[attr-defined]
    start = part.numel() * distributed.get_rank()
    return part.flatten()[: max(0, min(part.numel(), parameter.ds_numel - start))]  # type: ignore[attr-defined]

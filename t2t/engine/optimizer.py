"""AdamW with a learning rate for each role of parameters, scaled by their size."""

from __future__ import annotations

from itertools import islice
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, distributed, nn

from t2t.config.run import OptimizerSettings
from t2t.model.seq2seq import Seq2Seq

SMALLEST_RMS = 1e-3  # as in Adafactor (Shazeer & Stern 2018), so that zero parameters can leave zero


class RoleScaledAdamW:
    """torch's AdamW, one parameter group a role, each group's rate = factor x base rate x mean RMS of its matrices.

    Adafactor's relative step in a form that survives ZeRO, where matrices are cut flat: only whole-group scalars are
    needed. With ``scale: none`` every group has the base rate. ``device`` is where the ranks' sums are added up.
    """

    def __init__(
        self,
        model: Seq2Seq,
        settings: OptimizerSettings,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings, self.device = settings, device
        self.roles = [
            [parameter for _, parameter in named if parameter.requires_grad] for named in model.roles().values()
        ]
        self.roles = [role for role in self.roles if role]
        self.torch = torch.optim.AdamW(
            [{"params": role} for role in self.roles],
            lr=0.0,  # set before each update; one that DeepSpeed makes to fill the state is to change nothing
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def set_rates(self, param_groups: list[dict[str, Any]], factor: float) -> None:
        """Write each group's rate for the coming step; every rank must call it."""
        scales = self.mean_rms() if self.settings.scale == "rms" else [1.0] * len(self.roles)
        for group, scale in zip(param_groups, scales, strict=True):
            group["lr"] = factor * self.settings.learning_rate * scale

    def mean_rms(self) -> list[float]:
        """The mean over a role's parameters of their root mean square, at least SMALLEST_RMS, for each role."""
        flat = [parameter for role in self.roles for parameter in role]
        squares = _squares(flat, self.device)
        sizes = torch.tensor([float(getattr(parameter, "ds_numel", parameter.numel())) for parameter in flat])
        rms = (squares.cpu() / sizes).sqrt().clamp_min(SMALLEST_RMS).tolist()
        return [fmean(islice(values, len(role))) for values in [iter(rms)] for role in self.roles]


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

"""What all optimisers have in common under ``optimizer:`` in a run file; each brings the rest (engine/optimizers/)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from t2t.config.named_sections import read_named
from t2t.config.settings import NotNegative, PositiveFloat, settings
from t2t.errors import RunFileError
from t2t.registry import Registry

Part: TypeAlias = Literal[
    "embedding", "encoder", "decoder", "head", "norm", "q", "k", "v", "o", "wi", "wo", "relative_bias"
]


@settings
class OptimizerSettings(ABC):
    """``clip``: the largest norm of a gradient, 0 for none. ``rates``: factors of the rate by what a weight belongs to.

    ``layer_decay``: the factor of the rate from each block to the one below it, and to the embedding below the first
    (Clark et al. 2020), in both stacks.
    """

    name: str
    learning_rate: PositiveFloat = 2.0e-2
    weight_decay: NotNegative = 0.0
    clip: NotNegative = 1.0
    rates: dict[Part, NotNegative] = field(default_factory=dict)
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def relative(self) -> bool:
        """True if rates are multiplied, from outside, by the root mean square of what they update."""
        return False

    @abstractmethod
    def make(self, groups: list[dict[str, Any]]) -> Any:
        """torch's Optimizer of parameter ``groups`` (params, weight_decay), its rate 0 until it is set."""

    def refused(self, stage: int) -> str | None:
        """Why it cannot work at a ZeRO stage; None where it can."""
        return None


OPTIMIZERS: Registry[type[OptimizerSettings]] = Registry(
    "optimizer",
    "t2t.optimizers",
    {name: f"t2t.engine.optimizers.{name}" for name in ("adamw", "sgd", "adafactor")},
)


def read_optimizer(data: Any, where: Callable[[str], str]) -> OptimizerSettings:
    """What is under ``optimizer:``; RunFileError, with FILE:LINE, for what no optimiser of that name has."""
    if not isinstance(data, Mapping):
        raise RunFileError(where("optimizer"), f"optimizer is {data!r}, no mapping", "write e.g. {learning_rate: 0.01}")
    found: OptimizerSettings = read_named(OPTIMIZERS, {"name": "adamw", **data}, "optimizer", "name", where)
    return found

"""What a method of parameter-efficient fine-tuning is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from t2t.model.seq2seq import Seq2Seq
from t2t.registry import Registry


class Method(Protocol):
    """Settings of a method, and what they do.

    ``merges``: what it trains can be written into the weights of a plain T5. ``portable``: ``save`` writes it, so that
    others can put it on the same base. ``apart``: it leaves the base as it was, so that several can stand on one.
    """

    @property
    def method(self) -> str: ...

    @property
    def merges(self) -> bool: ...

    @property
    def portable(self) -> bool: ...

    @property
    def apart(self) -> bool: ...

    def formula(self, model: Seq2Seq) -> int:
        """How many parameters it trains in a plain ``model``, by what its paper says."""

    def apply(self, model: Seq2Seq) -> None:
        """Add what is trained to a model whose weights are frozen, in place, and let it be trained."""

    def merge(self, model: Seq2Seq) -> None:
        """Make a plain T5 that computes the same of what ``apply`` made, in place; the same names as before."""

    def plain(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of weights by name those of the T5 itself, by its own names, where nothing can be merged."""

    def save(self, model: Seq2Seq, folder: Path, base: str | None) -> None:
        """Write what was trained alone, for those who have the ``base``; in the layout of peft where it has one."""


class Flags:
    """What most methods are; a method says what it is not."""

    __slots__ = ()

    @property
    def merges(self) -> bool:
        return True

    @property
    def portable(self) -> bool:
        return True

    @property
    def apart(self) -> bool:
        return True


METHODS: Registry[type] = Registry("PEFT method", "t2t.peft")


HELD_NAME = "held"  # the own name of a weight that a method adds and does not train


def belongs(name: str, parameter: nn.Parameter) -> bool:
    """True for a weight of an adapter: one that is trained, or that the method holds."""
    return parameter.requires_grad or name.rpartition(".")[2] == HELD_NAME


def freeze(model: Seq2Seq) -> None:
    """No weight is trained."""
    for parameter in model.parameters().values():
        parameter.requires_grad_(False)


def counts(model: Seq2Seq) -> tuple[int, int]:
    """Trained parameters, and all of them."""
    sizes = [(getattr(one, "ds_numel", one.numel()), one.requires_grad) for one in model.parameters().values()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def linears(model: Seq2Seq, targets: tuple[str, ...]) -> dict[str, nn.Linear]:
    """The linear layers of a plain T5 whose own name is one of ``targets``, by their whole name."""
    return {
        name: module
        for name, module in model.module.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in targets
    }


def replace_module(model: Seq2Seq, name: str, module: nn.Module) -> None:
    """Put ``module`` in the place of the one called ``name``."""
    owner, _, own = name.rpartition(".")
    setattr(model.module.get_submodule(owner), own, module)

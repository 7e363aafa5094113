"""A checkpoint of ZeRO stage 1 to 3 for another number of processes than wrote it, or for a model of which more is
trained.

Each process wrote its part of the fp32 weights and of the optimiser's state, flat: at stages 1 and 2 a stretch of a
group of parameters, at stage 3 a stretch of every parameter. Here the stretches are put together by the names of
parameters, and each process of now takes those that are its own; DeepSpeed then loads them as it loads its own.

DeepSpeed's universal checkpoints do the like by files on disk, for Adam alone; this knows whatever state an optimiser
has, and reads from the files (mapped into memory) no more than a process takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t2t.engine import distributed
from t2t.errors import RunDirectoryError

_WEIGHT = "fp32"  # beside what the optimiser calls its states


@dataclass(slots=True)
class _Kept:
    """What is kept of one parameter, by state: its stretches in the order of the ranks; single numbers (step)."""

    stretches: dict[str, list[Tensor]] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)

    def add(self, key: str, stretch: Tensor) -> None:
        self.stretches.setdefault(key, []).append(stretch)

    def copy_to(self, into: Tensor, key: str, start: int) -> None:
        """Fill ``into`` [n] with what stands from ``start`` on; what lies behind the end stays as it is."""
        at = 0
        for stretch in self.stretches[key]:
            low, high = max(at, start), min(at + len(stretch), start + len(into))
            if low < high:
                into[low - start : high - start].copy_(stretch[low - at : high - at])
            at += len(stretch)


def load_resharded(engine: Any, folder: Path, world_size: int) -> None:
    """Load weights and optimiser of the checkpoint ``folder``, written by ``world_size`` processes, into the DeepSpeed
    ``engine``. Every rank must call it. Weights that were not trained stay as they are."""
    files = [_optimizer_file(folder, rank) for rank in range(world_size)]
    states = [
        torch.load(path, map_location="cpu", mmap=True, weights_only=False)["optimizer_state_dict"] for path in files
    ]
    optimizer = engine.optimizer
    if getattr(optimizer, "swap_optimizer", False):
        found = "its optimiser lies on NVMe, in the parts of the processes that wrote it"
        raise RunDirectoryError(str(folder), found, f"go on with {world_size} processes and all that was trained then")
    if hasattr(optimizer, "fp32_partitioned_groups_flat"):
        kept = _of_stage_3(states, folder)
        optimizer.checkpoint_event_prologue()
        optimizer.load_state_dict(_at_its_rank(_for_stage_3(engine, kept, states[0])), load_optimizer_states=True)
        optimizer.checkpoint_event_epilogue()
        return
    kept = _of_stages_1_and_2(states)
    with torch.no_grad():
        for name, parameter in engine.module.named_parameters():
            if name in kept:
                whole = torch.empty(parameter.numel())
                kept[name].copy_to(whole, _WEIGHT, 0)
                parameter.copy_(whole.view_as(parameter))
    own = _for_stages_1_and_2(engine, kept, states[0])
    optimizer.load_state_dict(_at_its_rank(own), load_optimizer_states=True, load_from_fp32_weights=True)


def _optimizer_file(folder: Path, rank: int) -> Path:
    (found,) = folder.glob(f"*zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
    return found


def _at_its_rank(state: Any) -> list[Any]:
    """DeepSpeed takes the states of all ranks, and of these its own."""
    return [state] * distributed.world_size()


def _of_stages_1_and_2(states: Sequence[Mapping[str, Any]]) -> dict[str, _Kept]:
    kept: dict[str, _Kept] = {}
    for state in states:
        groups = zip(state["param_slice_mappings"], state["single_partition_of_fp32_groups"], strict=True)
        for number, (mapping, flat) in enumerate(groups):
            for key, whole in _flat_and_numbers(state["base_optimizer_state"]["state"].get(number, {}), flat):
                for name, address in mapping.items():
                    _take(kept.setdefault(name, _Kept()), key, whole, address.start, address.numel)
    return kept


def _of_stage_3(states: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, _Kept]:
    first = folder / "zero_pp_rank_0_mp_rank_00_model_states.pt"
    shapes = torch.load(first, map_location="cpu", mmap=True, weights_only=False)["param_shapes"]
    kept: dict[str, _Kept] = {}
    for rank, state in enumerate(states):
        for number, (named, flat) in enumerate(zip(shapes, state["fp32_flat_groups"], strict=True)):
            for key, whole in _flat_and_numbers(state["optimizer_state_dict"]["state"].get(number, {}), flat):
                at = 0
                for name, shape in named.items():
                    own = -(-shape.numel() // len(states))
                    there = max(0, min(own, shape.numel() - rank * own))  # without what fills it up to equal parts
                    _take(kept.setdefault(name, _Kept()), key, whole, at, there)
                    at += own
    return kept


def _flat_and_numbers(state: Mapping[str, Any], flat: Tensor) -> Iterator[tuple[str, Any]]:
    """The weights of a group, and what the optimiser keeps of them."""
    yield _WEIGHT, flat
    yield from state.items()


def _take(kept: _Kept, key: str, whole: Any, start: int, count: int) -> None:
    if torch.is_tensor(whole) and whole.dim():
        kept.add(key, whole[start : start + count])
    else:
        kept.numbers[key] = whole


def _for_stages_1_and_2(engine: Any, kept: Mapping[str, _Kept], first: Mapping[str, Any]) -> dict[str, Any]:
    """What this rank would have written, were it one of those that wrote."""
    names = {id(parameter): name for name, parameter in engine.module.named_parameters()}
    optimizer = engine.optimizer
    made = _Made(optimizer.optimizer.state_dict()["param_groups"])
    for parameters, flat in zip(optimizer.bit16_groups, optimizer.single_partition_of_fp32_groups, strict=True):
        placed = []
        for parameter in parameters:
            here = parameter._hp_mapping
            if here is not None and names[id(parameter)] in kept:
                own, whole = here.hp_fragment_address, here.lp_fragment_address
                placed.append((kept[names[id(parameter)]], own.start, own.numel, whole.start))
        made.add(flat, placed, [kept[name] for name in (names[id(one)] for one in parameters) if name in kept])
    own = {"base_optimizer_state": made.base, "single_partition_of_fp32_groups": made.flats}
    paddings = getattr(optimizer, "round_robin_bit16_padding", None)  # between parameters: as this engine has them
    return {**first, **own, **({} if paddings is None else {"param_alignment_paddings": paddings})}


def _for_stage_3(engine: Any, kept: Mapping[str, _Kept], first: Mapping[str, Any]) -> dict[str, Any]:
    names = {id(parameter): name for name, parameter in engine.module.named_parameters()}
    optimizer, rank = engine.optimizer, distributed.rank()
    optimizer._set_fp32_optimizer_param_groups()
    made = _Made(optimizer.optimizer.state_dict()["param_groups"])
    optimizer._clear_fp32_optimizer_param_groups()
    for parameters, flat in zip(optimizer.fp16_groups, optimizer.fp32_partitioned_groups_flat, strict=True):
        placed, at = [], 0
        for parameter in parameters:
            own, name = parameter.partition_numel(), names[id(parameter)]
            if name in kept:
                placed.append((kept[name], at, own, rank * own))
            at += own
        made.add(flat, placed, [one for one, *_ in placed])
    return {**first, "optimizer_state_dict": made.base, "fp32_flat_groups": made.flats}


class _Made:
    """The state of an optimiser, group by group, as DeepSpeed loads it."""

    def __init__(self, param_groups: list[Any]) -> None:
        self.flats: list[Tensor] = []
        self._groups, self._states = param_groups, dict[int, dict[str, Any]]()

    @property
    def base(self) -> dict[str, Any]:
        return {"state": self._states, "param_groups": self._groups}

    def add(self, flat: Tensor, placed: Sequence[tuple[_Kept, int, int, int]], known: Sequence[_Kept]) -> None:
        """The next group: its weights as they are on this rank, and of each parameter that is kept from where in them,
        how much, and from where of it on. ``known``: those kept of the group, here or on other ranks.

        What is not kept stays as it is, and the optimiser has no state for a group of which nothing is.
        """
        number = len(self.flats)
        self.flats.append(_filled(flat.detach().cpu().float().clone(), placed, _WEIGHT))
        if known:
            keys = [key for key in known[0].stretches if key != _WEIGHT]
            states = {key: _filled(torch.zeros(flat.numel()), placed, key) for key in keys}
            self._states[number] = {**known[0].numbers, **states}


def _filled(flat: Tensor, placed: Sequence[tuple[_Kept, int, int, int]], key: str) -> Tensor:
    for kept, start, count, begins in placed:
        kept.copy_to(flat[start : start + count], key, begins)
    return flat

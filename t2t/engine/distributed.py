"""Processes: starting the group, what rank 0 alone does, and sums over ranks."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import cache
from types import ModuleType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from t2t.engine import peers
from t2t.errors import InputError

T = TypeVar("T")

_LONGEST_SUM = timedelta(minutes=30)  # what a collective of training may take; a rank that takes longer is lost
_LONGEST_PREPARATION = timedelta(days=30)  # how long the others wait for rank 0 to train a tokenizer and to encode


def start() -> torch.device:
    """Join the process group (NCCL on GPUs, gloo without) and give the device of this rank.

    Without a launcher the group is this process alone. On CPUs the cores are shared out evenly.
    """
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("MASTER_PORT", str(free_port()))
    local = int(os.environ["LOCAL_RANK"])
    gpu = has_gpu()
    if gpu:
        torch.cuda.set_device(local)
    else:
        os.environ["DS_ACCELERATOR"] = "cpu"
        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // _local_world()))
    deepspeed = _quiet_deepspeed()
    deepspeed.init_distributed("nccl" if gpu else "gloo", verbose=False, timeout=_LONGEST_SUM)
    _patient_group()  # made here, where all ranks come at once, since making it takes a collective
    if world_size() > 1:
        peers.meet(rank(), world_size(), os.environ["MASTER_ADDR"], _shared)
    return torch.device("cuda", local) if gpu else torch.device("cpu")


def has_gpu() -> bool:
    """True if this machine has a GPU that is to be used; DS_ACCELERATOR=cpu says that it is not."""
    return torch.cuda.is_available() and os.environ.get("DS_ACCELERATOR") != "cpu"


def own_device() -> torch.device:
    """What a process without a group computes on: the GPU of its rank, where a launcher gives it one, or the CPU."""
    if not has_gpu():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


def device_name() -> str:
    """What this process computes on: the GPU by name, or the CPU by its number of cores."""
    return torch.cuda.get_device_name() if has_gpu() else f"CPU, {os.cpu_count()} cores"


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _local_world() -> int:
    """Processes on this machine: DeepSpeed's launcher and torchrun name the number differently."""
    given = [os.environ.get(name) for name in ("LOCAL_SIZE", "LOCAL_WORLD_SIZE", "WORLD_SIZE")]
    return int(next(value for value in given if value))


def _quiet_deepspeed() -> ModuleType:
    """DeepSpeed without what it tells its own developers."""
    os.environ.setdefault("DEEPSPEED_LOG_LEVEL", "error")
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(torch|deepspeed)\b")
    import deepspeed

    # Its shared-memory sums are no faster here than gloo's, and it would compile them first: a minute, and a compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    _import_muon()
    module: ModuleType = deepspeed
    return module


def _import_muon() -> None:
    """Import DeepSpeed's Muon without the compiler of its kernels.

    DeepSpeed looks at it whatever the optimiser is, and torch's compiler takes seconds of each process to import. Muon
    itself, which nobody here asks for by default, computes the same without. A DeepSpeed that has it elsewhere starts
    as slowly as it does.
    """
    from deepspeed.runtime import compiler

    compiled = compiler.compile
    compiler.compile = lambda *_, **__: lambda function: function
    try:
        with suppress(ImportError):
            import deepspeed.runtime.zero.muon.original_muon  # noqa: F401
    finally:
        compiler.compile = compiled


def multiplies_bf16(device: torch.device) -> bool:
    """True if ``device`` has instructions for bf16 products. Without them they are many times slower than fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def all_agree(value: bool, device: torch.device) -> bool:
    """True if ``value`` is true on every rank. Every rank must call it."""
    return int(total(torch.tensor([int(value)], device=device))) == world_size()


def stop() -> None:
    """Leave the process group, this process's work being done."""
    peers.tell(0)
    _patient_group.cache_clear()
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def barrier() -> None:
    if dist.is_initialized():
        dist.barrier()


@cache
def _patient_group() -> dist.ProcessGroup | None:
    return dist.new_group(backend="gloo", timeout=_LONGEST_PREPARATION) if dist.is_initialized() else None


def patient_barrier() -> None:
    """A barrier that waits as long as one process takes to prepare the data; it fails at once where a process ends."""
    if world_size() > 1:
        dist.barrier(_patient_group())


def _shared(meeting: peers.Meeting | None) -> peers.Meeting:
    """The first rank's, on all ranks."""
    held = [meeting]
    dist.broadcast_object_list(held, src=0, group=_patient_group())
    assert held[0] is not None
    return held[0]


def from_first(make: Callable[[], T]) -> T:
    """What ``make`` gives on rank 0, on all ranks, which wait as long as it takes; all raise an error of a user's."""
    made: list[Any] = [None, None]
    if not rank():
        try:
            made[0] = make()
        except InputError as error:
            made[1] = (type(error), error.where, error.found, error.todo)
    if world_size() > 1:
        dist.broadcast_object_list(made, src=0, group=_patient_group())
    if made[1] is not None:
        kind, *arguments = made[1]
        raise kind(*arguments)
    found: T = made[0]
    return found


def total(values: Tensor) -> Tensor:
    """The sum of ``values`` over all ranks, in place."""
    if world_size() > 1:
        dist.all_reduce(values)
    return values

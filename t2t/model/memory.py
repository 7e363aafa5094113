"""Memory that runs out: how it is known, and how what was held is given back."""

from __future__ import annotations

import gc

import torch

_SAYINGS = ("out of memory", "can't allocate memory", "not enough memory")  # of CUDA, CTranslate2 and allocators


def is_out_of_memory(error: BaseException) -> bool:
    """True for an error that says that a device, or the machine, has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(saying in str(error).lower() for saying in _SAYINGS)


def free_memory() -> None:
    """Give back what nothing holds any more. To be called outside of an ``except``, whose error holds its frames."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

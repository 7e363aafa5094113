"""Reading files whose names come from others: regular files only, and no more of them than is wanted."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path


def is_regular(path: Path) -> bool:
    """True for a regular file of a disk, behind a link too: what is in /proc or /sys may let its reader wait."""
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_dev not in _kernels_own()


@cache
def _kernels_own() -> frozenset[int]:
    """The devices of the file systems whose files the kernel makes when they are read."""
    devices: set[int] = set()
    for folder in ("/proc", "/sys"):
        with suppress(OSError):
            devices.add(os.stat(folder).st_dev)
    return frozenset(devices - {os.stat("/").st_dev})


def read_regular(path: Path, most: int) -> bytes:
    """The first ``most`` bytes of a regular file.

    OSError for what is none: a pipe, a device (also behind a link), a directory. A file that would make its reader
    wait, as some of /proc do, is an OSError too.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(None, "no regular file")
        return file.read(most) or b""

"""Reading files whose names come from others: regular files only, and no more of them than is wanted."""

from __future__ import annotations

import os
import stat
from pathlib import Path


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

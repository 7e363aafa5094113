"""Files that take their name only when they are complete and on disk; until then an older one stays.

What is being written is called NAME.PID.part and holds a lock where the file system has locks, so that the parts of
processes that were killed are known, here and on other machines, and removed.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

_PART = re.compile(r"(?P<name>.+)\.(?P<process>[0-9]+)\.part")


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """The path to write to; left early, nothing stays. Its folder is made. OSError where it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale_parts(path.parent, path.name)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path, newline: str = "\n") -> Iterator[TextIO]:
    """The same as a text file, UTF-8."""
    with whole_path(path) as part, part.open("w", encoding="utf-8", newline=newline) as file:
        _lock(file)
        yield file


@contextmanager
def whole_bytes(path: Path) -> Iterator[BinaryIO]:
    """The same as a file of bytes."""
    with whole_path(path) as part, part.open("wb") as file:
        _lock(file)
        yield file


def write_text(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text)


def link_or_copy(file: Path, to: Path) -> None:
    """``file`` at a second place, whose folder is made: linked where the disk can, in place of what is there."""
    with whole_path(to) as part:
        try:
            os.link(file, part)
        except OSError:
            shutil.copy(file, part)


def remove_stale_parts(folder: Path, name: str | None = None) -> None:
    """Remove what processes left that are dead: not alive here, and their lock, kept on any machine, is free.

    ``name``: of the file whose parts they are; None: of any.
    """
    for own in os.listdir(folder) if folder.is_dir() else []:  # names alone: a folder may hold a hundred thousand
        found = _PART.fullmatch(own) if own.endswith(".part") else None
        if found is None or name not in (None, found["name"]) or not (part := folder / own).is_file():
            continue
        process = int(found["process"])
        if process != os.getpid() and not _is_alive(process):
            with suppress(OSError), part.open("rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()


def _lock(file: TextIO | BinaryIO) -> None:
    with suppress(OSError):  # a file system without locks
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True

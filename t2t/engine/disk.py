"""Folders that are whole and on disk, or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import xxhash

from t2t.errors import FULL, FullDiskError, T2TError, full_sentence

_BLOCK = 1 << 22  # bytes read at once


_TOO_LITTLE = 1 << 20  # bytes that are left on a disk that is full for who needs more than that at once


@contextmanager
def room_at(path: Path) -> Iterator[None]:
    """FullDiskError where what is written inside finds no room, in whatever words torch or tokenizers say so."""
    try:
        yield
    except T2TError:
        raise
    except Exception as error:  # tokenizers raises no more special one
        number = error.errno if isinstance(error, OSError) else None
        folder = next(one for one in (path, *path.absolute().parents) if one.is_dir())
        hidden = number is None and shutil.disk_usage(folder).free < _TOO_LITTLE
        if number in FULL or hidden or "os error 28" in str(error):
            raise FullDiskError(full_sentence(str(path))) from error
        raise


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder to write into, which takes the name ``path`` only when it is complete and on disk.

    Until then an older one stays. What a killed process left half-written is removed first. FullDiskError where there
    is no room.
    """
    part = path.with_name(f"{path.name}.tmp")
    shutil.rmtree(part, ignore_errors=True)
    with room_at(part):
        part.mkdir(parents=True)
        yield part
        _open_to_all(part)
        sync(part)
    shutil.rmtree(path, ignore_errors=True)
    part.rename(path)
    sync_folder(path.parent)


def _open_to_all(folder: Path) -> None:
    """Give files the mode that the umask says: safetensors writes its own for their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o666 & ~mask)


def sync(folder: Path) -> None:
    """Wait until all that ``folder`` holds is on disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Wait until the names in ``folder`` are on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sizes(folder: Path) -> dict[str, int]:
    """The size in bytes of every file under ``folder``, by its path from there."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def content_hash(folder: Path, patterns: Sequence[str]) -> str:
    """An XXH3 hash of the names and bytes of those files of a folder that fit the patterns."""
    found = xxhash.xxh3_128()
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}):
        found.update(f"{path.name}\n{file_hash(path)}\n".encode())
    return found.hexdigest()


def file_hash(path: Path) -> str:
    """The XXH3 hash (128 bits, hex) of a file's bytes: it finds damage, not malice.

    About a tenth of a second a gigabyte that is in memory, where SHA-256 takes seven tenths.
    """
    found = xxhash.xxh3_128()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            found.update(block)
    return found.hexdigest()

"""Where data files are and how their bytes become lines.

Files come from strangers: archives are never unpacked to disk (one named member is streamed), what they unpack to
is capped in size and ratio, lines are capped in length, and bytes that are no text are refused with their line.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from t2t.errors import DataError, TemplateError
from t2t.regular_files import is_regular
from t2t.tasks.bad_records import STOP, BadRecords

UNPACKED_CAP = 1 << 30  # bytes a compressed file or member may unpack to
RATIO_CAP = 200  # unpacked bytes for each packed byte; text seldom passes 30
RATIO_FROM = 1 << 24  # bytes; below, a high ratio is harmless
LINE_CAP = 1 << 24  # bytes of one line

_BROKEN = (
    EOFError,
    OSError,
    RuntimeError,  # of zipfile, as for a compression that it does not know
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
)


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that exists: ``name`` as the template has it, ``member`` inside an archive or None."""

    name: str
    path: Path
    member: str | None = None


def data_dir() -> Path:
    """The folder of data sets: the environment's T2T_DATA, else ``../shared/data`` beside the repository."""
    given = os.environ.get("T2T_DATA")
    return Path(given) if given else Path(__file__).resolve().parents[2].parent / "shared" / "data"


def find_file(name: str, base: Path, where: str) -> DataFile:
    """The file called ``name`` (``FILE``, ``a.zip!member`` or ``a.tar.gz!member``).

    Looked for as an absolute path, else beside the template in ``base``, else in ``data_dir()``. Raises DataError
    naming these places.
    """
    file, _, member = name.partition("!")
    places = [Path(file)] if Path(file).is_absolute() else [base / file, data_dir() / file]
    for place in places:
        if is_regular(place):
            return DataFile(name, place, member or None)
    if strange := next((place for place in places if place.exists() and not place.is_dir()), None):
        raise DataError(where, f"{strange} is no regular file", "name a file, not a pipe or a device")
    looked = " and ".join(str(place) for place in places)
    raise DataError(
        where, f"no file {file!r} (looked for {looked})", "put it there, or set T2T_DATA to the folder of data sets"
    )


class _Capped(io.RawIOBase):
    """A stream that refuses to give more bytes than the caps allow."""

    def __init__(self, stream: BinaryIO, packed: int, name: str) -> None:
        self._stream = stream
        self._packed = max(packed, 1)
        self._name = name
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        self._given += len(data)
        if self._given > UNPACKED_CAP:
            raise DataError(
                self._name, f"unpacks to more than {UNPACKED_CAP} bytes", "split the file, or unpack it yourself"
            )
        if self._given > RATIO_FROM and self._given > RATIO_CAP * self._packed:
            found = f"unpacks to more than {RATIO_CAP} times its size"
            raise DataError(self._name, found, "if you trust the file, unpack it yourself")
        buffer[: len(data)] = data
        return len(data)


def _capped(stream: BinaryIO, packed: int, name: str) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_Capped(stream, packed, name), 1 << 16))


@contextmanager
def open_bytes(file: DataFile) -> Iterator[BinaryIO]:
    """The bytes of a file, of a ``.gz`` file unpacked, or of one member of a zip or tar.gz archive; capped."""
    try:
        if file.member is not None:
            opened = _open_zip(file) if file.path.suffix == ".zip" else _open_tar(file)
        else:
            opened = _open_plain(file)
        with opened as stream:
            yield stream
    except _BROKEN as error:
        raise DataError(file.name, f"cannot be read ({error})", "replace the file by a sound copy") from error


@contextmanager
def _open_plain(file: DataFile) -> Iterator[BinaryIO]:
    if file.path.suffix != ".gz":
        with file.path.open("rb") as stream:
            yield stream
        return
    with gzip.open(file.path) as unpacked:
        yield _capped(cast(BinaryIO, unpacked), file.path.stat().st_size, file.name)


@contextmanager
def _open_zip(file: DataFile) -> Iterator[BinaryIO]:
    with zipfile.ZipFile(file.path) as archive:
        members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        info = members.get(file.member or "")
        if info is None:
            raise _no_member(file, list(members))
        with archive.open(info) as unpacked:
            yield _capped(cast(BinaryIO, unpacked), info.compress_size, file.name)


@contextmanager
def _open_tar(file: DataFile) -> Iterator[BinaryIO]:
    packed = file.path.stat().st_size
    seen: list[str] = []
    with gzip.open(file.path) as unpacked:
        stream = _capped(cast(BinaryIO, unpacked), packed, file.name)
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                seen.append(info.name)
                # Links could lead elsewhere, and a sparse member can claim any size.
                if info.name == file.member and info.isreg() and not info.issparse():
                    member = archive.extractfile(info)
                    yield cast(BinaryIO, member)
                    return
    raise _no_member(file, seen)


def _no_member(file: DataFile, members: list[str]) -> DataError:
    some = ", ".join(members[:8]) + (", ..." if len(members) > 8 else "")
    return DataError(file.name, f"the archive has no file {file.member!r}", f"name one that it has: {some}")


def check_encoding(encoding: str, where: str) -> str:
    """``encoding`` itself if it is one of text; TemplateError otherwise."""
    try:
        "\n".encode(encoding)
    except (LookupError, ValueError):
        found, todo = f"encoding {encoding!r} is none of text", "use utf-8, utf-16, latin-1, gb18030, ..."
        raise TemplateError(where, found, todo) from None
    return encoding


def read_lines(
    file: DataFile, encoding: str = "utf-8", *, ends: bool = False, bad: BadRecords = STOP
) -> Iterator[tuple[int, str]]:
    """The lines of ``try_lines`` that are text; the others are bad records."""
    for number, line in try_lines(file, encoding, ends=ends):
        if isinstance(line, DataError):
            bad.add(line)
        else:
            yield number, line


def try_lines(
    file: DataFile, encoding: str = "utf-8", *, ends: bool = False
) -> Iterator[tuple[int, str] | tuple[int, DataError]]:
    """Line numbers (from 1) and lines, without their ends (``\\n`` or ``\\r\\n``) unless ``ends`` is asked for.

    Only ``\\n`` ends a line: other separators of Unicode are inside texts. A byte order mark at the start of the
    file is removed. For bytes that ``encoding`` has not, NUL and too long lines a DataError with FILE:LINE is in
    the line's place; at most ``LINE_CAP`` bytes of a line are held.
    """
    with open_bytes(file) as stream:
        wide = "\n".encode(encoding) != b"\n"
        lines = _decoded_lines(stream, encoding, file.name) if wide else _byte_lines(stream, encoding, file.name)
        for number, text in lines:
            if isinstance(text, DataError):
                yield number, text
                continue
            if number == 1:
                text = text.removeprefix("\ufeff")
            yield number, text if ends else text.removesuffix("\n").removesuffix("\r")


_Tried: TypeAlias = Iterator[tuple[int, str] | tuple[int, DataError]]


def _byte_lines(stream: BinaryIO, encoding: str, name: str) -> _Tried:
    """Lines of an encoding in which the byte 0x0A ends them: each is decoded alone."""
    number = 0
    while line := stream.readline(LINE_CAP + 1):
        number += 1
        try:
            yield number, decode(line, encoding, f"{name}:{number}")
        except DataError as error:
            yield number, error
            while line and not line.endswith(b"\n"):
                line = stream.readline(LINE_CAP + 1)


def _decoded_lines(stream: BinaryIO, encoding: str, name: str) -> _Tried:
    """Lines of any other encoding (UTF-16): what cannot be decoded spoils the line in which it stands."""
    text = io.TextIOWrapper(stream, encoding, errors="replace", newline="\n")
    number = 0
    while line := text.readline(LINE_CAP + 1):
        number += 1
        where = f"{name}:{number}"
        if len(line) > LINE_CAP:
            yield number, _too_long(where)
            while line and not line.endswith("\n"):
                line = text.readline(LINE_CAP + 1)
        elif "\ufffd" in line:
            yield number, DataError(where, f"no {encoding} text", _NAME_ENCODING)
        else:
            try:
                check_text(line, where)
            except DataError as error:
                yield number, error
            else:
                yield number, line
    text.detach()


def _too_long(where: str) -> DataError:
    return DataError(where, f"a line longer than {LINE_CAP} bytes", "is this a text file with line breaks?")


_NAME_ENCODING = "name the file's encoding: in the source"


def decode(line: bytes, encoding: str, where: str) -> str:
    """The text of some bytes; DataError at ``where`` if they are too many, or no text."""
    if len(line) > LINE_CAP:
        raise _too_long(where)
    try:
        text = line.decode(encoding)
    except UnicodeError as error:
        raise DataError(where, f"no {encoding} text ({error})", _NAME_ENCODING) from None
    check_text(text, where)
    return text


def check_text(text: str, where: str) -> None:
    """DataError at ``where`` for NUL characters and lone surrogates, which no tokenizer can say."""
    if "\0" in text:
        raise DataError(where, "a NUL character", "remove it from the file")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise DataError(where, "a lone surrogate (half a character)", "write the whole character") from None


@cache
def _digest(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_digest(path: Path) -> str:
    """The sha256 of a file's bytes, kept for the process while size and time of change stay the same."""
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)

"""Formats whose records are files of a folder: texts, and brat's texts with annotations beside them."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from t2t.errors import DataError
from t2t.regular_files import is_regular
from t2t.structures import Json
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.data_files import DataFile, check_text, data_dir, file_digest, open_bytes
from t2t.tasks.sources.base import SOURCES, FileSource, Options, Source, Spec

_CAP = 1 << 26  # bytes of one text
Records = Iterator[tuple[str, dict[str, Any]]]


def find_folder(name: str, base: Path, where: str) -> DataFile:
    """The folder called ``name``, or the one in a zip archive (``a.zip!folder``), looked for as files are."""
    file, _, member = name.partition("!")
    places = [Path(file)] if Path(file).is_absolute() else [base / file, data_dir() / file]
    for place in places:
        if (place.is_dir() and not member) or (place.suffix == ".zip" and is_regular(place)):
            return DataFile(name, place, member.strip("/") if place.is_file() else None)
    looked = " and ".join(str(place) for place in places)
    raise DataError(where, f"no folder {file!r} (looked for {looked})", "put it there, or unpack the archive")


def files_of(folder: DataFile, ending: str) -> list[DataFile]:
    """The files of a folder with an ending, in the order of their names; those of its own folders are not its."""
    if folder.member is None:
        return [DataFile(f"{folder.name}/{path.name}", path) for path in sorted(folder.path.glob(f"*{ending}"))]
    with zipfile.ZipFile(folder.path) as archive:
        members = sorted(info.filename for info in archive.infolist() if not info.is_dir())
    inside = [name for name in members if str(PurePosixPath(name).parent).strip(".") == folder.member]
    name = folder.name.partition("!")[0]
    return [DataFile(f"{name}!{one}", folder.path, one) for one in inside if one.endswith(ending)]


def _digest(folder: DataFile) -> str:
    """Of an archive as a file; of a folder over the names and contents of what is read of it."""
    if folder.member is not None:
        return file_digest(folder.path)
    found = hashlib.sha256()
    for path in sorted(folder.path.iterdir()):
        if is_regular(path) and path.suffix in (".txt", ".ann"):
            found.update(f"{path.name}\0{file_digest(path)}\0".encode())
    return found.hexdigest()


def _text_of(file: DataFile, encoding: str) -> str:
    with open_bytes(file) as stream:
        content = stream.read(_CAP + 1)
    if len(content) > _CAP:
        raise DataError(file.name, f"a text of more than {_CAP} bytes", "split it")
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        raise DataError(file.name, f"no {encoding} text ({error})", "name the file's encoding: in the source") from None
    check_text(text, file.name)
    return text


@SOURCES.register("texts")
def texts(spec: Spec, base: Path, where: str) -> Source:
    """A record for each file ``*.txt`` of a folder: its ``name`` without the ending, and its ``text``."""
    options = Options(spec, where)
    encoding = options.encoding()
    options.files()
    options.finish()

    def read(files: dict[str, DataFile], bad: BadRecords) -> Records:
        def record(file: DataFile) -> tuple[str, dict[str, Any]]:
            name = PurePosixPath(file.name.rpartition("!")[2]).name
            return file.name, {"name": name.removesuffix(".txt"), "text": _text_of(file, encoding).strip()}

        return bad.each(files_of(files[""], ".txt"), record)

    return FileSource(spec, base, where, read, find=find_folder, digest=_digest)


@SOURCES.register("brat")
def brat(spec: Spec, base: Path, where: str) -> Source:
    """brat's standoff: a record for each NAME.txt of a folder with a NAME.ann beside it.

    Fields: ``name``, ``text``, ``entities`` ({"id", "type", "start", "end", "text"}; one in several pieces has lists as
    start and end), ``relations`` ({"id", "type", "head", "tail"}, ids of entities), ``events`` ({"id", "type",
    "trigger", "arguments": [{"role", "id"}]}), ``attributes`` ({"id", "type", "of", "value"}). Ends are exclusive.
    Notes and equivalences are passed over.
    """
    options = Options(spec, where)
    encoding = options.encoding()
    options.files()
    options.finish()

    def read(files: dict[str, DataFile], bad: BadRecords) -> Records:
        beside = {file.name: file for file in files_of(files[""], ".ann")}

        def record(file: DataFile) -> tuple[str, dict[str, Any]]:
            known = beside.get(file.name.removesuffix(".txt") + ".ann")
            if known is None:
                raise DataError(file.name, "no .ann stands beside the text", "add it, empty where nothing is marked")
            name = PurePosixPath(file.name.rpartition("!")[2]).name.removesuffix(".txt")
            annotations = read_standoff(_text_of(known, encoding), known.name)
            return file.name, {"name": name, "text": _text_of(file, encoding).rstrip(), **annotations}

        return bad.each(files_of(files[""], ".txt"), record)

    return FileSource(spec, base, where, read, find=find_folder, digest=_digest)


_PLACES = re.compile(r"(\S+) ((?:\d+ \d+)(?:;\d+ \d+)*)")
_ARGUMENT = re.compile(r"([^\s:]+):([TE]\d+\S*)")


def read_standoff(text: str, name: str) -> dict[str, list[Json]]:
    """The annotations of a .ann file; DataError with FILE:LINE for a line that is none."""
    found: dict[str, list[Json]] = {"entities": [], "relations": [], "events": [], "attributes": []}
    for number, line in enumerate(text.splitlines(), 1):
        kind = line[:1]
        if kind not in ("T", "R", "E", "A", "M"):
            continue
        parts = line.split("\t")
        try:
            key, item = _READERS[kind](parts)
        except (IndexError, ValueError, TypeError):
            where, todo = f"{name}:{number}", "correct the line, or remove it"
            raise DataError(where, f"{line[:60]!r} is no annotation of brat", todo) from None
        found[key].append(item)
    return found


def _entity(parts: list[str]) -> tuple[str, Json]:
    places = _PLACES.fullmatch(parts[1])
    if places is None:
        raise ValueError
    pairs = [tuple(map(int, pair.split())) for pair in places[2].split(";")]
    starts, ends = [start for start, _ in pairs], [end for _, end in pairs]
    single = len(pairs) == 1
    place = {"start": starts[0] if single else starts, "end": ends[0] if single else ends}
    return "entities", {"id": parts[0], "type": places[1], **place, "text": parts[2] if len(parts) > 2 else None}


def _relation(parts: list[str]) -> tuple[str, Json]:
    kind, *rest = parts[1].split()
    first, second = (_ARGUMENT.fullmatch(part) for part in rest)
    return "relations", {"id": parts[0], "type": kind, "head": first[2], "tail": second[2]}  # type: ignore[index]


def _event(parts: list[str]) -> tuple[str, Json]:
    first, *rest = parts[1].split()
    kind, _, trigger = first.partition(":")
    given = [_ARGUMENT.fullmatch(part) for part in rest]
    arguments = [{"role": one[1], "id": one[2]} for one in given]  # type: ignore[index]
    return "events", {"id": parts[0], "type": kind, "trigger": trigger or None, "arguments": arguments}


def _attribute(parts: list[str]) -> tuple[str, Json]:
    kind, of, *value = parts[1].split()
    return "attributes", {"id": parts[0], "type": kind, "of": of, "value": value[0] if value else True}


_READERS = {"T": _entity, "R": _relation, "E": _event, "A": _attribute, "M": _attribute}

"""What a source is, and the part that all sources of files share."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from t2t.errors import DataError, TemplateError
from t2t.registry import Registry, did_you_mean
from t2t.tasks.bad_records import STOP, BadRecords
from t2t.tasks.data_files import DataFile, check_encoding, data_dir, file_digest, find_file
from t2t.tasks.record import RawRecord

__all__ = ["SOURCES", "DataFile", "FileSource", "Options", "RawRecord", "Source", "data_dir", "find_file", "sha256_of"]

Spec: TypeAlias = dict[str, Any]
FILE_KEYS = ("train", "valid", "test", "all", "splits")
COMMON_KEYS = ("format", "with", "join", "explode", "id_field", "where", "split", "group", "fields")


class Source(Protocol):
    """Raw records by split, in file order, streamed."""

    def splits(self) -> list[str]:
        """The names of the splits, in the order of the template."""
        ...

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        """The records of one split; what cannot be read goes to ``bad`` as a DataError with FILE:LINE."""
        ...

    def fingerprint(self) -> str:
        """The sha256 (hex) of what decides the records: the specification and the contents of the files."""
        ...


Factory: TypeAlias = Callable[[Spec, Path, str], Source]
SPLIT_NAME = re.compile(r"[^\W_][\w.-]*")  # what files are called after
# The demo's world stands on a floor above this one.
SOURCES: Registry[Factory] = Registry("source format", "t2t.sources", {"atlas": "t2t.atlas"})


def sha256_of(*parts: str) -> str:
    """The sha256 (hex) of some strings, kept apart."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class Options:
    """The keys of a source specification, each taken once; what is left at the end is a mistake."""

    def __init__(self, spec: Mapping[str, Any], where: str) -> None:
        self.left = dict(spec)
        self.where = where
        self._known: list[str] = []

    def take(self, key: str, kind: type | tuple[type, ...], what: str, default: Any = None) -> Any:
        """The value of ``key`` if it is of ``kind``; ``what`` says in a message what it must be."""
        self._known.append(key)
        value = self.left.pop(key, default)
        if value is not None and not isinstance(value, kind):
            raise TemplateError(self.where, f"source: {key}: is {value!r}", f"write {what}")
        return value

    def names(self, key: str) -> list[str] | None:
        """A list of distinct names, or None."""
        names: list[str] | None = self.take(key, list, "a list of names, e.g. [tokens, tags]")
        if names is not None and (not names or len({n for n in names if isinstance(n, str)}) != len(names)):
            raise TemplateError(self.where, f"source: {key}: is {names!r}", "write distinct names, e.g. [tokens, tags]")
        return names

    def encoding(self) -> str:
        return check_encoding(self.take("encoding", str, "the name of an encoding, e.g. utf-8", "utf-8"), self.where)

    def files(self) -> dict[str, Any]:
        """The files by split: ``train``, ``valid``, ``test``, ``all``, and any other name under ``splits``."""
        files = {key: self.take(key, (str, list, dict), "a file name") for key in FILE_KEYS if key in self.left}
        self._known += FILE_KEYS
        named = files.pop("splits", {})
        if not isinstance(named, dict):
            raise TemplateError(self.where, f"source: splits: is {named!r}", "write {NAME: FILE}")
        files.update(named)
        for split in files:
            if not isinstance(split, str):
                raise TemplateError(self.where, f"source: the split {split!r} is no text", f'write "{split}"')
            if not SPLIT_NAME.fullmatch(split):
                found = f"source: the split {split!r} is no name"
                raise TemplateError(self.where, found, "use letters, digits, _, . and - only, a letter or digit first")
        if not files:
            raise TemplateError(self.where, "the source names no file", "write e.g. train: FILE and test: FILE")
        return files

    def finish(self) -> None:
        """TemplateError if a key is left that nobody took."""
        for key in self.left:
            raise TemplateError(
                self.where, f"source: unknown key {key!r}", did_you_mean(str(key), {*self._known, *COMMON_KEYS})
            )


@dataclass(frozen=True, slots=True)
class Part:
    """One file (or some line-aligned files by field name) of a split, and fields that its records get."""

    files: dict[str, str]
    extra: dict[str, Any]


Read: TypeAlias = Callable[[dict[str, DataFile], BadRecords], Iterator[tuple[str, dict[str, Any]]]]
Find: TypeAlias = Callable[[str, Path, str], DataFile]


def _digest(file: DataFile) -> str:
    return file_digest(file.path)


@dataclass(frozen=True, slots=True)
class FileSource:
    """Splits made of files; ``read`` gives (FILE:LINE, data) for the records of one part, the bad ones set aside.

    A split is a file, a list of files, or ``{file: FILE, with: {field: value}}``; where ``aligned``, FILE is a mapping
    of field names to line-aligned files. Files are looked for by ``find`` when they are read; ``digest`` is the sha256
    of what one holds. Ids are "SPLIT:INDEX", from 0.
    """

    spec: Spec
    base: Path
    where: str
    read: Read
    aligned: bool = False
    find: Find = find_file
    digest: Callable[[DataFile], str] = _digest
    parts: dict[str, list[Part]] = field(init=False)

    def __post_init__(self) -> None:
        files = Options(self.spec, self.where).files()
        parts = {split: [self._part(item) for item in _listed(value)] for split, value in files.items()}
        object.__setattr__(self, "parts", parts)

    def _part(self, item: Any) -> Part:
        extra: dict[str, Any] = {}
        if isinstance(item, dict) and item.keys() == {"file", "with"} and isinstance(item["with"], dict):
            item, extra = item["file"], item["with"]
        if not self.aligned and isinstance(item, str):
            return Part({"": item}, extra)
        if self.aligned and isinstance(item, dict) and item and all(isinstance(v, str) for v in item.values()):
            return Part(dict(item), extra)
        file = "{field: FILE, ...}" if self.aligned else "FILE"
        todo = f"write {file}, [{file}, ...] or {{file: {file}, with: {{...}}}}"
        raise TemplateError(self.where, f"source: the files of a split are {item!r}", todo)

    def _found(self, part: Part) -> dict[str, DataFile]:
        return {key: self.find(name, self.base, self.where) for key, name in part.files.items()}

    def splits(self) -> list[str]:
        return list(self.parts)

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        if split not in self.parts:
            raise DataError(self.where, f"the source has no split {split!r}", did_you_mean(split, self.parts))
        index = 0
        for part in self.parts[split]:
            for where, data in self.read(self._found(part), bad):
                yield RawRecord(where, f"{split}:{index}", {**data, **part.extra} if part.extra else data)
                index += 1

    def fingerprint(self) -> str:
        parts = [part for split in self.parts.values() for part in split]
        digests = [self.digest(file) for part in parts for file in self._found(part).values()]
        return sha256_of(json.dumps(self.spec, sort_keys=True, default=str), *digests)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

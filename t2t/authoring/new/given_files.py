"""Which files a stranger means: one, several, those of a folder or an archive, and what each of them is for."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from t2t.errors import DataError
from t2t.regular_files import is_regular
from t2t.tasks.data_files import DataFile, data_dir, find_file

SPLITS = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "dev", "devel", "val", "eval"),
    "test": ("test", "testing"),
}
_SPLIT_OF = {word: split for split, words in SPLITS.items() for word in words}
_WORD = re.compile(r"[^\W\d_]+")
_DATA = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".conll", ".bio", ".iob", ".iob2", ".bioes", ".parquet")
_ARCHIVES = (".zip", ".tar.gz", ".tgz")
_NOT_DATA = re.compile(r"(?i)(readme|licen[sc]e|source|dataset_infos?|changelog|\.).*")
Spec = dict[str, Any]


class FileName(str):
    """The name of a file inside a specification, as the user wrote it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Group:
    """The files of each split, as the user names them, and the field that each class gives to its records.

    ``labels``: the class of a file, where files are classes. ``folders``: the names are those of folders.
    """

    splits: dict[str, list[str]]
    labels: dict[str, str] = field(default_factory=dict)
    folders: bool = False

    @property
    def first(self) -> str:
        return next(name for names in self.splits.values() for name in names)


def split_word(name: str) -> str | None:
    """The split that a name says: the last of its words that is one."""
    words = [word.lower() for word in _WORD.findall(name)]
    return next((_SPLIT_OF[word] for word in reversed(words) if word in _SPLIT_OF), None)


def is_archive(name: str) -> bool:
    return "!" not in name and name.lower().endswith(_ARCHIVES)


def expand(name: str) -> list[str] | None:
    """The data files of a folder or an archive; None for a file."""
    if Path(name).is_dir():
        found = [path for path in sorted(Path(name).rglob("*")) if is_regular(path)]
        return [path.as_posix() for path in found if _is_data(path.relative_to(name).as_posix())]
    if not is_archive(name):
        return None
    return [f"{name}!{member}" for member in members_of(find_file(name, Path(), name)) if _is_data(member)]


def text_files(name: str) -> list[str]:
    """The files of a folder whose names do not say their format, and which may be lines: ``train.en``, ``seq.in``."""
    if not Path(name).is_dir():
        return []
    found = [path for path in sorted(Path(name).rglob("*")) if is_regular(path)]
    inside = [path for path in found if not any(part.startswith(".") for part in path.relative_to(name).parts)]
    return [path.as_posix() for path in inside if not _NOT_DATA.fullmatch(path.stem) and _is_text(path)]


def _is_text(path: Path) -> bool:
    with path.open("rb") as stream:
        first = stream.read(1 << 12)
    return bool(first) and b"\0" not in first


def members_of(archive: DataFile) -> list[str]:
    """The names of the files of an archive. DataError if it cannot be read."""
    try:
        if archive.path.suffix == ".zip":
            with zipfile.ZipFile(archive.path) as opened:
                return sorted(info.filename for info in opened.infolist() if not info.is_dir())
        with tarfile.open(archive.path) as packed:
            return sorted(info.name for info in packed if info.isfile())
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise DataError(archive.name, f"cannot be read ({error})", "replace the archive by a sound copy") from None


def _is_data(name: str) -> bool:
    parts = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts.parts)
    known = parts.name.lower().removesuffix(".gz").endswith((*_DATA, ".ann"))
    return known and not hidden and not (_NOT_DATA.fullmatch(parts.stem) and parts.suffix == ".txt")


def path_in(name: str) -> PurePosixPath:
    """The path of a file, or of a member inside its archive."""
    return PurePosixPath(name.rpartition("!")[2] if "!" in name else name)


def by_splits(names: Sequence[str], root: str = "") -> dict[str, list[str]] | None:
    """The files by the split that their names, or those of their folders, say; None where one says none."""
    found: dict[str, list[str]] = {}
    for name in names:
        inside = name.removeprefix(root)
        split = split_word(path_in(inside).name) or split_word(str(path_in(inside).parent))
        if split is None:
            return None
        found.setdefault(split, []).append(name)
    return {split: found[split] for split in SPLITS if split in found}


def classes(names: Sequence[str]) -> dict[str, str] | None:
    """The class of each file, where the names differ in one word only; None where they do not."""
    parts = [re.split(r"[._\-\s]+", path_in(name).name.removesuffix(".gz")) for name in names]
    if len({len(own) for own in parts}) != 1 or len(names) < 2:
        return None
    differ = [index for index in range(len(parts[0])) if len({own[index] for own in parts}) > 1]
    if len(differ) != 1:
        return None
    found = [own[differ[0]] for own in parts]
    return dict(zip(names, found, strict=True)) if len(set(found)) == len(found) else None


def beside(name: str) -> dict[str, str]:
    """The files of other splits that are beside a training file."""
    found: dict[str, str] = {}
    written = re.compile(r"(?<![A-Za-z])(?:train|training)(?![a-z])")
    for split, words in SPLITS.items():
        if split == "train" or not written.search(path_in(name).name):
            continue
        for word in words:
            other = written.sub(word, name)
            if other != name and _is_there(other):
                found[split] = other
                break
    return found


def _is_there(name: str) -> bool:
    file, _, member = name.partition("!")
    if not Path(file).is_file():
        return False
    return not member or member in members_of(find_file(file, Path(), file))


def seen_from(folder: Path) -> Callable[[str], str]:
    """What names a file as a template in ``folder`` finds it."""

    def seen(name: str) -> str:
        file, sign, member = name.partition("!")
        path, data = Path(file).resolve(), data_dir().resolve()
        if path.is_relative_to(data):
            return path.relative_to(data).as_posix() + sign + member
        return Path(os.path.relpath(path, folder)).as_posix() + sign + member

    return seen


def renamed(spec: Any, rename: Callable[[str], str]) -> Any:
    """A specification with every FileName in it renamed."""
    if isinstance(spec, FileName):
        return rename(spec)
    if isinstance(spec, dict):
        return {key: renamed(value, rename) for key, value in spec.items()}
    return [renamed(item, rename) for item in spec] if isinstance(spec, list) else spec


def one_or_list(items: Iterable[Any]) -> Any:
    found = list(items)
    return found[0] if len(found) == 1 else found

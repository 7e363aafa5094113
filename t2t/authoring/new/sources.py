"""``source:`` for a stranger's files: their format, their splits, and what their names say of their records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from t2t.authoring.new.formats import Format, look_at
from t2t.authoring.new.given_files import (
    FileName,
    Spec,
    beside,
    by_splits,
    classes,
    expand,
    is_archive,
    one_or_list,
    path_in,
    renamed,
    seen_from,
    split_word,
    text_files,
)
from t2t.errors import DataError
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.data_files import find_file, read_lines

_MANY_TEXTS = 3  # files of a folder, on average, where each file is a text


@dataclass(frozen=True, slots=True)
class Found:
    """The source: ``spec`` with its files as the user named them, its splits, and what to tell of how it was read."""

    spec: Spec
    splits: tuple[str, ...]
    as_given: str
    remarks: tuple[str, ...] = ()

    def named_from(self, folder: Path) -> Spec:
        """The specification with each file named as a template in ``folder`` finds it."""
        spec: Spec = renamed(self.spec, seen_from(folder.resolve()))
        return spec

    @property
    def stem(self) -> str:
        """A name for the data: that of the file or folder without its ending and the words of splits."""
        name = PurePosixPath(self.as_given.rstrip("/")).name
        stem = re.sub(r"(\.(jsonl|ndjson|json|csv|tsv|txt|conll|bio|iob2?|bioes|parquet|gz|zip|tar|tgz))+$", "", name)
        words = [word for word in re.split(r"[._\s-]+", stem) if word.lower() not in ("train", "all", "data", "")]
        return "_".join(words) or Path(self.as_given).resolve().parent.name


def find_source(names: Sequence[str]) -> Found:
    """The source of files, a folder or an archive. DataError for what holds no records."""
    if len(names) > 1:
        return _several([one for name in names for one in (expand(name) or [name])], names[0])
    (name,) = names
    inside = expand(name)
    if inside is None:
        return _single(name)
    if inside:
        return _folder(name, inside)
    if len(lines := text_files(name)) > 1:
        return _several(lines, name)
    raise DataError(name, "no data file was found in it", "name the files themselves")


def _single(name: str) -> Found:
    format_ = look_at(find_file(name, Path(), name))
    if format_.is_lines and format_.open_quote is not None:
        found, todo = "a quote opens a cell here and none closes it", 'close it; a quote inside a quoted cell is ""'
        raise DataError(f"{name}:{format_.open_quote}", found, todo)
    if format_.is_lines:
        found = "neither JSON, a table, nor tokens with tags"
        raise DataError(name, found, "give the aligned file, or the files of the other classes too, or convert it")
    if format_.parts:
        return _parts(name, format_)
    splits = {"train": [name]} | {split: [other] for split, other in beside(name).items()}
    return _of_splits(splits, format_, name)


def _parts(name: str, format_: Format) -> Found:
    """Splits inside one document."""
    spec = {split: {**format_.spec, "file": FileName(name), "records": path} for split, path in format_.parts.items()}
    return Found(_in_order(spec), tuple(_in_order(spec)), name, format_.remarks)


def _in_order(spec: dict[str, Any]) -> dict[str, Any]:
    return {split: spec[split] for split in ("train", "valid", "test") if split in spec}


def _of_splits(splits: dict[str, list[str]], format_: Format, as_given: str) -> Found:
    files = {split: one_or_list([_named(name, format_) for name in names]) for split, names in splits.items()}
    return Found({**format_.spec, **_first_is_train(files)}, tuple(_first_is_train(files)), as_given, format_.remarks)


def _named(name: str, format_: Format) -> Any:
    """The file as its format has it: lines each of which is a record have the name of a field."""
    return {"line": FileName(name)} if format_.spec["format"] == "parallel" else FileName(name)


def _first_is_train(files: dict[str, Any]) -> dict[str, Any]:
    """Without a train part the first one stands for it."""
    if "train" in files:
        return files
    first, *_ = files
    return {"train" if split == first else split: names for split, names in files.items()}


def _folder(root: str, inside: list[str]) -> Found:
    if any(name.endswith(".ann") for name in inside):
        return _brat(root, inside)
    data = [name for name in inside if not name.endswith(".txt")] or inside
    endings = Counter(path_in(name).suffix for name in data)
    ending = endings.most_common(1)[0][0]
    chosen = [name for name in data if path_in(name).suffix == ending]
    left = [path_in(name).name for name in data if name not in chosen]
    found = _texts(root, chosen) if ending == ".txt" and _is_a_text_a_file(root, chosen) else _several(chosen, root)
    unread = (f"files of the folder that were not read: {', '.join(left[:5])}",) if left else ()
    return Found(found.spec, found.splits, root, (*found.remarks, *unread))


def _brat(root: str, inside: list[str]) -> Found:
    folders = list(dict.fromkeys(_folder_of(name) for name in inside if name.endswith(".ann")))
    splits = (by_splits(folders, root) if len(folders) > 1 else None) or {"train": folders}
    return _of_splits(splits, Format({"format": "brat"}), root)


def _folder_of(name: str) -> str:
    archive, sign, member = name.rpartition("!")
    parent = str(PurePosixPath(member).parent)
    return f"{archive}{sign}{'' if sign and parent == '.' else parent}"


def _is_a_text_a_file(root: str, names: list[str]) -> bool:
    """True where folders are classes: several folders with many files each."""
    folders = {_folder_of(name) for name in names}
    return len(folders) > 1 and len(names) >= _MANY_TEXTS * len(folders)


def _texts(root: str, names: list[str]) -> Found:
    folders = list(dict.fromkeys(map(_folder_of, names)))
    splits: dict[str, list[Any]] = {}
    for folder in folders:
        inside = folder.removeprefix(root)
        split = split_word(inside) or "train"
        splits.setdefault(split, []).append({"file": FileName(folder), "with": {"label": PurePosixPath(inside).name}})
    spec = {"format": "texts", **_first_is_train(splits)}
    return Found(spec, tuple(_first_is_train(splits)), root, ("each file is a text, its folder the label",))


def _several(names: list[str], as_given: str) -> Found:
    """Files of one format: splits, line-aligned files, a file a class, or parts of one split."""
    formats = {name: look_at(find_file(name, Path(), name)) for name in names}
    first = formats[names[0]]
    plain = [format_ for format_ in formats.values() if format_.is_lines]
    if len(plain) == len(names) or (plain and _are_aligned(names, as_given)):
        return _line_files(names, as_given, plain[0])
    if all(format_.spec["format"] == "parallel" for format_ in formats.values()):  # of fastText: one label, or several
        first = max(formats.values(), key=lambda format_: "labels" in format_.spec["fields"])
        return _of_splits(by_splits(names, _root(as_given)) or {"train": names}, first, as_given)
    splits = by_splits(names, _root(as_given))
    if len(names) == 1 or splits is None or any(format_.spec != first.spec for format_ in formats.values()):
        splits = splits or {"train": names}
    if odd := [name for name in names if formats[name].spec != first.spec]:
        return _each_its_own(splits, formats, as_given, odd)
    return _of_splits(splits, first, as_given)


def _root(as_given: str) -> str:
    """The folder or archive in whose names splits are looked for; none where files were given one by one."""
    return as_given if is_container(as_given) else ""


def _are_aligned(names: list[str], as_given: str) -> bool:
    """True for several files of each split with equally many lines, whatever a single one looks like."""
    grouped = by_splits(names, _root(as_given)) or {"train": names}
    return all(len(own) > 1 and len({_line_count(name) for name in own}) == 1 for own in grouped.values())


def _each_its_own(splits: dict[str, list[str]], formats: dict[str, Format], as_given: str, odd: list[str]) -> Found:
    """Splits of different formats, one file each."""
    if any(len(names) > 1 for names in splits.values()):
        todo = "give files of one format, or one of each split"
        raise DataError(odd[0], "the files are of different formats", todo)
    own = {split: {**formats[name].spec, "file": FileName(name)} for split, (name,) in splits.items()}
    return Found(_first_is_train(own), tuple(_first_is_train(own)), as_given)


def _line_files(names: list[str], as_given: str, format_: Format) -> Found:
    options = {key: value for key, value in format_.spec.items() if key != "format"}
    grouped = by_splits(names, _root(as_given)) or {"train": names}
    kinds = {split: classes(own) for split, own in grouped.items()}
    if all(kinds.values()) and _are_classes(grouped.get("train", names)):
        files = {
            split: [{"file": {"text": FileName(name)}, "with": {"label": label}} for name, label in own.items()]
            for split, own in kinds.items()
            if own
        }
        spec = {"format": "parallel", **options, **_first_is_train(files)}
        return Found(spec, tuple(_first_is_train(files)), _without_class(names), ("the name of a file is the label",))
    if len(names) == 1 or len({len(own) for own in grouped.values()}) != 1 or len(names) == len(grouped):
        found, todo = "lines of text, but no label or aligned file", "give those too"
        raise DataError(names[0], found, todo)
    aligned: dict[str, Any] = {split: _aligned(own) for split, own in grouped.items()}
    if len(grouped) == 1:
        others = [beside(name) for name in names]
        for split in ("valid", "test"):
            if all(split in other for other in others):
                aligned[split] = _aligned([other[split] for other in others])
    spec = {"format": "parallel", **options, **_first_is_train(aligned)}
    return Found(spec, tuple(_first_is_train(aligned)), as_given)


_KNOWN_CLASSES = frozenset(
    ("pos", "neg", "neu", "positive", "negative", "neutral", "good", "bad", "mixed", "spam", "ham", "true", "false")
)


def _are_classes(names: list[str]) -> bool:
    """True for files of different numbers of lines, or whose names say classes: the others are line-aligned."""
    said = classes(names) or {}
    if {label.lower() for label in said.values()} <= _KNOWN_CLASSES:
        return True
    return len({_line_count(name) for name in names}) > 1


def _line_count(name: str) -> int:
    lines = read_lines(find_file(name, Path(), name), "latin-1", bad=BadRecords("skip"))
    return sum(1 for _ in islice(lines, 1_000_000))


def _without_class(names: list[str]) -> str:
    """What the names of the classes' files have in common."""
    parts = [re.split(r"[._\-\s]+", path_in(name).name) for name in names]
    same = [own[0] for own in zip(*parts, strict=False) if len(set(own)) == 1]
    return "_".join(same[:-1]) or path_in(names[0]).parent.name or path_in(names[0]).name


def _aligned(names: list[str]) -> dict[str, FileName]:
    """Line-aligned files by field: the last part of the name in which they differ."""
    return dict(zip(_field_names(names), map(FileName, names), strict=True))


def _field_names(names: Sequence[str]) -> list[str]:
    parts = [re.split(r"[._-]", path_in(name.removesuffix(".gz")).name) for name in names]
    for index in range(1, min(map(len, parts)) + 1):
        found = [re.sub(r"\W", "_", own[-index]) for own in parts]
        if len(set(found)) == len(found) and all(re.match(r"[^\W\d]", word) for word in found):
            return found
    return [f"column{number}" for number in range(1, len(names) + 1)]


def is_container(name: str) -> bool:
    """True for a folder or an archive."""
    return Path(name).is_dir() or is_archive(name)

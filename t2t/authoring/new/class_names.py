"""Names of numbers that are in a file beside the data: class labels as the hub has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from t2t.errors import DataError
from t2t.regular_files import is_regular
from t2t.structures import Json
from t2t.tasks.data_files import DataFile
from t2t.tasks.json_text import parse_json, read_document

_MOST_BYTES = 1 << 20
_SAYS_NAMES = re.compile(r"(?i)(name|label|tag|class|categor|info|id2|2id|schema)")


def names_beside(data: Path) -> list[list[str]]:
    """Lists of names in JSON or text files beside a data file, those that are called like it first, and in the
    features that a Parquet file of the hub carries."""
    folder = data if data.is_dir() else data.parent
    stem = data.name.partition(".")[0]
    files = [path for path in sorted(folder.iterdir()) if is_regular(path) and path != data and _may_hold(path)]
    files.sort(key=lambda path: not path.name.startswith(stem))
    found = [names for path in files for names in _lists(path)]
    return [*_of_parquet(data), *found]


def _may_hold(path: Path) -> bool:
    return (
        bool(path.suffix in (".json", ".txt") and _SAYS_NAMES.search(path.name)) and path.stat().st_size < _MOST_BYTES
    )


def _lists(path: Path) -> list[list[str]]:
    if path.suffix == ".txt":
        lines = [line.strip() for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
        return [lines] if 1 < len(lines) <= 1000 else []
    try:
        return list(_in_document(read_document(DataFile(path.name, path))))
    except DataError:
        return []


def _in_document(value: Json) -> Iterator[list[str]]:
    """Lists of texts, {number: name} and {name: number}, wherever they stand."""
    if isinstance(value, list):
        if len(value) > 1 and all(isinstance(item, str) for item in value):
            yield value
        elif value and all(isinstance(item, dict) for item in value):
            for item in value[:20]:
                yield from _in_document(item)
        return
    if not isinstance(value, dict):
        return
    by_number = {key: name for key, name in value.items() if str(key).isdecimal() and isinstance(name, str)}
    if value and len(by_number) == len(value):
        yield [by_number[key] for key in sorted(by_number, key=int)]
    elif value and sorted(v for v in value.values() if isinstance(v, int)) == list(range(len(value))):
        yield sorted(value, key=lambda name: int(value[name]))
    else:
        for inner in value.values():
            yield from _in_document(inner)


def _of_parquet(data: Path) -> list[list[str]]:
    if data.suffix != ".parquet" or not data.is_file():
        return []
    from pyarrow.parquet import read_schema

    said = (read_schema(data).metadata or {}).get(b"huggingface")
    try:
        return [] if said is None else list(_in_document(parse_json(said.decode(), data.name)))
    except (DataError, UnicodeDecodeError):
        return []

"""In which format one file of a stranger is, told from its content; its name is not trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from t2t.authoring.new.encodings import encoding_of, first_bytes
from t2t.authoring.new.given_files import split_word
from t2t.authoring.new.table_dialect import look_at_table, open_quote
from t2t.authoring.new.tag_files import check_tags, tag_file
from t2t.errors import DataError
from t2t.structures import Json
from t2t.tasks.data_files import DataFile
from t2t.tasks.json_text import parse_values, read_document

_LISTS = ("data", "records", "examples", "rows", "items")
Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """``spec``: ``format:`` with its options. ``parts``: where one document holds several splits, the expression of the
    records of each. ``remarks``: what was decided and may be wrong. ``open_quote``: of lines that are no table, the one
    that a quote opens which none closes."""

    spec: Spec
    parts: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    open_quote: int | None = None

    @property
    def is_lines(self) -> bool:
        """True for lines of plain text: they need the name of the file, or other files, to mean something."""
        return bool(self.spec["format"] == "lines")


def look_at(file: DataFile) -> Format:
    """The format of a file. DataError if it is empty, or a document without records."""
    data = first_bytes(file)
    if data.startswith(b"PAR1"):
        return Format({"format": "parquet"})
    encoding = encoding_of(data)
    options = {} if encoding == "utf-8" else {"encoding": encoding}
    text = data.decode(encoding, "replace").removeprefix("\ufeff")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if len(lines) > 1 and (not lines[-1] or len(first_bytes(file, len(data) + 1)) > len(data)):
        lines.pop()  # nothing, or half a line
    if not any(line.strip() for line in lines):
        raise DataError(file.name, "the file is empty", "give one with records")
    if text.lstrip()[:1] in ("{", "[") and (found := _json(file, text, lines, encoding)):
        return Format({**found.spec, **options}, found.parts)
    if all(map(FAST_TEXT.match, filter(str.strip, lines))):
        return Format({**fast_text(lines), **options})
    if (tags := tag_file(lines)) is not None:
        return Format({**tags, **options})
    check_tags(file.name, lines)
    table = look_at_table(file.name, lines)
    if table is None:
        return Format({"format": "lines", **options}, open_quote=open_quote(lines))
    return Format({**table[0], **options}, remarks=table[1])


FAST_TEXT = re.compile(r"__label__\S+\s")


def fast_text(lines: Sequence[str]) -> Spec:
    """The format of lines ``__label__X __label__Y text``, as fastText reads them: a label, or a list of them."""
    several = any(line.split()[1].startswith("__label__") for line in lines if line.strip())
    words = [{"split": "line"}, "[?starts_with(@, '__label__')]", {"join": {"with": " "}}]
    labels = [*words, {"replace": {"put": {"__label__": ""}}}, *([{"split": {"by": " "}}] if several else [])]
    text = [{"split": "line"}, "[?!starts_with(@, '__label__')]", {"join": {"with": " "}}]
    return {"format": "parallel", "fields": {"text": text, "labels" if several else "label": labels}}


def _json(file: DataFile, text: str, lines: list[str], encoding: str) -> Format | None:
    full = [line for line in lines if line.strip()]
    if len(full) > 1 and all(_is_value(line) for line in full[:3]):
        return Format({"format": "jsonl"})
    try:
        document = read_document(file, encoding)
    except DataError:
        first, _, _ = text.lstrip().partition("\n")
        if _is_value(first):
            return Format({"format": "jsonl"})
        if text.lstrip()[0] == "{" or text.lstrip()[:2] in ("[{", "[["):
            raise
        return None
    if isinstance(document, list):
        return Format({"format": "json"})
    return _document(file.name, document)


def _is_value(line: str) -> bool:
    """True for one object or list, whole, on a line."""
    try:
        return len(found := parse_values(line.strip(), "")) == 1 and isinstance(found[0], dict | list)
    except DataError:
        return False


def _document(name: str, document: dict[str, Json]) -> Format:
    """An object: SQuAD, splits by key, a list under some key, records by their ids, or one record."""
    if _is_squad(document):
        return Format({"format": "squad"})
    lists = {key: path for key, value in document.items() if (path := _records_in(value, key))}
    splits = {split: path for key, path in lists.items() if (split := split_word(key))}
    if len(splits) > 1 or (splits and len(lists) == 1):
        return Format({"format": "json"}, splits if len(splits) > 1 else {"train": next(iter(splits.values()))})
    if not lists:  # one level deeper, as Rasa has them
        inside = [(name, inner) for name, inner in document.items() if isinstance(inner, dict)]
        lists = {key: f"{_name(name)}.{path}" for name, inner in inside for key, value in inner.items()
                 if isinstance(value, list) and (path := _records_in(value, key))}  # fmt: skip
    known = next((lists[key] for key in _LISTS if key in lists), next(iter(lists.values()), None))
    by_id = len(document) > 2 and all(isinstance(value, dict) for value in document.values())
    if by_id:
        return Format({"format": "json", "records": "values(@)"})
    if known:
        return Format({"format": "json", "records": known})
    if any(isinstance(value, str) for value in document.values()):
        return Format({"format": "json", "records": "[@]"})
    raise DataError(name, "the document holds no list of records", "make it a list, or write one record a line")


def _records_in(value: Json, key: str) -> str | None:
    """The expression of the records under a key: a list of objects or lists, or an object of objects by id."""
    path = _name(key)
    if isinstance(value, list) and value and all(isinstance(item, dict | list) for item in value[:20]):
        return path
    by_id = isinstance(value, dict) and len(value) > 2 and all(isinstance(item, dict) for item in value.values())
    return f"values({path})" if by_id else None


def _name(key: str) -> str:
    """A key as JMESPath names it."""
    return key if re.fullmatch(r"[^\W\d]\w*", key) else json.dumps(key, ensure_ascii=False)


def _is_squad(document: Json) -> bool:
    data = document.get("data")
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "paragraphs" in data[0]

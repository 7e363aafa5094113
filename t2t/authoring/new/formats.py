"""In which format one file of a stranger is, told from its content; its name is not trusted."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from t2t.authoring.new.encodings import encoding_of, first_bytes
from t2t.authoring.new.files import split_word
from t2t.authoring.new.headers import is_header
from t2t.errors import DataError
from t2t.structures import Json
from t2t.tasks.fields.tags import SCHEMES
from t2t.tasks.files import DataFile
from t2t.tasks.json_text import parse_values, read_document

_LOOKED_AT = 200  # rows
_SEPARATORS = (",", ";", "\t", "|")
_TAG = re.compile(rf"O|[{''.join(sorted({*''.join(SCHEMES.values())}))}][-_]\S+|\S+[-_][BIESLUMW]")
PHRASES = frozenset({"NP", "VP", "PP", "ADJP", "ADVP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP"})
_LISTS = ("data", "records", "examples", "rows", "items")
_MOST_TYPES = 100
Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """``spec``: ``format:`` with its options. ``parts``: where one document holds several splits, the expression of the
    records of each. ``remarks``: what was decided and may be wrong."""

    spec: Spec
    parts: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

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
    found = _tags(lines) or _table(lines, text) or Format({"format": "lines"})
    return Format({**found.spec, **options}, remarks=found.remarks)


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
    known = next((lists[key] for key in _LISTS if key in lists), next(iter(lists.values()), None))
    by_id = len(document) > 2 and all(isinstance(value, dict) for value in document.values())
    if by_id:
        return Format({"format": "json", "records": "values(@)"})
    if known:
        return Format({"format": "json", "records": known})
    if any(isinstance(value, str) for value in document.values()):
        return Format({"format": "json"})
    raise DataError(name, "the document holds no list of records", "make it a list, or write one record a line")


def _records_in(value: Json, key: str) -> str | None:
    """The expression of the records under a key: a list of objects or lists, or an object of objects by id."""
    path = key if re.fullmatch(r"[^\W\d]\w*", key) else json.dumps(key, ensure_ascii=False)
    if isinstance(value, list) and value and all(isinstance(item, dict | list) for item in value[:20]):
        return path
    by_id = isinstance(value, dict) and len(value) > 2 and all(isinstance(item, dict) for item in value.values())
    return f"values({path})" if by_id else None


def _is_squad(document: Json) -> bool:
    data = document.get("data")
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "paragraphs" in data[0]


def _tags(lines: Sequence[str]) -> Format | None:
    """Tokens with tags, a blank line behind each sentence."""
    full = [line for line in lines if line.strip() and not line.startswith("-DOCSTART-")]
    comments = any(re.match(r"#\s", line) for line in full)
    full = [line for line in full if not (comments and re.match(r"#\s|#$", line))]
    for separator, cut in (("tab", "\t"), ("space", None)):
        rows = [line.split(cut) for line in full]
        if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
            continue
        columns = list(zip(*rows, strict=True))
        if (tags := _tag_column(columns, blank=len(full) < len(lines))) is None:
            continue
        names = [f"column{number}" for number in range(1, len(columns) + 1)]
        names[_token_column(columns, tags)], names[tags] = "tokens", "tags"
        spec: Spec = {"format": "conll"} | ({"separator": separator} if cut is None else {})
        spec |= {"comment": "#"} if comments else {}
        return Format(spec | ({"columns": names} if names != ["tokens", "tags"] else {}))
    return None


def _tag_column(columns: Sequence[Sequence[str]], blank: bool) -> int | None:
    """The column of tags: with marks, else, where blank lines part sentences, of bare types with O among them. Names
    come before phrases, and a later column before an earlier one."""
    marked = [i for i, column in enumerate(columns) if all(map(_TAG.fullmatch, column)) and {*column} != {"O"}]
    named = [i for i in marked if not {tag.partition("-")[2] for tag in columns[i] if tag != "O"} <= PHRASES]
    if marked:
        return (named or marked)[-1]
    bare = [i for i, column in enumerate(columns) if blank and _is_bare(column)]
    return bare[-1] if bare else None


def _is_bare(column: Sequence[str]) -> bool:
    counts = Counter(column)
    return 1 < len(counts) <= _MOST_TYPES and counts["O"] * 3 > len(column) and all(t[0].isalpha() for t in counts)


def _token_column(columns: Sequence[Sequence[str]], tags: int) -> int:
    """The column with the most different values that are no numbers."""
    others = [i for i in range(len(columns)) if i != tags]
    return max(others, key=lambda i: (len({cell for cell in columns[i] if not cell.isdecimal()}), -i))


def _table(lines: list[str], text: str) -> Format | None:
    """A table: the separator by which most rows have equally many cells, more than one."""
    best: tuple[float, int, str, list[list[str]]] | None = None
    for separator in _SEPARATORS:
        rows = _rows(lines, separator)
        if not rows:
            continue
        width, count = Counter(map(len, rows)).most_common(1)[0]
        share = count / len(rows)
        if (
            width > 1
            and share >= 0.9
            and (best is None or (share, separator == "\t", width) > (best[0], False, best[1]))
        ):
            best = share, width, separator, rows
    if best is None or (best[2] != "\t" and not _looks_tabular(best[3])):
        return None
    _, width, separator, rows = best
    rows = [row for row in rows if len(row) == width]
    quoted = separator != "\t" or _quotes_cells(lines)
    spec: Spec = {"format": "csv"} if quoted else {"format": "tsv"}
    spec |= {"separator": separator} if quoted and separator != "," else {}
    if is_header(rows[0], rows[1:]):
        return Format(spec)
    names = [f"column{number}" for number in range(1, width + 1)]
    told = f"line 1 ({' | '.join(rows[0])[:60]}) was taken as data, the columns are called {', '.join(names)}"
    return Format({**spec, "header": names}, remarks=(told,))


def _quotes_cells(lines: list[str]) -> bool:
    """True where cells between tabs are quoted: quotes that open them close them too."""
    cells = [cell for line in lines[:_LOOKED_AT] for cell in line.split("\t") if cell.startswith('"')]
    return bool(cells) and all(len(cell) > 1 and cell.endswith('"') and cell.count('"') % 2 == 0 for cell in cells)


def _looks_tabular(rows: list[list[str]]) -> bool:
    """False for sentences that all have the same number of commas: some column is short, or quoted, throughout."""
    columns = list(zip(*[row for row in rows if len(row) == len(rows[0])], strict=True))
    prose = sum(cell.startswith(" ") for row in rows for cell in row[1:])
    return prose * 2 < sum(len(row) - 1 for row in rows) and len(columns) > 1


def _rows(lines: list[str], separator: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(lines[:_LOOKED_AT], delimiter=separator) if row]
    except csv.Error:
        return []

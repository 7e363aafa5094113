"""Records that a table writes in other words: lists as text in a cell, a mention a row."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from t2t.authoring.new.columns import Column, Table, look
from t2t.authoring.new.items import END, START
from t2t.authoring.new.new_template import with_key
from t2t.authoring.new.proposal import text_columns
from t2t.authoring.new.sources import Found
from t2t.errors import DataError
from t2t.structures import Json
from t2t.tasks.fields.plain import python_value
from t2t.tasks.json_text import parse_json


def opened(found: Found, table: Table) -> tuple[Found, Table]:
    """The source with lists that its cells hold as text read as lists, and with the rows of one text as one record."""
    fields = {
        column.path: read for column in table.columns.values() if (read := _list_in(found.as_given, table, column))
    }
    if fields:
        named: dict[str, Json] = {column.path.strip('"'): column.path for column in table.columns.values()}
        named |= {path.strip('"'): read for path, read in fields.items()}
        found = replace(found, spec=with_key(found.spec, "fields", named))
        table = look(found)
    elif rows := _token_rows(found.as_given, table):
        found = replace(found, spec=with_key(with_key(found.spec, "group", rows[0]), "fields", rows[1]))
        table = look(found)
    elif text := _text_of_rows(table):
        remark = f"each row is a mention: the rows of one {text.name} make a record"
        found = replace(found, spec=with_key(found.spec, "group", text.path), remarks=(*found.remarks, remark))
        table = look(found)
    return found, table


def _list_in(name_of_data: str, table: Table, column: Column) -> Json:
    """What reads the lists that a column of texts holds; None where it holds none."""
    texts = [str(row.get(column.path)).strip() for row in table.sample]
    if "." in column.path or not column.is_a("a text") or not all(t.startswith("[") and t.endswith("]") for t in texts):
        return None
    for name, parse in (("json", _json), ("literal", python_value)):
        try:
            values = [parse(text) for text in texts]
        except (DataError, ValueError):
            continue
        if any(values) and all(isinstance(value, list) for value in values):
            return {name: column.path}
    if any(re.fullmatch(r"\[\s*(['\"]).*\1\s+\1.*\]", text, re.DOTALL) for text in texts):
        found = f"{column.name!r} holds lists without commas, as numpy writes them"
        raise DataError(name_of_data, found, "write lists: in pandas by .apply(list) before to_csv")
    return None


def _json(text: str) -> Json:
    return parse_json(text, "")


def _text_of_rows(table: Table) -> Column | None:
    """The text in which each row says the place of one mention; None where rows do not."""
    whole = {path.lower(): column for path, column in table.columns.items() if _counts(table, column)}
    start, end = (next((whole[name] for name in names if name in whole), None) for names in (START, END))
    if start is None or end is None or start is end:
        return None
    for text in sorted(text_columns(table), key=lambda column: -column.mean):
        rows = [(int(row[start.path]), int(row[end.path]), str(row[text.path])) for row in table.sample]
        if all(0 <= first <= last <= len(said) for first, last, said in rows):
            return text
    return None


def _counts(table: Table, column: Column) -> bool:
    return column.is_numeric and not column.fractions and column.fills(table.total)


def _token_rows(name: str, table: Table) -> tuple[str, dict[str, Json]] | None:
    """What the rows of a sentence have in common, and its tokens and tags, where each row is a token. DataError where
    nothing says which rows are a sentence."""
    columns = [c for c in table.columns.values() if c.is_a("a text") and c.fills(table.total) and "." not in c.path]
    tags = next((c for c in columns if c.is_tags and len(c.items or ()) > 1 and _are_words(table, c)), None)
    if tags is None or len(tags.items or ()) * 2 > tags.n:
        return None
    words = [c for c in columns if c is not tags and c.mean > 0 and not c.is_numeric and _are_words(table, c)]
    tokens = max(words, key=lambda c: len({str(row.get(c.path)) for row in table.sample}), default=None)
    if tokens is None:
        return None
    others = [c for c in table.columns.values() if c is not tags and c is not tokens]
    sentence = next((c for c in others if c.fills(table.total) and not c.blanks and _comes_in_runs(table, c)), None)
    if sentence is None:
        found = f"each row is a token with a tag in {tags.name!r}, and no column says of each row in which sentence"
        raise DataError(name, found, "fill such a column down (pandas: ffill), or write lines with blank ones between")
    return sentence.path, {"tokens": f"group[*].{tokens.path}", "tags": f"group[*].{tags.path}"}


def _are_words(table: Table, column: Column) -> bool:
    return all(len(str(row.get(column.path)).split()) == 1 for row in table.sample)


def _comes_in_runs(table: Table, column: Column) -> bool:
    """True if equal values stand one behind the other, and never come again."""
    values = [str(row.get(column.path)) for row in table.sample]
    runs = 1 + sum(a != b for a, b in pairwise(values))
    return 1 < runs == len({*values}) and runs * 2 <= len(values)

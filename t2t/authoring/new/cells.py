"""Records that a table writes in other words: lists as text in a cell, a mention a row."""

from __future__ import annotations

import ast
from dataclasses import replace

from t2t.authoring.new.columns import Column, Table, look
from t2t.authoring.new.items import END, START
from t2t.authoring.new.proposal import text_columns
from t2t.authoring.new.sources import Found
from t2t.authoring.new.template import with_key
from t2t.errors import DataError
from t2t.structures import Json
from t2t.tasks.fields.plain import as_json
from t2t.tasks.json_text import parse_json


def opened(found: Found, table: Table) -> tuple[Found, Table]:
    """The source with lists that its cells hold as text read as lists, and with the rows of one text as one record."""
    fields = {column.path: read for column in table.columns.values() if (read := _list_in(table, column))}
    if fields:
        named: dict[str, Json] = {column.path.strip('"'): column.path for column in table.columns.values()}
        named |= {path.strip('"'): read for path, read in fields.items()}
        found = replace(found, spec=with_key(found.spec, "fields", named))
        table = look(found)
    elif text := _text_of_rows(table):
        told = f"each row is a mention: the rows of one {text.name} make a record"
        found = replace(found, spec=with_key(found.spec, "group", text.path), remarks=(*found.remarks, told))
        table = look(found)
    return found, table


def _list_in(table: Table, column: Column) -> Json:
    """What reads the lists that a column of texts holds; None where it holds none."""
    texts = [str(row.get(column.path)).strip() for row in table.sample]
    if "." in column.path or not column.is_a("a text") or not all(t.startswith("[") and t.endswith("]") for t in texts):
        return None
    for name, parse in (("json", _json), ("literal", _literal)):
        try:
            values = [parse(text) for text in texts]
        except (DataError, ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if any(values) and all(isinstance(value, list) for value in values):
            return {name: column.path}
    return None


def _json(text: str) -> Json:
    return parse_json(text, "")


def _literal(text: str) -> Json:
    return as_json(ast.literal_eval(text))


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

"""Adapters that take a value out of a record or change its shape."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from t2t.errors import DataError
from t2t.structures import Json
from t2t.tasks.expressions import Mismatch, Reader, compile_expression, describe
from t2t.tasks.fields.adapter import ADAPTERS, AdapterArguments, SideFile, need_object, need_text, need_texts
from t2t.tasks.json_text import parse_json


@ADAPTERS.register("get")
def get(arguments: AdapterArguments) -> Reader:
    """``get: EXPRESSION``: the value of a JMESPath expression."""
    read = arguments.needed("of")
    arguments.finish()
    return read


@ADAPTERS.register("split")
def split(arguments: AdapterArguments) -> Reader:
    """``split: EXPRESSION`` or ``split: {of: EXPRESSION, by: SEPARATOR, strip: false}``: the parts of a text.

    Without ``by`` its words. The empty text has no parts. With ``strip`` parts lose the spaces around them, and what is
    then empty is none.
    """
    read, separator, strip = arguments.value(), arguments.maybe_text("by"), arguments.flag("strip")
    arguments.finish()
    if separator == "":
        raise arguments.wrong("by: is empty", "write a separator, or leave by: out to split at spaces")

    def apply(value: Json) -> Json:
        text = need_text(read(value))
        parts = text.split(separator) if text else []
        return [bare for part in parts if (bare := part.strip())] if strip else parts

    return apply


@ADAPTERS.register("one_hot")
def one_hot(arguments: AdapterArguments) -> Reader:
    """``one_hot: [NAME, ...]``: of the fields of these names, the list of those that hold true, 1, "1", "true",
    "yes", "x" or a check mark."""
    names = arguments.texts("of", [])
    arguments.finish()
    if not names:
        raise arguments.wrong("names no field", "write one_hot: [NAME, ...]")
    readers = {name: compile_expression(json.dumps(name, ensure_ascii=False), arguments.where) for name in names}
    return lambda value: [name for name, read in readers.items() if _is_on(name, read(value))]


_ON = {
    "1": True,
    "1.0": True,
    "true": True,
    "yes": True,
    "x": True,
    "✓": True,
    "0": False,
    "0.0": False,
    "false": False,
    "no": False,
    "": False,
}


def is_switch(value: Json) -> bool:
    """True for a value that says on or off."""
    return value is None or str(value).strip().lower() in _ON


def _is_on(name: str, value: Json) -> bool:
    if not is_switch(value):
        raise Mismatch(f"{name} is {describe(value)}", "one_hot wants 0 and 1, false and true, or no and yes")
    return value is not None and _ON[str(value).strip().lower()]


@ADAPTERS.register("join")
def join(arguments: AdapterArguments) -> Reader:
    """``join: EXPRESSION`` or ``join: {of: EXPRESSION, with: " "}``: a list of texts as one text."""
    read, glue = arguments.value(), arguments.text("with", " ")
    arguments.finish()
    return lambda value: glue.join(need_texts(read(value)))


@ADAPTERS.register("json")
def from_json(arguments: AdapterArguments) -> Reader:
    """``json: EXPRESSION``: the value of a text that holds JSON."""
    read = arguments.value()
    arguments.finish()

    def apply(value: Json) -> Json:
        try:
            return parse_json(need_text(read(value)), "")
        except DataError as error:
            raise Mismatch(f"a field holds {error.found}", error.todo) from None

    return apply


@ADAPTERS.register("literal")
def literal(arguments: AdapterArguments) -> Reader:
    """``literal: EXPRESSION``: the value of a text that holds a list or object as Python writes it, ``['a', 'b']``."""
    read = arguments.value()
    arguments.finish()

    def apply(value: Json) -> Json:
        text = need_text(read(value))
        try:
            return python_value(text)
        except ValueError:
            raise Mismatch(f"{text!r:.60} is no list or object of Python", "correct the record") from None

    return apply


_NO_COMMA = re.compile(r"""(?<=['"\d])\s+(?=['"\d-])""")  # as numpy writes arrays; Python makes one text of two


def python_value(text: str) -> Json:
    """The value that Python writes as ``text``, with lists for its tuples. ValueError for anything else."""
    if _NO_COMMA.search(text) and "," not in text:
        raise ValueError(text)
    try:
        return _as_json(ast.literal_eval(text))
    except (SyntaxError, MemoryError, RecursionError):
        raise ValueError(text) from None


def _as_json(value: Any) -> Json:
    """A value of Python with lists for its tuples. ValueError for what JSON has not."""
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _as_json(item) for key, item in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(value)


@ADAPTERS.register("items")
def items(arguments: AdapterArguments) -> Reader:
    """``items: {of: EXPRESSION, key: key, value: value, each: false}``: an object as a list of {key, value} objects.

    With ``each`` every element of a value that is a list makes an object of its own; a text or number stands for a list
    of one.
    """
    read, key, name = arguments.value(), arguments.text("key", "key"), arguments.text("value", "value")
    each = arguments.flag("each")
    arguments.finish()

    def apply(value: Json) -> list[dict[Any, Json]]:
        pairs = need_object(read(value)).items()
        if not each:
            return [{key: label, name: item} for label, item in pairs]
        return [{key: label, name: item} for label, found in pairs for item in _list(found)]

    return apply


def _list(value: Json) -> list[Json]:
    if isinstance(value, list):
        return value
    if value is None or isinstance(value, dict):
        raise Mismatch(f"each: needs lists as values, found {describe(value)}", "leave each: out")
    return [value]


@ADAPTERS.register("lookup")
def lookup(arguments: AdapterArguments) -> Reader:
    """``lookup: {of: EXPRESSION, in: FILE.json or {key: value, ...} or [value, ...]}``: what an object has for a text,
    or a list for a place (from 0).

    ``key: NAME``: the list holds objects, and the one whose NAME is the value is meant; ``value: NAME`` gives one of
    its fields. ``among: EXPRESSION`` in place of ``in`` names a list or object of the record itself. For a list of
    values, the list of what there is for each.
    """
    read, table, among = arguments.value(), arguments.table_or_file("in"), arguments.expression("among")
    key, value_of = arguments.maybe_text("key"), arguments.maybe_text("value")
    arguments.finish()
    if (table is None) == (among is None):
        raise arguments.wrong("wants either in: or among:", "say where to look")
    loaded: list[dict[str, Json]] = []

    def entries(value: Json) -> dict[str, Json]:
        if among is not None:
            return _entries(among(value), key, value_of)
        if not loaded:
            loaded.append(_entries(table.read() if isinstance(table, SideFile) else table, key, value_of))
        return loaded[0]

    def apply(value: Json) -> Json:
        wanted, known = read(value), entries(value)
        return [_entry(one, known) for one in wanted] if isinstance(wanted, list) else _entry(wanted, known)

    return apply


def _entries(table: Json, key: str | None, value_of: str | None) -> dict[str, Json]:
    """What is to be found, by the text of its key, its own key, or its place."""
    if isinstance(table, dict):
        found = dict(table)
    elif isinstance(table, list) and key is None:
        found = {str(place): item for place, item in enumerate(table)}
    elif isinstance(table, list):
        found = {str(need_object(item).get(str(key))): item for item in table}
    else:
        raise Mismatch(f"lookup finds {describe(table)} to look in", "name a list or an object")
    return found if value_of is None else {name: need_object(item).get(value_of) for name, item in found.items()}


def _entry(wanted: Json, known: dict[str, Json]) -> Json:
    if isinstance(wanted, bool) or not isinstance(wanted, str | int) or str(wanted) not in known:
        raise Mismatch(f"lookup has no entry {describe(wanted)}", "add it to in:")
    return known[str(wanted)]


@ADAPTERS.register("drop_last")
def drop_last(arguments: AdapterArguments) -> Reader:
    """``drop_last: EXPRESSION``: each text of a list without its last character.

    Weibo's tokens carry a digit there.
    """
    read = arguments.value()
    arguments.finish()
    return lambda value: [text[:-1] for text in need_texts(read(value))]


@ADAPTERS.register("replace")
def replace(arguments: AdapterArguments) -> Reader:
    """``replace: {of: EXPRESSION, put: {OLD: NEW, ...}}``: a text with NEW for every OLD, pair after pair."""
    read, put = arguments.value(), arguments.mapping("put")
    arguments.finish()
    if not isinstance(put, dict) or not put or not all(isinstance(new, str) for new in put.values()):
        raise arguments.wrong(f"put: is {put!r}", 'write {OLD: NEW}, e.g. {"<e1>": "["}')

    def apply(value: Json) -> str:
        text = need_text(read(value))
        for old, new in put.items():
            text = text.replace(str(old), new)
        return text

    return apply


@ADAPTERS.register("one_of")
def one_of(arguments: AdapterArguments) -> Reader:
    """``one_of: {of: EXPRESSION, in: FILE.json or [...], at: EXPRESSION}``: true if a value is in a list.

    ``at`` names the list inside the file. For ``where:`` of a source.
    """
    read, given, at = arguments.needed("of"), arguments.list_or_file("in"), arguments.expression("at")
    arguments.finish()
    known: list[Json] = list(given) if isinstance(given, list) else []

    def apply(value: Json) -> bool:
        if not known and not isinstance(given, list):
            document = given.read()
            found = at(document) if at else document
            if not isinstance(found, list):
                raise Mismatch(f"one_of: in: gives {describe(found)}", "name a list in the file by at:")
            known.extend(found)
        return read(value) in known

    return apply

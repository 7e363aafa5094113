"""Adapters that take a value out of a record or change its shape."""

from __future__ import annotations

from typing import Any

from t2t.errors import DataError
from t2t.structures import Json
from t2t.tasks.expressions import Mismatch, Reader, describe
from t2t.tasks.fields.registry import ADAPTERS, Arguments, need_object, need_text, need_texts
from t2t.tasks.json_text import parse_json


@ADAPTERS.register("get")
def get(arguments: Arguments) -> Reader:
    """``get: EXPRESSION``: the value of a JMESPath expression."""
    read = arguments.needed("of")
    arguments.finish()
    return read


@ADAPTERS.register("split")
def split(arguments: Arguments) -> Reader:
    """``split: EXPRESSION`` or ``split: {of: EXPRESSION, by: SEPARATOR}``: the parts of a text.

    Without ``by`` its words. The empty text has no parts.
    """
    read, separator = arguments.value(), arguments.maybe_text("by")
    arguments.finish()
    if separator == "":
        raise arguments.wrong("by: is empty", "write a separator, or leave by: out to split at spaces")

    def apply(value: Json) -> Json:
        text = need_text(read(value))
        return text.split(separator) if text else []

    return apply


@ADAPTERS.register("join")
def join(arguments: Arguments) -> Reader:
    """``join: EXPRESSION`` or ``join: {of: EXPRESSION, with: " "}``: a list of texts as one text."""
    read, glue = arguments.value(), arguments.text("with", " ")
    arguments.finish()
    return lambda value: glue.join(need_texts(read(value)))


@ADAPTERS.register("json")
def from_json(arguments: Arguments) -> Reader:
    """``json: EXPRESSION``: the value of a text that holds JSON."""
    read = arguments.value()
    arguments.finish()

    def apply(value: Json) -> Json:
        try:
            return parse_json(need_text(read(value)), "")
        except DataError as error:
            raise Mismatch(f"a field holds {error.found}", error.todo) from None

    return apply


@ADAPTERS.register("items")
def items(arguments: Arguments) -> Reader:
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
def lookup(arguments: Arguments) -> Reader:
    """``lookup: {of: EXPRESSION, in: FILE.json or {key: value, ...}}``: what an object has for a text.

    For a list of texts, the list of what it has for each.
    """
    read, table = arguments.value(), arguments.mapping_or_file("in")
    arguments.finish()
    loaded: dict[str, Json] = table if isinstance(table, dict) else {}

    def find(key: Json) -> Json:
        if not loaded and not isinstance(table, dict):
            loaded.update(need_object(table.read()))
        if need_text(key) not in loaded:
            raise Mismatch(f"lookup has no entry {key!r}", "add it to in:")
        return loaded[key]

    def apply(value: Json) -> Json:
        key = read(value)
        return [find(item) for item in key] if isinstance(key, list) else find(key)

    return apply


@ADAPTERS.register("drop_last")
def drop_last(arguments: Arguments) -> Reader:
    """``drop_last: EXPRESSION``: each text of a list without its last character.

    Weibo's tokens carry a digit there.
    """
    read = arguments.value()
    arguments.finish()
    return lambda value: [text[:-1] for text in need_texts(read(value))]


@ADAPTERS.register("replace")
def replace(arguments: Arguments) -> Reader:
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
def one_of(arguments: Arguments) -> Reader:
    """``one_of: {of: EXPRESSION, in: FILE.json or [...], at: EXPRESSION}``: true if a value stands in a list.

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

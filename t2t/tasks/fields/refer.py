"""The adapter for items that refer to mentions of their record instead of holding them: relations, arguments."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from t2t.structures import Json
from t2t.tasks.expressions import Mismatch, Reader, describe
from t2t.tasks.fields.adapter import ADAPTERS, AdapterArguments, need_objects


class RecordWithFields(dict[str, Any]):
    """A record, and those of its fields that were read so far."""

    def __init__(self, data: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        super().__init__(data)
        self.fields = fields


Mentions = Mapping[str, Mapping[str, Any]]
Item = Callable[[Json, Mentions], dict[str, Any]]


@ADAPTERS.register("refer")
def refer(arguments: AdapterArguments) -> Reader:
    """``refer: {of: EXPRESSION, to: FIELD, at: {NAME: EXPRESSION}, fields: {NAME: FIELD}}``: items with the mentions
    that they refer to.

    ``to`` is a field above this one that was read by ``offsets`` with ``id:``. Each NAME under ``at`` has an expression
    that gives, of an item of ``of``, the id of a mention (of the form that ``id:`` gives); the item gets its text as a
    Span under NAME and its type under ``NAME_type``. ``fields`` are read from the item as they are; one that is a
    mapping with ``of``, ``at`` and ``fields`` of its own is a list of such items inside the item (arguments of events).
    """
    read, to = arguments.needed("of"), arguments.text("to", "")
    if not to:
        raise arguments.wrong("to: is missing", "name the field of the mentions")
    item = _item(arguments, arguments.mapping("at") or {}, arguments.mapping("fields") or {})
    arguments.finish()

    def apply(value: Json) -> list[dict[str, Any]]:
        mentions = _by_id(value, to)
        return [item(one, mentions) for one in _listed(read(value))]

    return apply


def _item(arguments: AdapterArguments, at: Mapping[str, Json], fields: Mapping[str, Json]) -> Item:
    ends = {str(name): arguments.compile(text) for name, text in at.items()}
    inner = {str(name): given for name, given in fields.items() if isinstance(given, dict) and "at" in given}
    plain = {str(name): arguments.compile(given) for name, given in fields.items() if name not in inner}
    lists = {name: _inner(arguments, name, given) for name, given in inner.items()}
    if not ends:
        raise arguments.wrong("at: names no end", "write e.g. at: {head: from_id, tail: to_id}")

    def read(item: Json, mentions: Mentions) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, find in ends.items():
            mention = _mention(find(item), mentions)
            found |= {name: mention["text"], f"{name}_type": mention.get("type")}
        found |= {name: find(item) for name, find in plain.items()}
        return found | {name: nested(item, mentions) for name, nested in lists.items()}

    return read


def _inner(arguments: AdapterArguments, name: str, given: Mapping[str, Json]) -> Callable[[Json, Mentions], list[Json]]:
    if unknown := given.keys() - {"of", "at", "fields"}:
        raise arguments.wrong(f"{name}: has the key {min(unknown)!r}", "write {of: EXPRESSION, at: {..}, fields: {..}}")
    read, item = arguments.compile(given.get("of", name)), _item(arguments, given["at"], given.get("fields") or {})
    return lambda value, mentions: [item(one, mentions) for one in _listed(read(value))]


def _listed(items: Json) -> list[Json]:
    if items is not None and not isinstance(items, list):
        raise Mismatch(f"refer: of: gives {describe(items)}", "name a list of items")
    return items or []


def _by_id(value: Json, to: str) -> Mentions:
    fields = value.fields if isinstance(value, RecordWithFields) else {}
    if to not in fields:
        raise Mismatch(f"refer: to: names {to!r}, which is no field above this one", "put that field above")
    found: dict[str, Mapping[str, Any]] = {}
    for mention in need_objects(fields[to]):
        if "id" not in mention:
            raise Mismatch(
                f"refer: the mentions of {to!r} have no id", "write id: EXPRESSION, or id: place, in its offsets"
            )
        found[_key(mention["id"])] = mention
    return found


def _key(id_: Json) -> str:
    """Ids are equal as texts and as numbers: 3 and "3"."""
    return id_ if isinstance(id_, str) else json.dumps(id_, default=repr)


def _mention(id_: Json, mentions: Mentions) -> Mapping[str, Any]:
    found = mentions.get(_key(id_))
    if found is None:
        some = ", ".join(list(mentions)[:6]) or "none"
        raise Mismatch(
            f"refer: no mention has the id {describe(id_)} (there are: {some})", "correct the record, or at:"
        )
    return found

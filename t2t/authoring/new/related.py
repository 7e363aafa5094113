"""Mentions with what holds between them: relations that name their ends by id, place or offsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from t2t.authoring.new.annotations import (
    KINDS_OF_ITEMS,
    Marked,
    TextColumn,
    at,
    marked,
    mention_list,
    offsets_field,
    span_metric,
    undecided,
    untrimmed,
)
from t2t.authoring.new.annotators import leave_out_unannotated
from t2t.authoring.new.columns import Table
from t2t.authoring.new.items import Items, by_name, find_items, is_text, keys_of, last_name
from t2t.authoring.new.proposal import FROM_DATA, Proposal
from t2t.linear.scope import Expression
from t2t.structures import Json

HEAD = (
    "head",
    "from_id",
    "from",
    "subject",
    "subj",
    "source",
    "arg1",
    "head_id",
    "e1",
    "h",
    "sub",
    "subject_id",
    "主体",
)
TAIL = ("tail", "to_id", "to", "object", "obj", "target", "arg2", "tail_id", "e2", "t", "object_id", "客体")
RELATION = ("type", "label", "labels", "relation", "predicate", "rel", "relation_type", "name", "r", "关系")
_LIKING = ("polarity", "sentiment", "opinion", "情感")


@dataclass(frozen=True, slots=True)
class Linked:
    """Relations that refer to mentions: how ends and type are read from an item; ``id``: of the mentions, as their
    offsets give it."""

    items: Items
    head: str
    tail: str
    type: str | None
    id: str


def linked(table: Table, mentions: Marked) -> Linked | None:
    """The list of relations between the mentions, by their ids, places or offsets."""
    ids = [[str(at(item, mentions.id)) for item in own] if mentions.id else [] for own in mentions.items.of_records]
    places = [[str(place) for place in range(len(own))] for own in mentions.items.of_records]
    said = [
        [str(at(item, mentions.surface)) for item in own] if mentions.surface else []
        for own in mentions.items.of_records
    ]
    surface = mentions.surface if all(len({*own}) == len(own) for own in said) else None
    for items in find_items(table.raw):
        if items.path == mentions.items.path:
            continue
        head_key = next((key for key in _keys_of_some(items) if key.lower() in HEAD), None)
        kept = items.where(head_key) if head_key else items
        keys = keys_of(kept)
        head, tail = by_name(keys, HEAD), by_name(keys, TAIL)
        for id_, known in ((mentions.id, ids), ("place", places), (surface, said)):
            if head and tail and id_ and _refers(kept, head, known) and _refers(kept, tail, known):
                return Linked(kept, head, tail, _relation(kept, keys, head, tail), id_)
        if (found := _by_offsets(kept, mentions)) is not None:
            return found
    return None


def _keys_of_some(items: Items) -> list[str]:
    return list(dict.fromkeys(key for item in items.all if isinstance(item, dict) for key in item))


def _refers(items: Items, key: str, known: list[list[str]]) -> bool:
    find = Expression(key, "new")
    pairs = [(find.read(item, ""), ids) for own, ids in zip(items.of_records, known, strict=True) for item in own]
    return bool(pairs) and all(
        isinstance(value, int | str) and not isinstance(value, bool) and str(value) in ids for value, ids in pairs
    )


def _relation(items: Items, keys: list[str], head: str, tail: str) -> str | None:
    left = [key for key in keys if key not in (head, tail) and items.has(key, is_text)]
    said = [key for key in left if not {*items.read(key)} <= KINDS_OF_ITEMS]
    return by_name(said, RELATION) or next(iter(said), None)


def _by_offsets(items: Items, mentions: Marked) -> Linked | None:
    """Rows of four offsets and a type, as DyGIE has relations."""
    if not all(isinstance(item, list) and len(item) == 5 and is_text(item[4]) for item in items.all):
        return None
    pairs = [
        [[at(item, str(mentions.start)), at(item, str(mentions.end))] for item in own]
        for own in mentions.items.of_records
    ]
    fits = all(
        item[0:2] in known and item[2:4] in known
        for own, known in zip(items.of_records, pairs, strict=True)
        for item in own
    )
    if not items.all or not fits:
        return None
    return Linked(items, "[[0], [1]]", "[[2], [3]]", "[4]", f"[{mentions.start}, {mentions.end}]")


def marked_spans(table: Table) -> Proposal | None:
    """Mentions by offsets, with relations between them where there are some."""
    found = marked(table)
    if found is None or found[1].type is None:
        return None
    source, mentions = found
    relations = linked(table, mentions)
    mention_field = offsets_field(source, mentions, relations.id if relations else None)
    fields = {source.field: source.read, "mentions": mention_field}
    if relations is None:
        family = "aspect_sentiment" if last_name(str(mentions.type)) in _LIKING else "ner"
        target = mention_list("mentions", source.field)
        proposal = Proposal(family, fields, [source.field], target, [span_metric()], _split_by(source))
    else:
        proposal = joint(source, fields, relations)
    proposal.long, proposal.remarks = source.field, [*undecided(source, mentions), *untrimmed(source, mentions)]
    leave_out_unannotated(table, proposal, mentions.items.path)
    return proposal


def _split_by(source: TextColumn) -> str:
    return source.tokens or str(source.read)


def joint(source: TextColumn, fields: dict[str, Json], found: Linked) -> Proposal:
    refer: dict[str, Json] = {"of": found.items.path, "to": "mentions", "at": {"head": found.head, "tail": found.tail}}
    if found.type:
        refer["fields"] = {"type": found.type}
    fields = {**fields, "relations": {"refer": refer}}
    target = {
        "as": "{mentions} @ {relations}",
        "fields": {
            "mentions": mention_list("mentions", source.field),
            "relations": relation_list(source.field, found.type),
        },
    }
    ends: Json = {"over": "relations", **_ends(found.type)}
    metrics = [span_metric(), {"relation_f1": ends}, {"relation_f1": {**ends, "mentions": "mentions"}}]
    return Proposal("joint_extraction", fields, [source.field], target, metrics, _split_by(source), long=source.field)


def _ends(kind: str | None) -> dict[str, str]:
    return {"head": "head", "tail": "tail", "relation": "type"} if kind else {"head": "head", "tail": "tail"}


def relation_list(source: str, kind: str | None, ends: Json = None) -> dict[str, Any]:
    """The target of a list of relations between two pieces of a text."""
    end = ends or {"span_of": source, "repeat": "number"}
    fields: dict[str, Json] = {"head": end, **({"type": {"label": FROM_DATA}} if kind else {}), "tail": end}
    pattern = "{head} > {type} > {tail}" if kind else "{head} > {tail}"
    rest = {"between": " + ", "empty": "none", "reuse": True}
    return {"each": "relations", "as": pattern, "fields": fields, **rest}

"""Tokens with tags: NER, and with a label beside them slots and intent."""

from __future__ import annotations

import re

from t2t.authoring.new.annotations import mention_list, span_metric
from t2t.authoring.new.beside import intent_and_slots
from t2t.authoring.new.columns import Column, Table
from t2t.authoring.new.proposal import Proposal, label_column, pairs
from t2t.authoring.new.tag_files import PHRASES
from t2t.structures import Json
from t2t.tasks.fields.tags import SCHEMES

_TOKEN = re.compile(r"[^ \t\r\n]+")  # as the adapters cut a line
_MARK = re.compile(rf"[{''.join(sorted({*''.join(SCHEMES.values())}))}][-_].+")


def tagged(table: Table) -> Proposal | None:
    """Mentions by tags with marks, by bare types in a file of tokens, or by numbers whose names are in a file."""
    for tags in sorted(table.columns.values(), key=lambda column: (column.path != "tags", _is_phrases(column))):
        others = sorted(table.columns.values(), key=lambda column: column.path != "tokens")
        tokens = next((c for c in others if c is not tags and _aligned(table, c, tags)), None)
        options = _options(table, tags) if tokens is not None else None
        if tokens is not None and options is not None:
            return _proposal(table, tokens, tags, options)
    return None


def _is_phrases(column: Column) -> bool:
    """True for tags of phrases, behind which names may be in a further column."""
    return column.is_tags and {tag[2:] for tag in column.items or () if tag != "O"} <= PHRASES


def _options(table: Table, tags: Column) -> dict[str, Json] | None:
    """What the adapter must know of the tags; None where the column holds none."""
    if tags.is_tags:
        return {} if set(tags.items or ()) != {"O"} else None
    values = [value for row in table.sample for value in (row.get(tags.path) or [])] if tags.is_a("a list") else []
    if tags.path == "tags" and values and all(isinstance(value, str) for value in values):
        return {"scheme": "bare"}
    if not values or not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return None
    named = [names for names in table.names if max(values) < len(names) and names[0] == "O"]
    if not named or min(values) < 0:
        return None
    bare = not any(_MARK.fullmatch(name) for name in named[0])
    return {"names": list(named[0])} | ({"scheme": "bare"} if bare else {})


def _proposal(table: Table, tokens: Column, tags: Column, options: dict[str, Json]) -> Proposal:
    numbered = _numbered_characters(table, tokens)
    joined: Json = tokens.path
    bio: dict[str, Json] = {"tokens": tokens.path, "tags": tags.path, **options}
    if tokens.is_a("a list"):
        glue = "" if numbered or _one_character(table, tokens) else " "
        joined = {"join": {"of": tokens.path, "with": glue}}
        bio |= {"join": ""} if not glue else {}
    fields = {"text": joined, "mentions": {"bio": bio}}
    target = mention_list("mentions", "text")
    ner = Proposal("ner", fields, ["text"], target, [span_metric()], tokens.path, long="text")
    if numbered:
        ner.source_fields = {tokens.name: {"drop_last": tokens.path}, tags.name: tags.path}
        return ner
    others = _other_columns(table, tokens, tags)
    ner.reads |= others
    label = label_column(table)
    return ner if label is None or label is tokens else intent_and_slots(ner, label)


def _other_columns(table: Table, tokens: Column, tags: Column) -> set[str]:
    """Columns of a file of tokens that say something of each token too: parts of speech, phrases."""
    return {c.path for c in table.columns.values() if re.fullmatch(r"column\d+|id", c.path) and c not in (tokens, tags)}


def _numbered_characters(table: Table, tokens: Column) -> bool:
    """True for characters that carry their place in the word, as in Weibo NER: 科0 技1."""
    words: list[str] = [word for row in table.sample for word in row[tokens.path] if tokens.is_a("a list")]
    return sum(bool(re.fullmatch(r"[\u2e80-\uffff][0-9]", word)) for word in words) * 2 > len(words)


def _one_character(table: Table, tokens: Column) -> bool:
    words: list[str] = [word for row in table.sample for word in row[tokens.path]]
    return sum(len(word) == 1 and word > "\u2e80" for word in words) * 2 > len(words)


def _aligned(table: Table, tokens: Column, tags: Column) -> bool:
    def count(value: Json) -> int:
        parts = _TOKEN.findall(value) if isinstance(value, str) else value
        return len(parts) if isinstance(parts, list) else -1

    def words(value: Json) -> bool:
        return isinstance(value, str) or (isinstance(value, list) and all(isinstance(word, str) for word in value))

    said = list(pairs(table, tokens, tags))
    fits = all(words(a) and count(a) == count(b) >= 0 for a, b in said)
    return fits and not tokens.is_tags and len({type(a) for a, _ in said}) == 1 and any(count(a) > 1 for a, _ in said)

"""A template from what was found out: its source with splits, its prompts, its target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from t2t.authoring.new.columns import Column, Table
from t2t.authoring.new.given_files import SPLITS
from t2t.authoring.new.items import name_of
from t2t.authoring.new.new_prompts import prompts
from t2t.authoring.new.proposal import Proposal
from t2t.authoring.new.sources import Found
from t2t.structures import Json
from t2t.tasks.sources.build import side_of

_FEWEST_TO_SPLIT = 50
_TEST_SHARE = 0.1
_SPLIT_NAMES = ("split", "set", "subset", "fold", "partition", "usage", "part")
_VERDICTS = ("accept", "reject", "ignore")


def parted(found: Found, table: Table) -> Found:
    """The source with its splits told from a column, where one says them."""
    column = next(
        (one for one in table.columns.values() if one.name.lower() in _SPLIT_NAMES and _says_splits(one)), None
    )
    if column is None or found.splits != ("train",) or "format" not in found.spec:
        return found
    words = {split: [v for v in column.values or () if str(v).lower() in known] for split, known in SPLITS.items()}
    whole = {key: value for key, value in found.spec.items() if key != "train"}
    parts = {
        split: {**whole, "file": found.spec["train"], "where": " || ".join(f"{column.path} == '{v}'" for v in values)}
        for split, values in words.items()
        if values
    }
    table.n = sum(count for value, count in (column.values or {}).items() if value in words["train"])
    return replace(
        found, spec=parts, splits=tuple(parts), remarks=(*found.remarks, f"splits are those of {column.name}")
    )


def _says_splits(column: Column) -> bool:
    known = {word for words in SPLITS.values() for word in words}
    said = {str(value).lower() for value in column.values or ()}
    return bool(said) and said <= known and bool(said & set(SPLITS["train"])) and len(said) > 1


def template(path: Path, found: Found, table: Table, proposal: Proposal) -> tuple[dict[str, Any], list[str]]:
    """The content of the template, and what is to be told of its source."""
    source, remarks = _source(path, found, table, proposal)
    place = path.resolve()
    keep = "end" if proposal.keep_end else "start"
    long = {"shorten": {"field": proposal.long, "keep": keep}} if proposal.long else {}
    content = {
        "task": f"{place.parent.name}/{place.stem}",
        "version": 1,
        "description": f"{proposal.family.replace('_', ' ').capitalize()} of {Path(found.as_given).name}.",
        "language": table.languages(proposal.fields),
        "source": source,
        "fields": proposal.fields,
        **({"lists": proposal.lists} if proposal.lists else {}),
        "prompts": [{"text": text, "weight": 1.0} for text in prompts(proposal, table.chinese)],
        **long,
        "target": proposal.target,
        **({"references": proposal.references} if proposal.references else {}),
        "metrics": proposal.metrics,
    }
    return content, remarks


def _source(path: Path, found: Found, table: Table, proposal: Proposal) -> tuple[dict[str, Any], list[str]]:
    """The source with files named as seen from the template, and a test split if there is none."""
    remarks = [f"{table.bad_summary}; on_bad: skip leaves them out"] if table.bad else []
    spec = found.named_from(path.resolve().parent)
    keep, left_out = _kept(table, proposal)
    remarks += left_out
    given = {"explode": proposal.explode, "where": keep, "fields": proposal.source_fields}
    for key, value in given.items():
        spec = with_key(spec, key, value) if value else spec
    splits = list(found.splits)
    held_out = [split for split in splits if split != "train"] or ["test"]
    if proposal.group_by and "format" in spec and (splits != ["train"] or table.n >= _FEWEST_TO_SPLIT):
        spec = {**spec, "group": {"by": proposal.group_by, "splits": held_out}}
    if splits != ["train"] or "format" not in spec:
        return spec, remarks
    return _held_out(spec, table, proposal, remarks)


def with_key(spec: dict[str, Any], key: str, value: Json) -> dict[str, Any]:
    """The specification, or that of each split, with a further key; conditions add up."""
    if "format" not in spec:
        return {split: with_key(own, key, value) for split, own in spec.items()}
    if key == "where" and "where" in spec:
        value = f"({spec['where']}) && ({value})"
    return {**spec, key: value}


def _kept(table: Table, proposal: Proposal) -> tuple[str | None, list[str]]:
    """Which records are gold: where annotators accept and reject them, those that were accepted."""
    verdict = next(
        (c for c in table.columns.values() if set(c.values or ()) <= {*_VERDICTS} and "accept" in (c.values or ())),
        None,
    )
    if verdict is None or verdict.path in list(_texts(proposal.fields)):
        return proposal.where, []
    proposal.reads.add(verdict.path)
    left = sum(count for value, count in (verdict.values or {}).items() if value != "accept")
    remarks = [f"{left} records were not accepted: they are left out"] if left else []
    accepted = f"{name_of(verdict.path)} == 'accept'"
    return f"({proposal.where}) && {accepted}" if proposal.where else accepted, remarks


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(item)


def _held_out(
    spec: dict[str, Any], table: Table, proposal: Proposal, remarks: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """A test split by hash, where there are records enough."""
    if table.n < _FEWEST_TO_SPLIT:
        return spec, [*remarks, f"{table.n} records are too few for a test split; add test: FILE to the source"]
    by, shares = proposal.split_by, {"test": _TEST_SHARE}
    values = table.columns[by].values if by in table.columns else None
    if values and all(side_of(value, shares) == "train" for value in values):
        few = f"{by} has only {len(values)} different values"
        if proposal.group_by:
            spec.pop("group")
            return spec, [*remarks, f"{few}, too few for a test split; add test: FILE to the source"]
        remark = f"a tenth is held out, by the hash of the whole record ({few}, and the same ones stand in train)"
        return {**spec, "split": {**shares, "by": "@"}}, [*remarks, f"the file has no test part beside it: {remark}"]
    made = spec.get("fields", {})
    if by in made and not (isinstance(made[by], str) and made[by] == by):  # a split is cut before fields are made
        by = spec["group"] if isinstance(spec.get("group"), str) else "@"
    of = "the whole record" if by == "@" else by
    remark = f"the file has no test part beside it: a tenth is held out, by the hash of {of}"
    return {**spec, "split": {**shares, "by": by}}, [*remarks, remark]

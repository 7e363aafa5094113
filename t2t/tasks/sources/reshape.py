"""Sources that give other records than they read: one record as many, many as one, two files as one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from t2t.errors import DataError, TemplateError
from t2t.linear.scope import kind_of
from t2t.registry import did_you_mean
from t2t.tasks.bad_records import STOP, BadRecords
from t2t.tasks.expressions import Reader, compile_expression, describe
from t2t.tasks.sources.base import Options, RawRecord, Source, sha256_of
from t2t.tasks.sources.wrapper import Wrapper, evaluate

_ADDED = ("parent", "before", "position")


@dataclass(frozen=True, slots=True)
class Exploded(Wrapper):
    """Each item of a list in a record becomes a record of its own.

    It holds the item's fields (one that is no object is the field ``item``) and three more: ``parent`` (the whole
    record), ``before`` (the items before it) and ``position`` (from 0). Its id is "ID.POSITION".
    """

    items: Reader

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        for several in bad.each(self.inner.records(split, bad), self._exploded):
            yield from several

    def _exploded(self, record: RawRecord) -> list[RawRecord]:
        found = evaluate(self.items, record)
        if not isinstance(found, list):
            raise DataError(record.where, f"explode: gives {kind_of(found)}", "name the path of a list")
        several = []
        for position, item in enumerate(found):
            data = {**_own(item, record.where), "parent": record.data}
            data |= {"before": found[:position], "position": position}
            several.append(replace(record, id=f"{record.id}.{position}", data=data))
        return several


def _own(item: Any, where: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        return {"item": item}
    for name in _ADDED:
        if name in item:
            found = f"explode: an item has a field {name!r}, which explode adds itself"
            raise DataError(where, found, "rename it in the expression, e.g. turns[].{text: text}")
    return item


@dataclass(frozen=True, slots=True)
class Grouped(Wrapper):
    """Records of one split with equal keys become one: the first, with all of them in its field ``group``.

    Order and ids are those of the first records. The split is held in memory.
    """

    key: Reader
    which: tuple[str, ...] | None

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        if self.which is not None and split not in self.which:
            yield from self.inner.records(split, bad)
            return
        groups: dict[str, list[RawRecord]] = {}
        for key, record in bad.each(
            self.inner.records(split, bad), lambda record: (evaluate(self.key, record), record)
        ):
            groups.setdefault(json.dumps(key, sort_keys=True), []).append(record)
        for first, *others in groups.values():
            yield replace(first, data={**first.data, "group": [first.data, *(other.data for other in others)]})


def grouped(source: Source, spec: str | dict[str, Any], where: str) -> Source:
    """``source`` with its records grouped as ``group:`` says."""
    given = {"by": spec} if isinstance(spec, str) else dict(spec)
    which = given.get("splits")
    known = source.splits()
    if not given.keys() <= {"by", "splits"} or "by" not in given or not (which is None or isinstance(which, list)):
        raise TemplateError(where, f"group: is {spec!r}", "write the JMESPath of the key, or {by: KEY, splits: [test]}")
    for split in which or []:
        if split not in known:
            raise TemplateError(where, f"group: the source has no split {split!r}", did_you_mean(str(split), known))
    return Grouped(source, compile_expression(given["by"], where), None if which is None else tuple(which))


@dataclass(frozen=True, slots=True)
class Joined(Wrapper):
    """Records with the fields of the record of another file that has the same key; their own fields stay.

    The other file is held in memory. DataError where a key has no partner, or is there twice.
    """

    other: Source
    key: Reader
    name: str

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        if split not in self.other.splits():
            yield from self.inner.records(split, bad)
            return
        partners = self._partners(split, bad)

        def with_partner(record: RawRecord) -> RawRecord:
            key = _key(evaluate(self.key, record))
            if key not in partners:
                found = f"join: {key} of {self.name!r} does not stand in the joined file"
                raise DataError(record.where, found, "add it there, or leave the record out")
            return replace(record, data={**partners[key], **record.data})

        yield from bad.each(self.inner.records(split, bad), with_partner)

    def _partners(self, split: str, bad: BadRecords) -> dict[str, dict[str, Any]]:
        partners: dict[str, dict[str, Any]] = {}
        for record in self.other.records(split, bad):
            key = _key(evaluate(self.key, record))
            if key in partners:
                found = f"join: {key} of {self.name!r} stands twice in the joined file"
                raise DataError(record.where, found, "correct the file, or join on another field")
            partners[key] = record.data
        return partners

    def fingerprint(self) -> str:
        return sha256_of(self.inner.fingerprint(), self.other.fingerprint())


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def joined(source: Source, spec: dict[str, Any], build: Callable[[dict[str, Any]], Source], where: str) -> Source:
    """``source`` joined as ``join: {file: FILE or {SPLIT: FILE}, on: FIELD, ...}`` says.

    ``build`` makes the source of the other file; whatever else ``join:`` holds (format, header, ...) is its own.
    """
    options = Options(spec, where)
    files = options.take("file", (str, dict), "a file, or one for each split: {train: FILE, test: FILE}")
    name = options.take("on", str, "the field that both files have")
    if files is None or name is None:
        raise TemplateError(where, f"join: is {describe(spec)}", "write {file: FILE, on: FIELD}")
    splits = files if isinstance(files, dict) else dict.fromkeys(source.splits(), files)
    for split in splits:
        if split not in source.splits():
            found = f"join: the source has no split {split!r}"
            raise TemplateError(where, found, did_you_mean(str(split), source.splits()))
    return Joined(source, build({**options.left, "splits": splits}), compile_expression(name, where), name)

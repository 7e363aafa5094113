"""A source from its specification: the format, and what every format allows around it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from t2t.errors import DataError, TemplateError
from t2t.registry import did_you_mean
from t2t.tasks.bad_records import STOP, BadRecords
from t2t.tasks.expressions import Reader, compile_expression
from t2t.tasks.fields import SideFile, compile_field, compile_fields
from t2t.tasks.sources.base import SOURCES, Options, RawRecord, Source, Spec, sha256_of
from t2t.tasks.sources.reshape import Exploded, grouped, joined
from t2t.tasks.sources.wrapper import Wrapper, evaluate

_WHOLE = ("train", "all")


def build_source(spec: Spec, base: Path, where: str) -> Source:
    """The source of a template's ``source:``; ``base`` is the template's folder, ``where`` names it in messages.

    Common keys, in the order in which they act: ``with`` (fields that every record gets), ``join`` (fields of another
    file), ``explode`` (a list whose items become the records), ``id_field``, ``where`` (an expression or adapters,
    keeps records for which it is true), ``split`` (by hash), ``group``, ``fields`` (as a template's).
    Without ``format`` the specification maps each split to a specification of its own, which names its file
    under ``file``. Raises TemplateError for unknown keys and values.
    """
    if not isinstance(spec, dict) or not spec:
        raise TemplateError(where, f"source: is {spec!r}", "write e.g. source: {format: jsonl, train: FILE}")
    if "format" in spec:
        return _one(spec, base, where)
    sources: dict[str, Source] = {}
    for split, own in spec.items():
        if not isinstance(own, dict) or "format" not in own:
            raise TemplateError(where, "source: has no format:", did_you_mean(str(spec.get("format")), SOURCES.names()))
        if "file" not in own:
            raise TemplateError(where, f"source: {split}: names no file", "write file: FILE")
        named = {"splits": {split: own["file"]}} | {key: value for key, value in own.items() if key != "file"}
        sources[split] = _one(named, base, where)
    return PerSplit(sources, where)


def _one(spec: Spec, base: Path, where: str) -> Source:
    options = Options(spec, where)
    format_name = options.take("format", str, "a format's name")
    if format_name is None:
        raise TemplateError(where, "source: format: names no format", f"use one of: {', '.join(SOURCES.names())}")
    extra = options.take("with", dict, "{field: value}")
    join = options.take("join", dict, "{file: FILE, on: FIELD}")
    explode = options.take("explode", str, "the JMESPath of a list")
    id_field = options.take("id_field", str, "a field's name")
    keep = options.take("where", (str, dict, list), "a JMESPath expression, e.g. \"lang == 'en'\", or adapters")
    shares = options.take("split", dict, "{test: 0.1, by: FIELD}")
    group = options.take("group", (str, dict), "the JMESPath of the key, or {by: KEY, splits: [test]}")
    fields = options.take("fields", dict, "{name: JMESPath or {adapter: arguments}}")
    given = [extra, join, explode, id_field, keep, shares, group, fields]
    files: list[SideFile] = []
    source: Source = SOURCES.get(format_name, where, TemplateError)(options.left, base, where)
    if extra:
        source = Extended(source, extra)
    if join:
        source = joined(source, join, lambda other: _one({"format": format_name, **other}, base, where), where)
    if explode:
        source = Exploded(source, compile_expression(explode, where))
    if id_field or keep:
        identify = compile_expression(id_field, where) if id_field else None
        source = Filtered(source, identify, compile_field(keep, base, where, files) if keep else None)
    if shares:
        source = _split_by_hash(source, shares, where)
    if group:
        source = grouped(source, group, where)
    if fields:
        source = Mapped(source, compile_fields(fields, base, where, files))
    return Fingerprinted(source, json.dumps(given, sort_keys=True, default=str), files)


@dataclass(frozen=True, slots=True)
class Fingerprinted(Wrapper):
    """Adds the common keys of the specification, and the files that they name, to the fingerprint."""

    common: str
    files: list[SideFile]

    def fingerprint(self) -> str:
        return sha256_of(self.inner.fingerprint(), self.common, *(file.digest() for file in self.files))


@dataclass(frozen=True, slots=True)
class Extended(Wrapper):
    """Records with constant fields."""

    extra: dict[str, Any]

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        for record in self.inner.records(split, bad):
            yield replace(record, data={**record.data, **self.extra})


@dataclass(frozen=True, slots=True)
class Filtered(Wrapper):
    """Takes ids from a field and keeps the records for which ``keep`` is true."""

    identify: Reader | None
    keep: Reader | None

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        seen: set[str] = set()

        def kept(record: RawRecord) -> RawRecord | None:
            if self.identify is not None:
                record = RawRecord(
                    record.where, _new_id(evaluate(self.identify, record), seen, record.where), record.data
                )
            return record if self.keep is None or _true(evaluate(self.keep, record)) else None

        return bad.each(self.inner.records(split, bad), kept)


def _true(value: Any) -> bool:
    """Truth as in JMESPath: null, false, and the empty text, list and object are not true; 0 is."""
    return value is not None and value is not False and value not in ("", [], {})


def _new_id(value: Any, seen: set[str], where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise DataError(where, f"the id is {value!r}", "id_field: must name a field that holds a text or whole number")
    identity = str(value)
    if identity in seen:
        raise DataError(
            where, f"the id {identity!r} stands twice in this split", "name a field with unique values, or none"
        )
    seen.add(identity)
    return identity


@dataclass(frozen=True, slots=True)
class HashSplit(Wrapper):
    """Cuts the split ``whole`` by the hash of a key: records with equal keys never fall into different splits."""

    whole: str
    key: Reader
    shares: dict[str, float]
    where: str

    def splits(self) -> list[str]:
        names = ["train" if name == self.whole else name for name in self.inner.splits()]
        return names + list(self.shares)

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        if split != "train" and split not in self.shares:
            if split == self.whole:
                raise DataError(
                    self.where,
                    f"split: cuts {split!r}, so the source has it no more",
                    did_you_mean(split, self.splits()),
                )
            return self.inner.records(split, bad)
        whole = self.inner.records(self.whole, bad)
        return bad.each(
            whole, lambda record: record if side_of(evaluate(self.key, record), self.shares) == split else None
        )


def side_of(key: Any, shares: Mapping[str, float]) -> str:
    """The split, of those with ``shares`` and train, that the hash of a key chooses."""
    text = json.dumps(key, sort_keys=True, ensure_ascii=False, default=repr)
    point = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
    for name, share in shares.items():
        if point < share:
            return name
        point -= share
    return "train"


def _split_by_hash(source: Source, spec: dict[str, Any], where: str) -> Source:
    shares = {name: share for name, share in spec.items() if name != "by"}
    given = source.splits()
    wholes = [name for name in _WHOLE if name in given]
    if len(wholes) != 1 or set(shares) & {*given, "train", "all"}:
        raise TemplateError(
            where, "split: cuts one file", "give train: FILE or all: FILE, and no file for the splits it names"
        )
    for name in shares:
        if not isinstance(name, str):
            raise TemplateError(where, f"split: the split {name!r} is no text", f'write "{name}"')
    numbers = all(isinstance(share, float) and 0 < share < 1 for share in shares.values())
    if "by" not in spec or not shares or not numbers or sum(shares.values()) >= 1:
        raise TemplateError(
            where, f"split: is {spec!r}", "write shares between 0 and 1 and a key, e.g. {test: 0.1, by: text}"
        )
    return HashSplit(source, wholes[0], compile_expression(spec["by"], where), shares, where)


@dataclass(frozen=True, slots=True)
class Mapped(Wrapper):
    """Records whose data are what ``fields:`` makes of them."""

    fields: Callable[[RawRecord], dict[str, Any]]

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        inner = self.inner.records(split, bad)
        return bad.each(inner, lambda record: replace(record, data=self.fields(record)))


@dataclass(frozen=True, slots=True)
class PerSplit:
    """A source of its own for each split."""

    sources: dict[str, Source]
    where: str

    def splits(self) -> list[str]:
        return list(self.sources)

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        if split not in self.sources:
            raise DataError(self.where, f"the source has no split {split!r}", did_you_mean(split, self.sources))
        return self.sources[split].records(split, bad)

    def fingerprint(self) -> str:
        return sha256_of(*(part for split, source in self.sources.items() for part in (split, source.fingerprint())))

"""Closed sets of a new template, filled with what all the records hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from t2t.authoring.new.columns import MOST_LABELS
from t2t.authoring.new.proposal import FROM_DATA
from t2t.authoring.new.words import closed_set
from t2t.errors import DataError
from t2t.structures import Json, Record
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.fields import compile_fields
from t2t.tasks.label_sets import resolve_sets
from t2t.tasks.sources import build_source


def with_labels(content: Mapping[str, Any], folder: Path) -> Json:
    """The target of a template with each set that is to be read from the data written out, those of all splits; a set
    that is too large to be written out stays as it is, with its words as they are."""
    target = content["target"]

    def each(use: Callable[[Record, str], None]) -> None:
        source = build_source(dict(content["source"]), folder, "new")
        read, bad = compile_fields(content["fields"], folder, "new"), BadRecords("skip")
        for split in source.splits():
            for _ in bad.each(source.records(split, bad), lambda raw: use(read(raw), raw.where)):
                pass

    try:
        resolved = resolve_sets(target, each, folder, lambda path: "target")
    except DataError:
        return target
    return _filled(target, resolved)


def _filled(spec: Json, resolved: Json) -> Json:
    if spec == FROM_DATA:
        return closed_set(list(resolved)) if len(resolved) <= MOST_LABELS else {**FROM_DATA, "words": "spaces"}
    if isinstance(spec, Mapping):
        return {key: _filled(value, resolved[key]) for key, value in spec.items()}
    return spec

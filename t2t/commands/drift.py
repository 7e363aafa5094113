"""``t2t drift --model DIR --task NAME --input FILE``: whether new records are still like those of training."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from t2t.errors import DataError, RunFileError
from t2t.runs.run_files import write_json
from t2t.serving.data_drift import Drift, drift
from t2t.serving.inputs import as_examples, files_of, read_files, renaming
from t2t.serving.model import load
from t2t.serving.outputs import Rejects
from t2t.structures import Example, Json
from t2t.table import table
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.kept import Answerer
from t2t.tasks.record import RawRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedDrift:
    """Which records are compared with whose training data. ``form`` and ``fields``: as for answers; ``limit``: records
    at most."""

    model: Path
    task: str | None
    inputs: Sequence[str]
    form: str | None = None
    fields: Sequence[str] = ()
    limit: int = 1000


def report_drift(asked: AskedDrift, out: Path | None = None) -> bool:
    """Print what was found, with a verdict; write it to ``out`` as JSON. True if an update is due.

    Bad records are reported on standard error. DataError where there is no record that can be used; InputError where
    the model folder does not say what it was trained on.
    """
    if out is not None and out.is_dir():
        raise RunFileError("--json", f"{out} is a folder", "name a file")
    known = load(asked.model)
    model = known.model_of(asked.task)
    answerer, rejects = model.answerer(asked.task), Rejects(None)
    with closing(rejects):
        bad = BadRecords("skip", rejects)
        examples, labels = _read(asked, answerer, bad)
        if not examples:
            first = rejects.first or DataError(" ".join(asked.inputs), "it holds no record", "name another file")
            raise DataError(first.where, first.found, first.todo)
        found = drift(model, answerer, examples, labels, bad)
    print("\n".join(lines(found)))
    if out is not None:
        write_json(out, found.to_json())
    return found.due


def _read(asked: AskedDrift, answerer: Answerer, bad: BadRecords) -> tuple[list[Example], list[Json]]:
    """The records as examples, and the labels that those with gold have."""
    fields = renaming(asked.fields)
    records = read_files(files_of(asked.inputs), answerer, bad, asked.form)
    examples, labels = list[Example](), list[Json]()
    for example, data in as_examples(islice(records, asked.limit), answerer, fields, bad):
        named = {fields[key]: data[key] for key in fields if key in data}
        examples.append(example)
        labels += answerer.gold_labels(RawRecord(example.where, example.id, {**data, **named}), named)
    if next(records, None) is not None:
        print(f"t2t: the first {asked.limit} records are compared; --limit N takes more", file=sys.stderr)
    return examples, labels


def lines(found: Drift) -> list[str]:
    """What was found as a table, what could not be compared, and the verdict."""
    rows = [[found.task, "training", "new", "distance", "bound", ""]]
    for check in found.checks:
        before = "" if check.training is None else f"{check.training:.4g}"
        said = "drifted" if check.drifted else ""
        rows.append([check.name, before, f"{check.new:.4g}", f"{check.distance:.3f}", f"{check.bound:.3f}", said])
    return [*table(rows, rule=True), *(f"not compared: {one}" for one in found.unknown), found.verdict]

"""``t2t generate --model DIR --task NAME --input FILE``: structures from records that have no gold."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from t2t.errors import DataError
from t2t.serving.inputs import renaming
from t2t.serving.model import load
from t2t.serving.outputs import write_rejects, writing
from t2t.structures import Json
from t2t.tasks.bad_records import BadRecords


def answer_file(
    model: Path, task: str | None, name: str, out: Path | None, *, fields: Sequence[str] = (), keep: Sequence[str] = ()
) -> int:
    """Answer the records of a file and give how many there were.

    ``out``: JSON lines or Parquet by its ending; None: standard output. ``fields``: FIELD=COLUMN pairs. ``keep``:
    columns of the input that stand in the output too. Bad records are told on standard error, and stand in
    OUT.bad.jsonl.
    """
    names, rejects = renaming(fields), []

    def reject(error: DataError) -> None:
        rejects.append({"where": error.where, "found": error.found, "todo": error.todo})
        if len(rejects) <= 5:
            print(f"t2t: {error}", file=sys.stderr)

    bad = BadRecords("skip", reject)
    answered = 0
    loaded = load(model)
    with writing(out) as write, tqdm(desc="generate", unit=" records", disable=out is None) as bar:
        for found, data in loaded.answer_file(task, name, names, bad):
            kept: dict[str, Json] = {key: data.get(key) for key in keep}
            write({**found.to_json(), **kept})
            answered += 1
            bar.update()
    if rejects:
        place = "" if out is None else f", see {out}.bad.jsonl"
        print(f"t2t: {len(rejects)} records were set aside{place}", file=sys.stderr)
    if out is not None and rejects:
        write_rejects(out.with_name(f"{out.name}.bad.jsonl"), rejects)
    return answered

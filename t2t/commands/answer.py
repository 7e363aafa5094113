"""``t2t generate --model DIR --task NAME --input FILE``: structures from records that have no gold."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from t2t.config.run import GenerateSettings
from t2t.errors import DataError
from t2t.serving.inputs import renaming
from t2t.serving.model import load
from t2t.serving.outputs import COLUMNS, Rejects, writing
from t2t.structures import Json
from t2t.tasks.bad_records import BadRecords


def answer_file(
    model: Path,
    task: str | None,
    name: str,
    out: Path | None,
    *,
    form: str | None = None,
    fields: Sequence[str] = (),
    keep: Sequence[str] = (),
    adapters: Mapping[str, Path] | None = None,
    settings: GenerateSettings = GenerateSettings(),  # noqa: B008 (frozen)
) -> int:
    """Answer the records of a file and give how many there were.

    ``form``: of the file, one of inputs.FORMATS; None: by its ending. ``out``: JSON lines or Parquet by its ending;
    None: standard output. ``fields``: FIELD=COLUMN pairs. ``keep``: columns of the input that stand in the output too,
    as ``input_NAME`` where the output has a NAME of its own. ``settings``: how they are generated. Bad
    records are told on standard error, and stand in OUT.bad.jsonl. DataError, and no output, where all of them are bad.
    """
    names = renaming(fields)
    loaded = load(
        model,
        adapters=adapters,
        precision=settings.precision,
        engine=settings.engine,
        num_beams=settings.beams,
        constrain=settings.constrain,
        batch_tokens=settings.tokens,
    )
    kept_as = {key: f"input_{key}" if key in COLUMNS else key for key in keep}
    answered = 0
    with writing(out) as write, tqdm(desc="generate", unit=" records", disable=out is None) as bar:
        rejects = Rejects(None if out is None else out.with_name(f"{out.name}.bad.jsonl"))
        with closing(rejects):
            for found, data in islice(
                loaded.answer_file(task, name, names, BadRecords("skip", rejects), form), settings.limit
            ):
                if not answered:
                    _tell_missing(keep, data)
                kept: dict[str, Json] = {kept_as[key]: data.get(key) for key in keep}
                write({**found.to_json(), **kept})
                answered += 1
                bar.update()
        if rejects.first is not None and not answered:
            first = rejects.first
            found_ = f"{first.found}; none of {rejects.count} records could be answered"
            raise DataError(first.where, found_, first.todo)
    if not answered:
        print(f"t2t: {'standard input' if name == '-' else name} holds no record", file=sys.stderr)
    return answered


def _tell_missing(keep: Sequence[str], data: Mapping[str, Json]) -> None:
    missing = [key for key in keep if key not in data]
    if missing:
        has = ", ".join(map(str, data))
        found = f"the first record has no {', '.join(map(repr, missing))} (it has {has})"
        print(f"t2t: --keep: {found}; null stands where a record has none", file=sys.stderr)

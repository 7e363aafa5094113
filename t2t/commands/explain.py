"""``t2t explain --model DIR --task NAME --input FILE``: which tokens of its text carried each item of an output."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from t2t.errors import DataError, RunFileError
from t2t.explaining.deletion import summed_up
from t2t.explaining.explainer import Explained, Explainer
from t2t.explaining.gradients import check_installed
from t2t.explaining.page import HEADINGS, check_of, page
from t2t.json_lines import json_line
from t2t.serving.inputs import as_examples, files_of, read_files, renaming
from t2t.serving.model import Model, load
from t2t.serving.outputs import Rejects
from t2t.table import table
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.kept import Answerer
from t2t.whole_files import whole_file, write_text


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedWhy:
    """Whose outputs are explained, for which records. ``form``, ``fields`` and ``adapters``: as for answers; ``limit``:
    records."""

    model: Path
    task: str | None
    inputs: Sequence[str]
    form: str | None = None
    fields: Sequence[str] = ()
    limit: int = 100
    adapters: Mapping[str, Path] | None = None


def explain_file(asked: AskedWhy, out: Path, lines: Path | None = None) -> bool:
    """Write the page to ``out``, and the attributions as JSON lines to ``lines``; print the deletion check.

    True if the check holds; that it does not is reported. Bad records are reported on standard error. InputError where
    captum is not installed; DataError, and no page, where there is no record that can be used.
    """
    for flag, path in (("--output", out), ("--json", lines)):
        if path is not None and path.is_dir():
            raise RunFileError(flag, f"{path} is a folder", "name a file")
    check_installed()
    loaded = load(asked.model, adapters=asked.adapters)
    model, answerer = loaded.model_of(asked.task), loaded.answerer(asked.task)
    explained = list(_explained(asked, model, answerer))
    falls = summed_up(item.falls for one in explained for item in one.items)
    write_text(out, page(answerer.name, str(asked.model), explained, falls))
    if lines is not None:
        with whole_file(lines) as file:
            file.writelines(json_line(one.to_json()) for one in explained)
    check = check_of(falls)
    print("mean fall of an item's score (nats) without the tokens of the highest attribution, and without others:")
    print("\n".join(table([HEADINGS, *check.rows], rule=True)))
    print(out)
    if not check.holds:
        print("t2t: the top tokens do not matter more than others: do not rely on these shades", file=sys.stderr)
    return check.holds


def _explained(asked: AskedWhy, model: Model, answerer: Answerer) -> Iterator[Explained]:
    rejects = Rejects(None)
    explainer, count = Explainer(model, answerer.task), 0
    with closing(rejects), tqdm(desc="explain", unit=" records") as bar:
        bad = BadRecords("skip", rejects)
        records = read_files(files_of(asked.inputs), answerer, bad, asked.form)
        examples = as_examples(islice(records, asked.limit), answerer, renaming(asked.fields), bad)
        for found, _ in model.answered(answerer, examples, bad):
            yield explainer.explain(found)
            count += 1
            bar.update()
        if next(records, None) is not None:
            print(f"t2t: the first {asked.limit} records are explained; --limit N takes more", file=sys.stderr)
    if not count:
        first = rejects.first or DataError(" ".join(asked.inputs), "it holds no record", "name another file")
        raise DataError(first.where, first.found, first.todo)

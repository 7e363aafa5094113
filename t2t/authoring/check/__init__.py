"""``t2t check``: tries templates on their whole data before anything is trained."""

from __future__ import annotations

import json
import multiprocessing
import os
import textwrap
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from t2t.authoring.check.duplicates import Duplicates
from t2t.authoring.check.findings import Report
from t2t.authoring.check.prompt_findings import static_notes
from t2t.authoring.check.report_text import as_text
from t2t.authoring.check.split import examine
from t2t.authoring.check.token_split import examine_texts
from t2t.config.shipped_files import template_files
from t2t.errors import InputError, UnreachableError
from t2t.evaluation.evaluate import task_metrics
from t2t.reach import check_reach, hub_answers
from t2t.tasks.task import load_task

if TYPE_CHECKING:
    from t2t.model.sayable import Vocabulary

_MANY = 8  # templates that are worth processes of their own


def check(names: Sequence[str], tokenizer: Path | None = None, as_json: bool = False) -> tuple[str, int]:
    """Check templates over their data: the report, as a table each or as one JSON document, and how many errors."""
    reports = check_each(names, tokenizer)
    return report_text(reports, as_json), sum(report.errors for report in reports)


def check_each(names: Sequence[str], tokenizer: Path | None = None) -> list[Report]:
    """A report of each template; ``failed`` says why one could not be checked at all.

    Every record is read, rendered and parsed back (laws 1 and 1b), with a tokenizer through its ids too (law 3), and
    gold is scored by the task's metrics (law 4). Data are streamed; 8 bytes of each record are kept, for duplicates.
    """
    if tokenizer is not None:
        check_reach(str(tokenizer))
    check_one = partial(_check_task, tokenizer=tokenizer)
    workers = min(os.cpu_count() or 1, len(names))
    if len(names) < _MANY or workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
        return list(map(check_one, names))
    if any(map(_reads_hub, names)):
        hub_answers()  # asked here once, not by each worker
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        return list(pool.map(check_one, names))


def _reads_hub(name: str) -> bool:
    path = template_files().get(name) or Path(name)
    return path.is_file() and "format: hub" in path.read_text(encoding="utf-8", errors="replace")


@cache
def _vocabulary(folder: Path) -> Vocabulary:
    from t2t.model.sayable import Vocabulary
    from t2t.model.tokenizer import load_tokenizer

    return Vocabulary(load_tokenizer(folder))


def report_text(reports: Sequence[Report], as_json: bool) -> str:
    """Reports as a table each, or as one JSON document."""
    if as_json:
        errors = sum(report.errors for report in reports)
        found = {"errors": errors, "tasks": [report.to_json() for report in reports]}
        return json.dumps(found, ensure_ascii=False, indent=1)
    return "\n\n".join([*(as_text(one) for one in reports if one.unreachable is None), *_unreachable(reports)])


def _unreachable(reports: Sequence[Report]) -> list[str]:
    """The tasks whose data were not to be had, told together."""
    names = [report.task for report in reports if report.unreachable is not None]
    if not names:
        return []
    head = f"not checked: the hub does not answer, and the data of {len(names)} tasks are not kept from before"
    return ["\n".join([head, *textwrap.wrap(", ".join(names), 110, initial_indent="  ", subsequent_indent="  ")])]


def _check_task(name: str, tokenizer: Path | None) -> Report:
    report = Report(name, "characters" if tokenizer is None else "tokens")
    try:
        vocabulary = None if tokenizer is None else _vocabulary(tokenizer)
        task = load_task(name)
        report.task, report.version, report.on_bad = task.name, task.version, task.on_bad
        metrics = task_metrics(task)
        duplicates = Duplicates()
        report.token_task = None if task.token_task is None else str(task.token_task)
        if task.token_task is None:
            report.notes = list(static_notes(task))
        for split in task.splits():
            if task.token_task is not None:
                report.splits.append(examine_texts(task, split, vocabulary, duplicates))
            else:
                report.splits.append(examine(task, split, metrics, vocabulary, duplicates))
        for findings in report.splits:
            findings.repeated, findings.in_train = duplicates.count(findings.split)
    except UnreachableError as error:
        report.unreachable, report.splits = str(error), []
    except InputError as error:
        report.failed = str(error)
    return report

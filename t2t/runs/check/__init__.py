"""``t2t check``: tries templates on their whole data before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from t2t.errors import InputError
from t2t.runs.check.duplicates import Duplicates
from t2t.runs.check.findings import Report
from t2t.runs.check.split import examine
from t2t.runs.check.table import as_text
from t2t.runs.check.token_task import examine_texts
from t2t.runs.evaluate import task_metrics
from t2t.tasks.task import load_task

if TYPE_CHECKING:
    from t2t.model.sayable import Vocabulary


def check(names: Sequence[str], tokenizer: Path | None = None, as_json: bool = False) -> tuple[str, int]:
    """Check templates over their data: the report, as a table each or as one JSON document, and how many errors."""
    reports = check_each(names, tokenizer)
    return told(reports, as_json), sum(report.errors for report in reports)


def check_each(names: Sequence[str], tokenizer: Path | None = None) -> list[Report]:
    """A report of each template; ``failed`` says why one could not be checked at all.

    Every record is read, rendered and parsed back (laws 1 and 1b), with a tokenizer through its ids too (law 3), and
    gold is scored by the task's metrics (law 4). Data are streamed; 8 bytes of each record are kept, for duplicates.
    """
    vocabulary = None if tokenizer is None else _vocabulary(tokenizer)
    return [_check_task(name, vocabulary) for name in names]


def _vocabulary(folder: Path) -> Vocabulary:
    from t2t.model.sayable import Vocabulary
    from t2t.model.tokenizer import load_tokenizer

    return Vocabulary(load_tokenizer(folder))


def told(reports: Sequence[Report], as_json: bool) -> str:
    """Reports as a table each, or as one JSON document."""
    if as_json:
        errors = sum(report.errors for report in reports)
        found = {"errors": errors, "tasks": [report.to_json() for report in reports]}
        return json.dumps(found, ensure_ascii=False, indent=1)
    return "\n\n".join(map(as_text, reports))


def _check_task(name: str, vocabulary: Vocabulary | None) -> Report:
    report = Report(name, "characters" if vocabulary is None else "tokens")
    try:
        task = load_task(name)
        report.task, report.version, report.on_bad = task.name, task.version, task.on_bad
        metrics = task_metrics(task)
        duplicates = Duplicates()
        report.token_task = None if task.token_task is None else str(task.token_task)
        for split in task.splits():
            if task.token_task is not None:
                report.splits.append(examine_texts(task, split, vocabulary, duplicates))
            else:
                report.splits.append(examine(task, split, metrics, vocabulary, duplicates))
        for findings in report.splits:
            findings.repeated, findings.in_train = duplicates.count(findings.split)
    except InputError as error:
        report.failed = str(error)
    return report

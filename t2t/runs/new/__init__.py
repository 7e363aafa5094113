"""``t2t new``: a first template for files that nobody has described yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from t2t.config.template import TASK_NAME
from t2t.config.yaml_file import write_yaml
from t2t.errors import DataError, InputError, TemplateError
from t2t.runs.check import check
from t2t.runs.new.columns import Table, look
from t2t.runs.new.families import propose, why_not
from t2t.runs.new.formats import Files, guess_source
from t2t.runs.new.proposal import Proposal
from t2t.runs.new.wording import prompts
from t2t.runs.run_files import write_text
from t2t.tasks.sources.build import side_of

_FEWEST_TO_SPLIT = 50
_TEST_SHARE = 0.1


def new(names: Sequence[str], out: Path | None = None) -> tuple[str, int]:
    """Look at the files, write a template and check it: what to tell the user, and how many errors are left.

    Args:
        names: one file, or line-aligned files; also ``a.zip!member``.
        out: where the template goes, FAMILY/NAME.yaml; default: under task_templates/, named after family and file.

    Raises:
        DataError: a file cannot be read, or shows no input and target.
        TemplateError: ``out`` is there already, or is no FAMILY/NAME.yaml.
    """
    files, spec = guess_source(names)
    table = look(files, spec)
    proposal = propose(table)
    if proposal is None:
        raise DataError(names[0], *why_not(table))
    path = out or Path("task_templates") / proposal.family / f"{_slug(files)}.yaml"
    _check_place(path)
    content, remarks = _template(path, files, table, proposal)
    write_text(path, write_yaml(content))
    return _tell(path, proposal, remarks)


def _slug(files: Files) -> str:
    stem = re.sub(r"(^|[._-])(train|all|data)(?=[._-]|$)", "", files.stem) or files.folder
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("._-").lower() or "task"


def _check_place(path: Path) -> None:
    if path.exists():
        raise TemplateError(str(path), "the file is there already", "remove it, or give another --out")
    if path.suffix != ".yaml" or not path.resolve().parent.name:
        raise TemplateError(str(path), "no place for a template", "give --out FAMILY/NAME.yaml")
    place = path.resolve()
    if not re.fullmatch(TASK_NAME, f"{place.parent.name}/{place.stem}"):
        found = f"the task would be called {f'{place.parent.name}/{place.stem}'!r}"
        raise TemplateError(str(path), found, "use letters A to Z, digits, _, . and - only in --out FAMILY/NAME.yaml")


def _template(path: Path, files: Files, table: Table, proposal: Proposal) -> tuple[dict[str, Any], list[str]]:
    source, remarks = _source(path, files, table, proposal)
    place = path.resolve()
    long = {"shorten": {"field": proposal.long, "keep": "start"}} if proposal.long else {}
    content = {
        "task": f"{place.parent.name}/{place.stem}",
        "version": 1,
        "description": f"{proposal.family.replace('_', ' ').capitalize()} of {files.told}.",
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
    return content, [*proposal.remarks, *_left_out(table, proposal), *remarks]


def _left_out(table: Table, proposal: Proposal) -> list[str]:
    """Which fields of the records the template does not read."""
    read = " ".join(_texts([proposal.fields, proposal.source_fields, proposal.group_by]))
    names = dict.fromkeys(name for record in table.sample for name in record)
    unread = [name for name in names if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", read)]
    return [f"fields that the template does not read: {', '.join(unread)}"] if unread else []


def _texts(value: Any) -> Iterator[str]:
    """The texts inside mappings and lists, without the keys."""
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(item)


def _source(path: Path, files: Files, table: Table, proposal: Proposal) -> tuple[dict[str, Any], list[str]]:
    """The source with files named as seen from the template, and a test split if there is none."""
    remarks = [f"{table.bad} records are bad; t2t check tells which, on_bad: skip leaves them out"] if table.bad else []
    spec = files.named_from(path.resolve().parent, table.spec)
    if proposal.source_fields:
        spec = {**spec, "fields": proposal.source_fields}
    held_out = [split for split in files.splits if split != "train"] or ["test"]
    if proposal.group_by and (files.splits != ["train"] or table.n >= _FEWEST_TO_SPLIT):
        spec = {**spec, "group": {"by": proposal.group_by, "splits": held_out}}
    if files.splits != ["train"]:
        return spec, remarks
    if table.n < _FEWEST_TO_SPLIT:
        return spec, [*remarks, f"{table.n} records are too few for a test split; add test: FILE to the source"]
    by, shares = proposal.split_by, {"test": _TEST_SHARE}
    values = table.columns[by].values if by in table.columns else None
    if values and all(side_of(value, shares) == "train" for value in values):
        few = f"{by} has only {len(values)} different values"
        if proposal.group_by:
            spec.pop("group")
            return spec, [*remarks, f"{few}, too few for a test split; add test: FILE to the source"]
        told = f"a tenth is held out, by the hash of the whole record ({few}, and the same ones stand in train)"
        return {**spec, "split": {**shares, "by": "@"}}, [*remarks, f"the file has no test part beside it: {told}"]
    told = f"the file has no test part beside it: a tenth is held out, by the hash of {by}"
    return {**spec, "split": {**shares, "by": by}}, [*remarks, told]


def _tell(path: Path, proposal: Proposal, remarks: list[str]) -> tuple[str, int]:
    lines = [f"{path}: {proposal.family.replace('_', ' ')}", *(f"  {remark}" for remark in remarks)]
    try:
        report, errors = check([str(path)])
    except InputError as error:
        report, errors = str(error), 1
    verdict = f"  t2t check finds {errors} errors" if errors else "  t2t check finds no error"
    return "\n".join([*lines, verdict, "", report]), errors

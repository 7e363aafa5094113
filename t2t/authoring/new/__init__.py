"""``t2t new``: a first template for files that nobody has described yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from t2t.authoring.check import check
from t2t.authoring.new.cells import opened
from t2t.authoring.new.closed_sets import with_labels
from t2t.authoring.new.columns import look
from t2t.authoring.new.gaps import find_gaps, leave_out, prefer, without_gaps
from t2t.authoring.new.left_out import left_out
from t2t.authoring.new.new_run_file import write_run_file
from t2t.authoring.new.new_template import parted, template
from t2t.authoring.new.places import check_place, place_for
from t2t.authoring.new.proposal import Proposal
from t2t.authoring.new.sources import find_source
from t2t.authoring.new.task_kinds import propose, why_not
from t2t.config.yaml_file import write_yaml
from t2t.errors import DataError, InputError
from t2t.whole_files import write_text


def new(names: Sequence[str], out: Path | None = None) -> tuple[str, int]:
    """Look at the files, write a template and check it: what to tell the user, and how many errors are left.

    Args:
        names: one file, also ``a.zip!member``; a folder or an archive; line-aligned files, files of splits or classes.
        out: where the template goes, FAMILY/NAME.yaml; default: under task_templates/, named after family and file.

    What the template leaves out counts as an error where it may be what the task is about: lists of objects, a second
    label, slots.

    Raises:
        DataError: a file cannot be read, or shows no input and target.
        TemplateError: ``out`` is there already, or is no FAMILY/NAME.yaml.
    """
    found = find_source(names)
    table = look(found)
    found, table = opened(parted(found, table), table)
    proposal = propose(table)
    gaps = find_gaps(table, proposal)
    if (whole := without_gaps(found, table, gaps)) is not None:
        other = propose(whole)
        if other is not None and prefer(table, proposal, whole, other, gaps):
            leave_out(other, gaps)
            proposal, table = other, whole
    if proposal is None:
        raise DataError(names[0], *why_not(table))
    path, renamed = place_for(out, proposal.family, found.stem)
    check_place(path)
    content, remarks = template(path, found, table, proposal)
    path.parent.mkdir(parents=True, exist_ok=True)  # files are named as they are seen from there
    content["target"] = with_labels(content, path.resolve().parent)
    dropped, errors = left_out(table, proposal)
    write_text(path, write_yaml(content))
    run_file = write_run_file(path, table.chinese)
    return _report(path, run_file, proposal, [*renamed, *proposal.remarks, *found.remarks, *dropped, *remarks], errors)


def _report(path: Path, run_file: Path, proposal: Proposal, remarks: list[str], dropped: int) -> tuple[str, int]:
    lines = [f"{path}: {proposal.family.replace('_', ' ')}", *(f"  {remark}" for remark in remarks)]
    try:
        report, errors = check([str(path)])
    except InputError as error:
        report, errors = str(error), 1
    verdict = f"  t2t check finds {errors} errors" if errors else "  t2t check finds no error"
    if dropped:
        verdict += f"; {dropped} fields that may be what the task is about are left out: read them under fields:"
    return "\n".join([*lines, verdict, "", report, "", f"next: t2t train {run_file}"]), errors + dropped

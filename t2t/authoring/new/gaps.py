"""Values that a few records lack and nearly all have: what is proposed goes by the others, and leaves these out."""

from __future__ import annotations

from dataclasses import dataclass

from t2t.authoring.new.columns import Column, Table, look
from t2t.authoring.new.left_out import is_read, left_out
from t2t.authoring.new.proposal import LABEL_NAMES, Proposal
from t2t.authoring.new.sources import Found

_MOST = 0.2  # of the records; where more lack it, it is a value that need not be there
_MOST_LABELS = 0.9
_MAY_BE_BLANK = ("input", "context", "history", "system", "notes", "note")


@dataclass(frozen=True, slots=True)
class Gap:
    """A column that ``missing`` records lack, and the condition of the others."""

    path: str
    missing: int
    condition: str
    blank: bool  # texts without a character, no null


def find_gaps(table: Table, strict: Proposal | None) -> list[Gap]:
    """The columns that some records lack. Many may lack a label where nothing else than labels was found: the file is
    not annotated yet to its end."""
    open_ = strict is None or strict.family == "text_to_text"
    named = {column.path: open_ and column.name.lower() in LABEL_NAMES for column in table.columns.values()}
    most = {path: _MOST_LABELS if label else _MOST for path, label in named.items()}
    found = [_gap(column, table.total, most[column.path] * table.total) for column in table.columns.values()]
    return [gap for gap in found if gap is not None]


def _gap(column: Column, total: int, most: float) -> Gap | None:
    blank = 0 if column.name.lower() in _MAY_BE_BLANK else column.blanks
    missing = total - column.n - column.holes + blank
    if not 0 < missing <= most:
        return None
    conditions = [f"{column.path} != `null`", *([f"{column.path} != ''"] if blank else [])]
    return Gap(column.path, missing, " && ".join(conditions), blank == missing)


def without_gaps(found: Found, table: Table, gaps: list[Gap]) -> Table | None:
    """The columns of the records that lack nothing; None where that is all of them or none."""
    if not gaps:
        return None
    whole = look(found, " && ".join(gap.condition for gap in gaps))
    return whole if whole.n else None


def prefer(table: Table, strict: Proposal | None, whole: Table, other: Proposal | None, gaps: list[Gap]) -> bool:
    """True if ``other``, which goes by the records that lack nothing, is what the data are about.

    ``strict`` is, where it finds the same task and does without the columns that have gaps.
    """
    if other is None or not (used := read_by(other, gaps)):
        return False
    if strict is not None and strict.family == other.family == "multi_label" and all(gap.blank for gap in used):
        return False  # an empty cell is the empty set
    if strict is None or strict.family != other.family or read_by(strict, used):
        return True
    return left_out(table, strict)[1] > left_out(whole, other)[1]


def read_by(proposal: Proposal, gaps: list[Gap]) -> list[Gap]:
    return [gap for gap in gaps if is_read(gap.path, proposal)]


def leave_out(proposal: Proposal, gaps: list[Gap]) -> None:
    """Have the proposal leave out what lacks a value that it reads, and say so."""
    for gap in read_by(proposal, gaps):
        kept = f"({proposal.where}) && {gap.condition}" if proposal.where else gap.condition
        proposal.where = kept
        records = "record has" if gap.missing == 1 else "records have"
        proposal.remarks.append(f"{gap.missing} {records} no {gap.path}: left out (where: of the source)")

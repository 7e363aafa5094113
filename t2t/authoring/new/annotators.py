"""Records with several annotations: which one is gold."""

from __future__ import annotations

import re

from t2t.authoring.new.columns import Table
from t2t.authoring.new.proposal import Proposal
from t2t.linear.scope import Expression


def leave_out_unannotated(table: Table, proposal: Proposal, path: str) -> None:
    """Where gold is the first of several annotations: records that have none (that was not cancelled) are left out, and
    that there are more is reported."""
    found = re.match(r"(.+?)\[0\]\.", path)
    if found is None:
        return
    several = found[1]
    name = several.strip("(").partition("[")[0]
    read = Expression(several, "new")
    own = [read.read(record, "record") if name in record else [] for record in table.raw]
    of = "" if table.total == len(own) else f" of the first {len(own)}"
    if none := sum(not annotations for annotations in own):
        first = f"{several}[0]"
        proposal.where = f"({proposal.where}) && {first}" if proposal.where else first
        cancelled = "" if several == name else " that were not cancelled"
        what = "1 record has" if none == 1 else f"{none} records{of} have"
        proposal.remarks.append(f"{what} no {name}{cancelled}: left out (where: of the source)")
    if more := sum(len(annotations or []) > 1 for annotations in own):
        what = "1 record has" if more == 1 else f"{more} records{of} have"
        proposal.remarks.append(f"{what} more than one of {name}: the first is read")

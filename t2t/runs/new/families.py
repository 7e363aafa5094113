"""Which task a data set is for: the first rule that fits, the most special first."""

from __future__ import annotations

from collections.abc import Callable

from t2t.runs.new.columns import Table
from t2t.runs.new.exchanges import conversation, instruction, preference
from t2t.runs.new.keyed import (
    events,
    slots_by_name,
    standoff_events,
    surfaces,
    triples,
    types_above,
    wanted_type,
)
from t2t.runs.new.plain import (
    classification,
    joined_labels,
    keywords,
    multi_label,
    one_hot_labels,
    similarity,
    text_to_text,
    translation,
)
from t2t.runs.new.proposal import Proposal
from t2t.runs.new.spans import marked_spans
from t2t.runs.new.structured import bare_options, multiple_choice, question_answering
from t2t.runs.new.tagged import tagged

Rule = Callable[[Table], Proposal | None]
RULES: tuple[Rule, ...] = (
    question_answering,
    conversation,
    preference,
    standoff_events,
    events,
    wanted_type,
    marked_spans,
    slots_by_name,
    types_above,
    tagged,
    triples,
    surfaces,
    multiple_choice,
    similarity,
    one_hot_labels,
    multi_label,
    joined_labels,
    keywords,
    instruction,
    classification,
    translation,
    text_to_text,
)


def propose(table: Table) -> Proposal | None:
    """The task of a table, or None where no rule fits or options have no right answer."""
    for rule in RULES:
        if (found := rule(table)) is not None:
            return found
        if rule is multiple_choice and bare_options(table):
            return None
    return None


def why_not(table: Table) -> tuple[str, str]:
    """What was found where nothing is proposed, and what to do."""
    if options := bare_options(table):
        found = f"the options {', '.join(options)} have no column beside them that says which is right"
        return (
            found,
            "add one, or copy a template that joins the file of the answers, e.g. multiple_choice/comve_reason",
        )
    found = f"no input and target were found among: {', '.join(table.columns) or 'no field at all'}"
    return found, "name the columns text and label (or source and target), or copy a template"

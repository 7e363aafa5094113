"""Which task a data set is for: the first rule that fits, the most special first."""

from __future__ import annotations

from collections.abc import Callable

from t2t.runs.new.columns import Table
from t2t.runs.new.plain import classification, multi_label, similarity, text_to_text, translation
from t2t.runs.new.proposal import Proposal
from t2t.runs.new.structured import marked_spans, multiple_choice, question_answering, tagged

Rule = Callable[[Table], Proposal | None]
RULES: tuple[Rule, ...] = (
    question_answering,
    marked_spans,
    tagged,
    multiple_choice,
    similarity,
    multi_label,
    classification,
    translation,
    text_to_text,
)


def propose(table: Table) -> Proposal | None:
    """The task of a table, or None where no rule fits."""
    return next((found for rule in RULES if (found := rule(table)) is not None), None)

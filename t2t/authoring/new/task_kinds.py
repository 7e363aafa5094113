"""Which task a data set is for: the first rule that fits, the most special first."""

from __future__ import annotations

from collections.abc import Callable

from t2t.authoring.new.annotations import places_apart
from t2t.authoring.new.beside import with_fields_beside
from t2t.authoring.new.columns import Table
from t2t.authoring.new.ends import events_with_places, linked_objects
from t2t.authoring.new.exchanges import conversation, instruction, preference
from t2t.authoring.new.keyed import (
    events,
    slots_by_name,
    standoff_events,
    surfaces,
    types_above,
    wanted_type,
)
from t2t.authoring.new.label_studio import answered_questions
from t2t.authoring.new.proposal import Proposal
from t2t.authoring.new.related import marked_spans
from t2t.authoring.new.structured import bare_options, multiple_choice, question_answering
from t2t.authoring.new.tagged import tagged
from t2t.authoring.new.triples import given_ends, triples
from t2t.authoring.new.whole_texts import (
    acceptable_texts,
    classification,
    joined_labels,
    keywords,
    listed_keywords,
    multi_label,
    named_keywords,
    one_hot_labels,
    similarity,
    text_to_text,
    translation,
)

Rule = Callable[[Table], Proposal | None]
RULES: tuple[Rule, ...] = (
    question_answering,
    conversation,
    preference,
    answered_questions,
    standoff_events,
    events_with_places,
    events,
    wanted_type,
    linked_objects,
    marked_spans,
    slots_by_name,
    types_above,
    tagged,
    triples,
    surfaces,
    given_ends,
    multiple_choice,
    similarity,
    one_hot_labels,
    named_keywords,
    multi_label,
    joined_labels,
    keywords,
    listed_keywords,
    acceptable_texts,
    instruction,
    classification,
    translation,
    text_to_text,
)


def propose(table: Table) -> Proposal | None:
    """The task of a table, or None where no rule fits or options have no right answer."""
    for rule in RULES:
        if (found := rule(table)) is not None:
            return with_fields_beside(table, found)
        if (rule is multiple_choice and bare_options(table)) or (rule is marked_spans and places_apart(table)):
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
    if apart := places_apart(table):
        found = f"the places of mentions stand in {apart[0]!r} and their types in {apart[1]!r}"
        return found, "write them as one list, e.g. entities: [[start, end, type], ...]"
    found = f"no input and target were found among: {', '.join(table.columns) or 'no field at all'}"
    found += f" ({table.bad_summary})" if table.bad else ""
    template = _like(table)
    copy = f"copy the template {template}" if template else "copy one of the templates that `t2t list` shows"
    return found, f"name the columns text and label (or source and target), or {copy}"


_LIKE = {
    "event/triggers_zh": ("events", "event", "event_list", "trigger"),
    "dialogue/multiwoz_state": ("turns", "state", "dialogue", "dialog", "utterances", "history", "conversation"),
    "pretraining/wikitext2": ("lines", "passages", "pages", "document", "text", "content"),
    "relation/spo_zh": ("relations", "triples", "relation_list", "spo_list"),
    "ner/conll2003": ("entities", "mentions", "spans", "tokens"),
    "slots/snips_inline": ("slots",),
    "keywords/inspec": ("keywords", "keyphrases", "words"),
    "grammar/jfleg": ("corrections",),
    "closed_qa/trivia_qa": ("answers", "question"),
    "multi_label/go_emotions": ("labels", "emotions", "tags"),
}


def _like(table: Table) -> str | None:
    """A template of the library whose records have a field like one of these."""
    names = {path.split(".")[0].lower() for path in table.columns}
    return next((template for template, fields in _LIKE.items() if names & {*fields}), None)

"""What is beside the task that was found: a label of the whole text, and texts that the task cannot do without."""

from __future__ import annotations

from dataclasses import replace

from t2t.authoring.new.columns import Column, Table
from t2t.authoring.new.left_out import INPUTS, unread
from t2t.authoring.new.proposal import FROM_DATA, Proposal
from t2t.structures import Json

_WHOLE = ("intent", "label", "category", "class", "topic", "sentiment", "domain", "意图", "标签", "类别", "情感")


def with_fields_beside(table: Table, proposal: Proposal) -> Proposal:
    """``proposal``, with an unread label in its target and unread texts in its prompt."""
    columns = [table.columns[key] for key in unread(table, proposal) if key in table.columns]
    label = next((column for column in columns if _is_label(table, column)), None)
    if proposal.family == "ner" and label is not None and "each" in proposal.target:
        proposal = intent_and_slots(proposal, label)
    for column in columns:
        if column.name.lower() in INPUTS and column is not label:
            _add_input(table, proposal, column)
    return proposal


def intent_and_slots(ner: Proposal, label: Column) -> Proposal:
    """Mentions as the slots of a request, behind the label of the whole."""
    (listed,) = [name for name in ner.fields if name == ner.target["each"]]
    (metric,) = ner.metrics
    assert isinstance(metric, dict)
    (kind, arguments), *_ = metric.items()
    slots = {**ner.target, "each": "slots"} | ({"order": "source"} if "repeat" in ner.target["fields"]["text"] else {})
    target = {"as": "{intent} @ {slots}", "fields": {"intent": {"label": FROM_DATA}, "slots": slots}}
    fields = {name: read for name, read in ner.fields.items() if name != listed}
    fields |= {"intent": label.path, "slots": ner.fields[listed]}
    metrics: list[Json] = [{"accuracy": {"of": "intent"}}, {kind: {**arguments, "over": "slots"}}, "exact_match"]
    return replace(ner, family="slots", fields=fields, target=target, metrics=metrics)


def _is_label(table: Table, column: Column) -> bool:
    return column.name.lower() in _WHOLE and len(column.labels or ()) > 1 and column.fills(table.total)


def _add_input(table: Table, proposal: Proposal, column: Column) -> None:
    """The text, or the list of texts joined by spaces, as one more part of the prompt, in front of the others."""
    values = [record.get(column.path) for record in table.raw]
    if column.is_a("a text") and column.fills(table.total):
        read: Json = column.path
    elif all(isinstance(value, list) and all(isinstance(one, str) for one in value) for value in values):
        read = {"join": {"of": column.path, "with": "" if table.chinese else " "}}
    else:
        return
    if proposal.inputs and column.name not in proposal.fields:
        proposal.fields = {**proposal.fields, column.name: read}
        proposal.inputs = [column.name, *proposal.inputs]
        proposal.long = column.name

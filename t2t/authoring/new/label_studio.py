"""Answers to questions about a whole text, as Label Studio exports them: choices, ratings, texts."""

from __future__ import annotations

from typing import Any

from t2t.authoring.new.annotators import leave_out_unannotated
from t2t.authoring.new.beside import intent_and_slots
from t2t.authoring.new.columns import Column, Table
from t2t.authoring.new.items import Items, find_items
from t2t.authoring.new.proposal import FROM_DATA, Proposal, fields_of, longest, text_columns
from t2t.authoring.new.related import marked_spans
from t2t.authoring.new.whole_texts import are_pair
from t2t.structures import Json

_READ = {"choices": "choices[]", "rating": "rating", "textarea": "text[]"}


class Question:
    """One control of the labelling page: how its answers are read, and whether a record has one, several or none."""

    def __init__(self, items: Items, name: str, kind: str) -> None:
        own = [[item["value"] for item in of if item.get("from_name") == name] for of in items.of_records]
        self.name, self.kind = name, kind
        self.path = f"{items.path}[?from_name == '{name}'].value.{_READ[kind]}"
        key = _READ[kind].removesuffix("[]")
        self._places = any("start" in value for of in own for value in of)
        self.counts = [sum(len(v[key]) if isinstance(v.get(key), list) else key in v for v in of) for of in own]

    @property
    def of_mentions(self) -> bool:
        """True for what is asked of each mention, not of the whole text."""
        return self._places

    @property
    def several(self) -> bool:
        return max(self.counts) > 1 and self.kind == "choices"

    @property
    def field(self) -> str:
        return "".join(char if char.isalnum() else "_" for char in self.name) or "answer"

    @property
    def read(self) -> str:
        return self.path if self.several else f"{self.path} | [0]"

    @property
    def node(self) -> dict[str, Any]:
        if self.kind == "textarea":
            return {"text": self.field}
        if self.several:
            return {"labels": FROM_DATA, "between": " ; ", "empty": "none"}
        return {"label": FROM_DATA}


def answered_questions(table: Table) -> Proposal | None:
    """Choices, ratings and texts; a choice beside mentions is the label of their whole text."""
    items = next((items for items in find_items(table.raw) if _are_results(items)), None)
    if items is None or not all(isinstance(record.get("data"), dict) for record in table.raw):
        return None
    questions = _questions(items)
    if not questions:
        return None
    spans = marked_spans(table)
    if spans is not None:
        return _beside_mentions(spans, questions)
    inputs = [column for column in text_columns(table) if column.path.startswith("data.") and not column.labels]
    proposal = _of_questions(questions, inputs) if inputs else None
    if proposal is not None:
        leave_out_unannotated(table, proposal, items.path)
        _leave_out_unanswered(proposal, questions)
    return proposal


def _are_results(items: Items) -> bool:
    return items.path.endswith("[0].result") and any(
        "from_name" in item for item in items.all if isinstance(item, dict)
    )


def _questions(items: Items) -> list[Question]:
    asked = {
        item["from_name"]: item.get("type") for item in items.all if isinstance(item, dict) and "from_name" in item
    }
    return [Question(items, name, kind) for name, kind in asked.items() if kind in _READ]


def _beside_mentions(spans: Proposal, questions: list[Question]) -> Proposal:
    label = next((one for one in questions if one.kind == "choices" and not (one.several or one.of_mentions)), None)
    if spans.family == "ner" and label is not None:
        spans = intent_and_slots(spans, Column(label.read))
    for one in questions:
        if one is not label or spans.family != "slots":
            spans.dropped.append(f"{one.name!r}: {sum(map(bool, one.counts))} records have {one.kind} there, not read")
    return spans


def _of_questions(questions: list[Question], inputs: list[Column]) -> Proposal:
    names = [column.name for column in inputs]
    fields: dict[str, Json] = {**fields_of(inputs), **{one.field: one.read for one in questions}}
    first = questions[0]
    if len(questions) == 1:
        target = {"gold": first.field, **first.node} if first.kind != "textarea" else first.node
        metrics: list[Json] = ["item_f1", "exact_match"] if first.several else ["accuracy", "macro_f1"]
        family = "multi_label" if first.several else "classification"
        if first.kind == "textarea":
            family, metrics = "text_to_text", ["chrf", "exact_match"]
        elif family == "classification" and len(inputs) == 2 and are_pair(*inputs):
            family = "pair_classification"
    else:
        parts = {one.field: one.node for one in questions}
        target = {"as": " @ ".join(f"{{{name}}}" for name in parts), "fields": parts}
        family, metrics = "classification", ["exact_match"]
    return Proposal(family, fields, names, target, metrics, inputs[0].path, long=longest(inputs))


def _leave_out_unanswered(proposal: Proposal, questions: list[Question]) -> None:
    """Records without an answer are no gold; no choice, where there may be several, is one."""
    for one in questions:
        missing = sum(not count for count in one.counts)
        if missing and not one.several:
            proposal.where = f"({proposal.where}) && {_bracketed(one)}" if proposal.where else one.read
            what = "1 record has" if missing == 1 else f"{missing} records have"
            proposal.remarks.append(f"{what} no {one.name}: left out (where: of the source)")


def _bracketed(question: Question) -> str:
    return f"({question.read})"

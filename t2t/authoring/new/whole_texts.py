"""Tasks on whole texts: a label or a number for them, or another text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from t2t.authoring.new.columns import Column, Table
from t2t.authoring.new.proposal import (
    INPUT_NAMES,
    LABEL_NAMES,
    LANGUAGES,
    OUTPUT_NAMES,
    SCORE_NAMES,
    SUMMARY_NAMES,
    TEXT_NAMES,
    Proposal,
    fields_of,
    label_column,
    label_values,
    longest,
    named,
    pairs,
    text_columns,
)
from t2t.authoring.new.words import closed_set
from t2t.structures import Json
from t2t.tasks.fields.plain import is_switch

# What annotation tools note down beside an answer.
_BOOKS = re.compile(r"(?i)(time|duration|seconds|_at|date|^id$|_id|confidence|prob|agreement)$|^(lead|elapsed)")


def similarity(table: Table) -> Proposal | None:
    """A number for one text or two."""
    numbers = [column for column in table.columns.values() if column.is_numeric and column.fills(table.total)]
    fractions = [column for column in numbers if column.fractions and not _BOOKS.search(column.name)]
    fractions += [column for column in numbers if column.points and column.name.lower() in SCORE_NAMES[:3]]
    decimal = [c for c in table.columns.values() if c.commas and c.commas + c.numbers == c.n and c.fills(table.total)]
    score = named([*fractions, *decimal], SCORE_NAMES)
    if score is None and label_column(table) is None:  # a number without such a name is no score beside a label
        score = next(iter(fractions), None)
    inputs = text_columns(table)[:2]
    if score is None or not inputs:
        return None
    read: Json = {"replace": {"of": score.path, "put": {",": "."}}} if score.commas else score.path
    gold: Json = {"json": {"of": read}} if score.commas else {"json": read} if score.is_a("a text") else score.path
    target = {"number": 1, "gold": "score"}
    remarks = ["numbers are rounded to one decimal; number: says how many"]
    fields = {**fields_of(inputs), "score": gold}
    names = [column.name for column in inputs]
    return Proposal(
        "similarity", fields, names, target, ["pearson"], inputs[0].path, remarks=remarks, long=longest(inputs)
    )


def multi_label(table: Table) -> Proposal | None:
    text = named(text_columns(table), TEXT_NAMES)
    some = [column for column in table.columns.values() if column.is_a("a list") and _is_label_list(column)]
    label = named(some, LABEL_NAMES) or (some[0] if some else None)
    if text is None or label is None or not label.fills(table.total):
        return None
    values = sorted(label.items or (), key=lambda value: (isinstance(value, str), value))
    numbers = not any(isinstance(value, str) for value in values)
    words = names_of_numbers(table, values) if numbers else None
    remarks = ["the labels are numbers: give them words that say what they mean"] if numbers and words is None else []
    target = {"labels": words or closed_set(values), "gold": "labels", "between": " ; ", "empty": "none"}
    fields = {text.name: text.path, "labels": label.path}
    metrics: list[Json] = ["item_f1", "exact_match"]
    return Proposal(
        "multi_label", fields, [text.name], target, metrics, text.path, remarks=remarks, long=text.name
    )  # fmt: skip


def one_hot_labels(table: Table) -> Proposal | None:
    """A column of 0 and 1 (or no and yes, false and true) for each label."""
    texts = text_columns(table)
    switches = [column for column in table.columns.values() if _is_switch(column) and column.fills(table.total)]
    switches = [column for column in switches if column.blanks < column.n and not is_place(column)]
    vary = [column for column in switches if len(column.values or ()) > 1]
    texts = [column for column in texts if column not in switches and not column.labels]
    text = named(texts, TEXT_NAMES) or (texts[0] if texts else None)
    if text is None or len(switches) < 2 or len(vary) * 2 < len(switches):
        return None
    names = [column.path.strip('"') for column in switches]
    fields: dict[str, Json] = {text.name: text.path, "labels": {"one_hot": [*names]}}
    target = {"labels": closed_set(names), "gold": "labels", "between": " ; ", "empty": "none"}
    metrics: list[Json] = ["item_f1", "exact_match"]
    return Proposal("multi_label", fields, [text.name], target, metrics, text.path, long=text.name)


def is_place(column: Column) -> bool:
    """True for a column that says by its name where a mention starts or ends."""
    return re.search(r"(?i)(^|[_ .])(start|end|begin|stop|offset)([_ ]?\d+)?$|pos\[", column.path) is not None


def _is_switch(column: Column) -> bool:
    kinds = column.is_a("a number") or column.is_a("true or false") or column.is_a("a text")
    return kinds and bool(column.values) and all(is_switch(value) for value in column.values or ())


_JOINTS = (",", ";", "，", "；", "、", "|", "/")


def joined_labels(table: Table) -> Proposal | None:
    """Labels joined by a separator in one cell: the parts are few and come again and again, alone too."""
    texts = text_columns(table)
    for label in [column for column in table.columns.values() if column.is_a("a text") and column.values]:
        said = [str(value) for value, count in (label.values or {}).items() for _ in range(count)]
        for by in _JOINTS:
            parts = [part.strip() for value in said for part in value.split(by) if part.strip()]
            together = sum(by in value for value in said)
            others = [column for column in texts if column is not label and column.mean > label.mean]
            if not together or not others or len({*parts}) * 4 > len(parts) or len({*parts}) >= len({*said}):
                continue
            if any(len(part) > _LONGEST_PART for part in parts):
                continue
            text = named(others, TEXT_NAMES) or others[0]
            fields: dict[str, Json] = {
                text.name: text.path,
                "labels": {"split": {"of": label.path, "by": by, "strip": True}},
            }
            target = {"labels": closed_set(sorted({*parts})), "gold": "labels", "between": " ; ", "empty": "none"}
            metrics: list[Json] = ["item_f1", "exact_match"]
            return Proposal("multi_label", fields, [text.name], target, metrics, text.path, long=text.name)
    return None


_LONGEST_PART = 40


def _is_label_list(column: Column) -> bool:
    """True if most lists hold something, and what they hold comes again and again."""
    counted: dict[Json, int] = dict(column.items or {})
    used = sum(counted.values())
    return not column.is_tags and 0 < len(counted) * 2 <= used and used * 2 >= column.n


_SEPARATORS = ("_", ";", "；", "|")


def keywords(table: Table) -> Proposal | None:
    """A text, and a column of phrases from it with one separator between them."""
    texts = text_columns(table)
    for phrases in (column for column in texts if not column.labels):
        others = [column for column in texts if column is not phrases and column.mean > 2 * phrases.mean]
        text = max(others, key=lambda column: column.mean, default=None)
        separator = text and next((by for by in _SEPARATORS if _are_phrases(table, phrases, text, by)), None)
        if text is not None and separator:
            fields: dict[str, Json] = {
                text.name: text.path,
                "keywords": {"split": {"of": phrases.path, "by": separator}},
            }
            target = {"each": "keywords", "as": "{word}", "fields": {"word": {"text": "@"}}, "between": " ; "}
            metrics: list[Json] = [{"item_f1": {"over": "keywords"}}]
            return Proposal("keywords", fields, [text.name], target, metrics, text.path, long=text.name)
    return None


_PHRASES = ("keywords", "keyphrases", "key_phrases", "keyword", "phrases", "关键词", "关键字")


def named_keywords(table: Table) -> Proposal | None:
    """A list under the name of key phrases, a third of which are in the texts beside it: all of these are read."""
    texts = [column for column in text_columns(table) if not column.labels]
    phrases = named([column for column in table.columns.values() if column.is_a("a list")], _PHRASES)
    if phrases is None or not texts or phrases.is_tags:
        return None
    whole = [" ".join(str(row.get(column.path)) for column in texts).casefold() for row in table.sample]
    rows = zip(table.sample, whole, strict=True)
    parts = [(part, text) for row, text in rows for part in row.get(phrases.path) or []]
    if not parts or not all(isinstance(part, str) and part.strip() for part, _ in parts):
        return None
    if sum(part.casefold() in text for part, text in parts) * 3 < len(parts):
        return None
    fields = {**fields_of(texts), "keywords": phrases.path}
    target = {"each": "keywords", "as": "{word}", "fields": {"word": {"text": "@"}}, "between": " ; ", "empty": "none"}
    metrics: list[Json] = [{"item_f1": {"over": "keywords"}}]
    names = [column.name for column in texts]
    return Proposal("keywords", fields, names, target, metrics, texts[0].path, long=longest(texts))


def listed_keywords(table: Table) -> Proposal | None:
    """A text, and a list of phrases from it."""
    texts = text_columns(table)
    text = named(texts, TEXT_NAMES) or max(texts, key=lambda column: column.mean, default=None)
    for phrases in (column for column in table.columns.values() if column.is_a("a list") and not column.is_tags):
        said = [(row.get(phrases.path) or [], str(row.get(text.path)).casefold()) for row in table.sample if text]
        parts = [(part, whole) for several, whole in said for part in several]
        if text is None or not parts or not all(isinstance(part, str) and part.strip() for part, _ in parts):
            continue
        if sum(part.casefold() in whole for part, whole in parts) * 2 >= len(parts):
            fields: dict[str, Json] = {text.name: text.path, "keywords": phrases.path}
            target = {"each": "keywords", "as": "{word}", "fields": {"word": {"text": "@"}}, "between": " ; "}
            target |= {"empty": "none"}
            metrics: list[Json] = [{"item_f1": {"over": "keywords"}}]
            return Proposal("keywords", fields, [text.name], target, metrics, text.path, long=text.name)
    return None


_ACCEPTABLE = (
    "answers", "corrections", "references", "targets", "outputs", "responses", "translations", "summaries", "refs",
)  # fmt: skip


def acceptable_texts(table: Table) -> Proposal | None:
    """A text, and a list of texts each of which is right."""
    lists = [column for column in table.columns.values() if column.is_a("a list") and column.fills(table.total)]
    output = named(lists, (*_ACCEPTABLE, "label", "labels"))  # doccano calls all its answers so
    texts = text_columns(table)
    source = named(texts, INPUT_NAMES) or max(texts, key=lambda column: column.mean, default=None)
    if output is None or source is None:
        return None
    said = [row.get(output.path) or [] for row in table.sample]
    if not all(several and all(isinstance(one, str) for one in several) for several in said):
        return None
    fields: dict[str, Json] = {source.name: source.path, "target": f"{output.path}[0]", "references": output.path}
    remark = f"the first of {output.path} is learned, each of them counts as right"
    return Proposal(
        "text_to_text", fields, [source.name], {"text": "target"}, ["chrf", "exact_match"], source.path,
        remarks=[remark], long=source.name, references="references",
    )  # fmt: skip


def _are_phrases(table: Table, phrases: Column, text: Column, by: str) -> bool:
    """True if most values hold the separator, and most of what it parts is in the text."""
    said = [(str(a), str(b).casefold()) for a, b in pairs(table, phrases, text)]
    parts = [(part.strip(), whole) for value, whole in said for part in value.split(by) if part.strip()]
    inside = sum(part.casefold() in whole for part, whole in parts)
    return sum(by in value for value, _ in said) * 10 >= len(said) * 8 and 0 < len(parts) * 5 <= inside * 10


def classification(table: Table) -> Proposal | None:
    """One text and a label, or two texts and a label."""
    label = label_column(table)
    inputs = [
        column for column in text_columns(table) if column is not label and not (column.labels and column.mean < 20)
    ]
    if label is None or not inputs or _is_output(inputs):
        return None
    pair = len(inputs) > 1 and are_pair(inputs[0], inputs[1])
    inputs = inputs[:2] if pair else _texts_of_one(inputs)
    values, path = list(label_values(table, label) or []), label.path
    if any(isinstance(value, float) for value in values):
        values, path = [json.dumps(value) for value in values], f"to_string({path})"
    words = names_of_numbers(table, values)
    unnamed = label.is_numeric and words is None
    remarks = ["the labels are numbers: give them words that say what they mean"] if unnamed else []
    target = {"label": words or closed_set(values), "gold": "label"}
    fields = {**fields_of(inputs), "label": path}
    names = [column.name for column in inputs]
    family = "pair_classification" if pair else "classification"
    metrics: list[Json] = ["accuracy", "macro_f1"]
    return Proposal(family, fields, names, target, metrics, inputs[0].path, remarks=remarks, long=longest(inputs))


_PARTS = (*TEXT_NAMES, *INPUT_NAMES, *SUMMARY_NAMES, "message", "subject", "description", "标题", "正文", "描述")


def _texts_of_one(inputs: list[Column]) -> list[Column]:
    """The text, and others that are parts of it by their names: a title and a body."""
    main = named(inputs, TEXT_NAMES) or inputs[0]
    parts = [column for column in inputs if column is main or (column.name.lower() in _PARTS and not column.labels)]
    return parts if main.name.lower() in _PARTS else [main]


def names_of_numbers(table: Table, values: Sequence[Json]) -> dict[Json, str] | None:
    """The words of labels that are numbers from 0, where a file beside the data has a name for each."""
    numbers = [int(value) for value in values if str(value).isdecimal() and not isinstance(value, bool)]
    fitting = [names for names in table.names if numbers and max(numbers) < len(names) and names[0] != "O"]
    if len(numbers) < len(values) or not fitting:
        return None
    words = closed_set(fitting[0])
    said = words if isinstance(words, dict) else dict(zip(words, words, strict=True))
    return {value: said[fitting[0][int(value)]] for value in values}


def _is_output(columns: list[Column]) -> bool:
    return named(columns, (*SUMMARY_NAMES[:3], *OUTPUT_NAMES)) is not None and len(columns) > 1


def are_pair(first: Column, second: Column) -> bool:
    """Names that differ in a number or letter, or that are known to go together."""
    names = {first.name.lower(), second.name.lower()}
    known = (
        {"premise", "hypothesis"},
        {"claim", "evidence"},
        {"question", "sentence"},
        {"query", "document"},
        {"query", "title"},
        {"query", "passage"},
        {"text", "hypothesis"},
    )
    stems = {name.rstrip("0123456789abAB").rstrip("_") for name in names}
    return names in known or len(stems) == 1 or {"column1", "column2"} == names


_BLEU_WORDS = 4  # of n-grams


def translation(table: Table) -> Proposal | None:
    """Two texts named by languages, or in two scripts."""
    texts = [column for column in text_columns(table) if column.mean > 0]
    named = [column for column in texts if column.name.lower() in LANGUAGES]
    if len(named) >= 2:
        source, target = named[:2]
    elif len(texts) >= 2 and texts[0].is_chinese != texts[1].is_chinese:
        source, target = texts[:2]
    else:
        return None
    said = tuple(LANGUAGES.get(c.name.lower(), "Chinese" if c.is_chinese else "English") for c in (source, target))
    metrics: list[Json] = ["chrf", {"bleu": {"tokenize": "zh"}} if target.is_chinese else "bleu"]
    if (
        all(len(str(record.get(target.path)).split()) < _BLEU_WORDS for record in table.sample)
        and not target.is_chinese
    ):
        metrics.pop()  # BLEU of such short texts is 0, whatever is said
    fields = fields_of([source, target])
    return Proposal(
        "translation", fields, [source.name], {"text": target.name}, metrics, source.path,
        long=source.name, languages=(said[0], said[1]),
    )  # fmt: skip


def text_to_text(table: Table) -> Proposal | None:
    """Summaries by their names or lengths; else the two texts that look most like input and output."""
    texts = [column for column in text_columns(table) if column.mean > 0]
    summary = named(texts, SUMMARY_NAMES)
    output = summary or named(texts, OUTPUT_NAMES) or (texts[-1] if len(texts) > 1 else None)
    others = [column for column in texts if column is not output]
    if output is None or not others:
        return None
    source = named(others, INPUT_NAMES) or max(others, key=lambda column: column.mean)
    summarizes = summary is not None and source.mean > 2 * summary.mean
    family = "summarization" if summarizes else "text_to_text"
    metrics: list[Json] = ["rouge1", "rougeL"] if summarizes else ["chrf", "exact_match"]
    remarks = (
        []
        if summarizes or named(texts, OUTPUT_NAMES)
        else [f"{source.name} was taken as input, {output.name} as output"]
    )
    fields = fields_of([source, output])
    node = "code" if _is_code(table, output) else "text"
    proposal = Proposal(
        family, fields, [source.name], {node: output.name}, metrics, source.path, remarks=remarks, long=source.name
    )
    return _with_references(table, proposal, source, output)


def _is_code(table: Table, column: Column) -> bool:
    """True if most texts have several lines, one of them indented."""
    said = [str(row.get(column.path)) for row in table.sample]
    return sum("\n    " in text or "\n\t" in text for text in said) * 2 > len(said)


def _with_references(table: Table, proposal: Proposal, source: Column, output: Column) -> Proposal:
    """Where inputs come again with other outputs, all of these are right."""
    seen = {str(row.get(source.path)) for row in table.sample}
    if len(seen) * 10 > len(table.sample) * 7 or output.path != output.name:
        return proposal
    references: Json = f"group[].{output.path} || [{output.path}]"
    fields = {**proposal.fields, "references": references}
    remark = "inputs come again with other outputs: each of these counts as right"
    return replace(
        proposal, fields=fields, references="references", group_by=source.path, remarks=[*proposal.remarks, remark]
    )

"""Questions about a text, and questions with options."""

from __future__ import annotations

import re
from string import ascii_uppercase

from t2t.authoring.new.columns import Column, Table
from t2t.authoring.new.proposal import (
    CONTEXT_NAMES,
    OPTION_NAMES,
    Proposal,
    fields_of,
    longest,
    named,
    pairs,
    text_columns,
)
from t2t.structures import Json


def question_answering(table: Table) -> Proposal | None:
    texts = text_columns(table)
    context, question = named(texts, CONTEXT_NAMES), named(texts, ("question", "query"))
    if context is None or question is None:
        return None
    for read in (_squad_answers, _hub_answers, _plain_answer, _listed_answers):
        if (found := read(table, context)) is not None:
            fields, references, null = found
            target = {"span_of": context.name, "gold": "answer"} | ({"absent": "unanswerable"} if null else {})
            names = {**fields_of([question, context]), **fields}
            inputs, metrics = [question.name, context.name], ["squad_f1", "squad_em"]
            return Proposal(
                "qa", names, inputs, target, metrics, context.path, long=context.name, references=references
            )
    return None


Answers = tuple[dict[str, Json], str | None, bool]


def _squad_answers(table: Table, context: Column) -> Answers | None:
    """A list of objects with text and start."""
    column = table.columns.get("answers")
    items = (
        [item for row in table.sample for item in row.get("answers") or []] if column and column.is_a("a list") else []
    )
    if not items or not all(isinstance(item, dict) and isinstance(item.get("text"), str) for item in items):
        return None
    start = next((name for name in ("start", "answer_start") if name in items[0]), None)
    shape = f"{{text: text, start: {start}}}" if start else "{text: text}"
    answer = {"span": {"of": f"answers[0].{shape}", "in": context.path}}
    every = {"span": {"of": f"answers[].{shape} || `[null]`", "in": context.path}}
    return {"answer": answer, "answers": every}, "answers", any(not row.get("answers") for row in table.sample)


def _hub_answers(table: Table, context: Column) -> Answers | None:
    """Lists of texts and of starts side by side, as the hub has SQuAD."""
    texts = table.columns.get("answers.text")
    if texts is None or not texts.is_a("a list") or "answers.answer_start" not in table.columns:
        return None
    answer = "answers.text[0] && {text: answers.text[0], start: answers.answer_start[0]}"
    fields = {
        "answer": {"span": {"of": answer, "in": context.path}},
        "answers": "not_null(answers.text[0]) && answers.text || `[null]`",
    }
    return fields, "answers", any(not row["answers.text"] for row in table.sample)


def _plain_answer(table: Table, context: Column) -> Answers | None:
    """One text that is in the context."""
    column = next((table.columns[name] for name in ("answer", "answers", "answer_text") if name in table.columns), None)
    if column is None or not column.is_a("a text"):
        return None
    said = [(answer, text) for text, answer in pairs(table, context, column) if answer]
    inside = sum(isinstance(text, str) and answer in text for answer, text in said)
    return ({"answer": column.path}, None, not column.fills(table.total)) if inside * 10 >= len(said) * 9 else None


def _listed_answers(table: Table, context: Column) -> Answers | None:
    """A list of texts each of which is right; an empty one has no answer."""
    column = next((table.columns[name] for name in ("answers", "answer") if name in table.columns), None)
    if column is None or not column.is_a("a list") or not column.fills(table.total):
        return None
    said = [(several, str(text)) for text, several in pairs(table, context, column) if isinstance(several, list)]
    if not all(isinstance(one, str) for several, _ in said for one in several):
        return None
    firsts = [several[0] in text for several, text in said if several]
    if not firsts or sum(firsts) * 10 < len(firsts) * 9:
        return None
    empty = any(not several for several, _ in said)
    fields: dict[str, Json] = {"answer": f"{column.path}[0]"}
    if all(len(several) < 2 for several, _ in said):
        return fields, None, empty
    name = column.name if column.name != "answer" else "references"
    return {**fields, name: f"{column.path} || `[null]`" if empty else column.path}, name, empty


_RIGHT = (
    "answer", "label", "answerkey", "answer_key", "answer_idx", "answer_index", "answer_id", "answer_letter",
    "label_idx",
    "correct_answer", "correct_option", "correct_index", "correct_idx", "correct", "gold", "target", "cop",
)  # fmt: skip


def multiple_choice(table: Table) -> Proposal | None:
    """Options in a list or in columns A, B, C... or choice1, choice2..., and the right one by index, letter or text."""
    paths = _option_paths(table)
    scalars = [column for column in table.columns.values() if column.path not in paths and not column.is_a("a list")]
    answer = named(scalars, _RIGHT)
    inputs = [column for column in text_columns(table) if column.path not in paths and column is not answer]
    if not paths or answer is None or not inputs:
        return None
    golds = [row.get(answer.path) for row in table.sample]
    right = _right([_options(row, paths) for row in table.sample], answer, golds)
    if right is None or not _in_order(table, paths[0]):
        return None
    gold_is, gold = right
    read = paths[0] if len(paths) == 1 else f"[{', '.join(paths)}]"
    fields = {**fields_of(inputs), "options": read, "answer": gold}
    shown = {"choices": {"each": "options", "as": "{letter}) {text}", "fields": {"text": "@"}, "between": " "}}
    target = {"choice": "options", "by": "letter", "gold_is": gold_is, "gold": "answer"}
    names = [column.name for column in inputs]
    return Proposal(
        "multiple_choice", fields, names, target, ["accuracy"], inputs[0].path, lists=shown, long=longest(inputs)
    )


def _right(options: list[list[Json]], answer: Column, golds: list[Json]) -> tuple[str, Json] | None:
    """How the right option is said, and what reads it: by its text, letter or place, which may count from 1."""
    rows = list(zip(options, golds, strict=True))
    if all(isinstance(gold, str) and len(gold) == 1 and gold in ascii_uppercase[: len(own)] for own, gold in rows):
        return "letter", answer.path
    small = ascii_uppercase.lower()
    if all(isinstance(gold, str) and len(gold) == 1 and gold in small[: len(own)] for own, gold in rows):
        places = {letter: place for place, letter in enumerate(small[: max(len(own) for own, _ in rows)])}
        return "index", {"lookup": {"of": answer.path, "in": {**places}}}
    if all(gold in own for own, gold in rows):
        return "text", answer.path
    if not answer.is_numeric or not all(isinstance(gold, int) or str(gold).isdecimal() for gold in golds):
        return None
    numbers = [int(str(gold)) for gold in golds]
    read = answer.path if answer.is_a("a number") else f"to_number({answer.path})"
    first = 0 if 0 in numbers else 1 if any(n == len(own) for n, own in zip(numbers, options, strict=True)) else None
    if first is None or not all(first <= n < first + len(own) for n, own in zip(numbers, options, strict=True)):
        return None
    return "index", f"sum([{read}, `-1`])" if first else read


def _in_order(table: Table, path: str) -> bool:
    """False where options have letters or numbers of their own that do not say their places."""
    listed = path.removesuffix("[*].text").removesuffix(".text")
    for record in table.raw:
        value = record.get(listed)
        own = value.get("label") if isinstance(value, dict) else None
        if isinstance(value, list):
            own = [next((one[k] for k in ("id", "label", "key", "letter") if k in one), None) for one in value
                   if isinstance(one, dict)]  # fmt: skip
        letters = [str(one) for one in own or []]
        if letters and letters[0] != "None" and letters != [*ascii_uppercase[: len(letters)]]:
            return letters[0] in ("0", "1") and letters == [str(int(letters[0]) + n) for n in range(len(letters))]
    return True


def _options(row: dict[str, Json], paths: list[str]) -> list[Json]:
    if len(paths) > 1:
        return [row.get(path) for path in paths]
    path = paths[0].removesuffix("[*].text")
    found: list[Json] = row[path] if path == paths[0] else _texts_of(row[path])
    return found


def bare_options(table: Table) -> list[str]:
    """The columns that are options by their names, where no column says which is right."""
    columns = [path for path in table.columns if re.fullmatch(r"(?i)(option|choice|ending)_?[0-9A-E]", path)]
    listed = [path for path in table.columns if path.lower().removesuffix(".text") in OPTION_NAMES]
    return columns or [path for path in listed if _lists_options([row.get(path) for row in table.sample])]


def _option_paths(table: Table) -> list[str]:
    """The column that lists the options, or the columns that hold one each; empty if there are none."""
    for path, column in table.columns.items():
        if (column.name.lower() in OPTION_NAMES or path in ("choices.text", "options.text")) and _lists_options(
            [row.get(path) for row in table.sample]
        ):
            return [path]
        items = [row.get(path) for row in table.sample]
        if column.name.lower() in OPTION_NAMES and _lists_options([_texts_of(value) for value in items]):
            return [f"{path}[*].text"]
    found = _lettered(table) or [letter for letter in "ABCDE" if letter in table.columns]
    for stem in ("option", "choice", "ending", "sol", "answer"):
        counted = sorted(path for path in table.columns if re.fullmatch(rf"(?i){stem}_?[0-9A-E]", path))
        found = found if len(found) > 1 else counted
    return found if len(found) > 1 and all(table.columns[path].is_a("a text") for path in found) else []


def _texts_of(value: Json) -> Json:
    """The texts of options that are objects with a letter and a text."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return None
    return [one.get("text") for one in value]


def _lettered(table: Table) -> list[str]:
    """Options under their letters, or numbers, in an object: ``options: {A: .., B: ..}``."""
    for name in OPTION_NAMES:
        paths = sorted(path for path in table.columns if re.fullmatch(rf'(?i){name}\."?([A-H]|[0-9])"?', path))
        if len(paths) > 1:
            return paths
    return []


def _lists_options(values: list[Json]) -> bool:
    return all(isinstance(v, list) and len(v) > 1 and all(isinstance(option, str) for option in v) for v in values)

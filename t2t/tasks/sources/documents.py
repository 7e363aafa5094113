"""Formats that are one JSON document: json and squad."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from t2t.errors import DataError
from t2t.structures import Json
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.data_files import DataFile
from t2t.tasks.expressions import Mismatch, compile_expression
from t2t.tasks.json_text import read_document
from t2t.tasks.sources.base import SOURCES, FileSource, Options, Source, Spec

Records = Iterator[tuple[str, dict[str, Any]]]


def as_data(value: Json) -> dict[str, Any]:
    """A record must have fields: an object is its own, any other value becomes the field ``item``."""
    return value if isinstance(value, dict) else {"item": value}


@SOURCES.register("json")
def json_document(spec: Spec, base: Path, where: str) -> Source:
    """One JSON document a file; ``records`` (JMESPath, default ``@``) says where its records are."""
    options = Options(spec, where)
    encoding = options.encoding()
    path = options.take("records", str, "a JMESPath expression, e.g. data")
    find = compile_expression(path, where) if path else None
    options.files()
    options.finish()

    def read(files: dict[str, DataFile], bad: BadRecords) -> Records:
        file = files[""]
        document = read_document(file, encoding)
        try:
            records = find(document) if find else document
        except Mismatch as error:
            raise DataError(file.name, error.found, error.todo) from None
        if not isinstance(records, list):
            raise DataError(file.name, f"records: {path or '@'} gives no list", "name the path to the list of records")
        for number, item in enumerate(records, 1):
            yield f"{file.name}:record {number}", as_data(item)

    return FileSource(spec, base, where, read)


@SOURCES.register("squad")
def squad(spec: Spec, base: Path, where: str) -> Source:
    """SQuAD JSON, version 1 or 2: one record a question.

    Fields: id, title, context, question, answers (list of {"text", "start"}, none if it cannot be answered),
    is_impossible.
    """
    options = Options(spec, where)
    options.files()
    options.finish()

    def read(files: dict[str, DataFile], bad: BadRecords) -> Records:
        file = files[""]
        document = read_document(file)
        try:
            questions = [
                (article.get("title", ""), paragraph["context"], question)
                for article in document["data"]
                for paragraph in article["paragraphs"]
                for question in paragraph["qas"]
            ]
        except (KeyError, TypeError, AttributeError) as error:
            found = f"no SQuAD document ({_message(error)})"
            raise DataError(file.name, found, "it must be {data: [{title, paragraphs: [{context, qas}]}]}") from None
        yield from bad.each(enumerate(questions, 1), lambda numbered: _question(file.name, *numbered))

    return FileSource(spec, base, where, read)


def _question(name: str, number: int, found: tuple[Json, Json, Json]) -> tuple[str, dict[str, Any]]:
    title, context, question = found
    try:
        answers = [{"text": a["text"], "start": a.get("answer_start")} for a in question.get("answers", [])]
        data = {
            "id": question["id"],
            "title": title,
            "context": context,
            "question": question["question"],
            "answers": answers,
            "is_impossible": bool(question.get("is_impossible", not answers)),
        }
    except (KeyError, TypeError, AttributeError) as error:
        known = question.get("id") if isinstance(question, dict) else None
        where = f"{name}:question {number if known is None else known}"
        todo = "it must be {id, question, answers: [{text, answer_start}]}"
        raise DataError(where, f"no SQuAD question ({_message(error)})", todo) from None
    return f"{name}:question {question['id']}", data


def _message(error: Exception) -> str:
    return f"a part has no key {error}" if isinstance(error, KeyError) else f"a part is of another kind: {error}"

"""JSON values from texts and files of strangers."""

from __future__ import annotations

import json

from t2t.errors import DataError
from t2t.structures import Json
from t2t.tasks.data_files import UNPACKED_CAP, DataFile, check_text, open_bytes


class NotANumber:
    """What Python writes as NaN or Infinity and JSON has not: it costs nothing where nobody reads it, and nothing can
    be made of it."""

    kind = "no number (NaN or infinite)"  # in messages

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def parse_json(text: str, where: str) -> Json:
    """The JSON value of a text; DataError at ``where`` for anything else, NUL and lone surrogates.

    NaN and the infinities become ``NotANumber``.
    """
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise DataError(where, f"no JSON ({error})", "correct the record") from None
    if "\\u" in text:
        _check_strings(value, where)
    return value


def parse_values(text: str, where: str) -> list[Json]:
    """The JSON values that stand one behind the other in a text, with or without line breaks; errors as above."""
    values, end = [], 0
    while end < len(text):
        try:
            value, end = _DECODER.raw_decode(text, end)
        except (ValueError, RecursionError) as error:
            line = text.count("\n", 0, end) + 1
            raise DataError(f"{where}:{line}", f"no JSON ({error})", "correct it") from None
        values.append(value)
        while text[end : end + 1].isspace() or text[end : end + 1] == ",":
            end += 1
    if "\\u" in text:
        _check_strings(values, where)
    return values


# json.loads would build a decoder for every text.
_DECODER = json.JSONDecoder(parse_constant=NotANumber)


def _check_strings(value: Json, where: str) -> None:
    if isinstance(value, str):
        check_text(value, where)
    elif isinstance(value, list):
        for item in value:
            _check_strings(item, where)
    elif isinstance(value, dict):
        for key, item in value.items():
            check_text(key, where)
            _check_strings(item, where)


def read_document(file: DataFile, encoding: str = "utf-8") -> Json:
    """The one JSON value that a file holds, or the list of those that are in it one behind the other."""
    with open_bytes(file) as stream:
        data = stream.read(UNPACKED_CAP + 1)
    if len(data) > UNPACKED_CAP:
        raise DataError(file.name, f"a document of more than {UNPACKED_CAP} bytes", "use the format jsonl")
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{file.name}:{line}", f"no {encoding} text ({error})", "name the file's encoding: in the source"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{file.name}:{line}", "a NUL character", "remove it from the file")
    values = parse_values(text.lstrip(), file.name)
    return values[0] if len(values) == 1 else values

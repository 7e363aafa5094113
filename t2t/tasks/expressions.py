"""JMESPath expressions of templates as functions of a value that know no record."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from t2t.errors import DataError, TemplateError
from t2t.linear.scope import Expression
from t2t.structures import Json

Reader: TypeAlias = Callable[[Json], Json]


class Mismatch(Exception):
    """A value is not what an expression or adapter needs; the caller knows the record and tells the user."""

    def __init__(self, found: str, todo: str) -> None:
        super().__init__(found, todo)
        self.found = found
        self.todo = todo


def compile_expression(text: Json, where: str) -> Reader:
    """What reads the value of a JMESPath expression out of a JSON value, by the rules of ``linear.scope.Expression``.

    A plain name must be there: the reader raises Mismatch when it is not. Any other expression gives None for what
    is absent. Raises TemplateError for what is no expression.
    """
    if not isinstance(text, str):
        raise TemplateError(where, f"{text!r} is no JMESPath expression", "write a field's name or a path")
    expression = Expression(text, where)

    def read(value: Json) -> Json:
        try:
            return expression.read(value, "")
        except DataError as error:
            raise Mismatch(error.found, error.todo) from None

    return read


def describe(value: Json) -> str:
    """A value for a message, shortened."""
    shown = "null" if value is None else repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."

"""The adapter for lists whose items hold what needs adapters of their own."""

from __future__ import annotations

from t2t.linear.scope import kind_of
from t2t.structures import Json
from t2t.tasks.expressions import Mismatch, Reader
from t2t.tasks.fields.compile import compile_field
from t2t.tasks.fields.registry import ADAPTERS, Arguments


@ADAPTERS.register("map")
def mapped(arguments: Arguments) -> Reader:
    """``map: {NAME: FIELD, ...}``: each item of a list as an object of fields that are read from the item.

    A FIELD is what stands under a template's ``fields:``: an expression, an adapter, or a chain. Arguments of events
    that are an object inside a list: ``map: {type: type, args: {items: {of: arguments, key: role, value: text}}}``.
    """
    readers = {
        str(name): compile_field(value, arguments.base, f"{arguments.where}: {name}", arguments.files)
        for name, value in arguments.rest().items()
    }
    if not readers:
        raise arguments.wrong("names no field", "write {NAME: FIELD}")

    def apply(value: Json) -> list[dict[str, Json]]:
        if not isinstance(value, list):
            raise Mismatch(f"a list is needed, found {kind_of(value)}", "name the list in the step before map:")
        return [{name: read(item) for name, read in readers.items()} for item in value]

    return apply

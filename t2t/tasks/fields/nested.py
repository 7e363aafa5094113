"""The adapter for lists whose items hold what needs adapters of their own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

from t2t.linear.scope import kind_of
from t2t.structures import Json
from t2t.tasks.expressions import Mismatch, Reader
from t2t.tasks.fields.adapter import ADAPTERS, AdapterArguments, need_object
from t2t.tasks.fields.compile import compile_field

_MOST_CHOICES = 1024  # lists that one record's alternatives may make: ten items with two values each


@ADAPTERS.register("map")
def mapped(arguments: AdapterArguments) -> Reader:
    """``map: {NAME: FIELD, ...}``: each item of a list as an object of fields that are read from the item.

    A FIELD is what is under a template's ``fields:``: an expression, an adapter, or a chain. Arguments of events
    that are an object inside a list: ``map: {type: type, args: {items: {of: arguments, key: role, value: text}}}``.
    In the form ``map: {of: EXPRESSION, fields: {NAME: FIELD, ...}}`` the list is named here, and items see their whole
    record as ``parent``; one that is no object is ``item``.
    """
    whole = arguments.has("of", "fields")
    read = arguments.needed("of") if whole else None
    given = (arguments.mapping("fields") or {}) if whole else arguments.rest()
    arguments.finish()
    readers = {
        str(name): compile_field(value, arguments.base, f"{arguments.where}: {name}", arguments.files)
        for name, value in given.items()
    }
    if not readers:
        raise arguments.wrong("names no field", "write {NAME: FIELD}")

    def apply(value: Json) -> list[dict[str, Json]]:
        items = value if read is None else read(value)
        if not isinstance(items, list):
            raise Mismatch(f"a list is needed, found {kind_of(items)}", "name the list in the step before map:")
        if read is not None:
            items = [{**(item if isinstance(item, dict) else {"item": item}), "parent": value} for item in items]
        return [{name: find(item) for name, find in readers.items()} for item in items]

    return apply


@ADAPTERS.register("unfold")
def unfold(arguments: AdapterArguments) -> Reader:
    """``unfold: {of: EXPRESSION, names: [NAME, ...]}``: objects inside objects as one list of flat items.

    Each level but the last gives its keys a NAME, the last NAME is for what is inside; where that is a list, each
    of its elements makes an item. ``{person: {Ada: [[0, 3]]}}`` with ``names: [type, text, place]`` is
    ``[{type: person, text: Ada, place: [0, 3]}]``.
    """
    read, names = arguments.value(), arguments.texts("names", [])
    arguments.finish()
    if len(names) < 2:
        raise arguments.wrong("names: has fewer than two", "name the keys of each level, and what stands inside")

    def walk(value: Json, left: list[str]) -> Iterator[dict[str, Json]]:
        if len(left) == 1:
            yield from ({left[0]: item} for item in (value if isinstance(value, list) else [value]))
            return
        for key, inner in need_object(value).items():
            yield from ({left[0]: key, **item} for item in walk(inner, left[1:]))

    return lambda value: list(walk(read(value), names))


@ADAPTERS.register("alternatives")
def alternatives(arguments: AdapterArguments) -> Reader:
    """``alternatives: {of: LIST, in: NAME}``: all lists of items that several acceptable values stand for.

    An item whose NAME holds a list stands for as many items as that has values: ``[{slot: area, value: [centre, city
    centre]}]`` with ``in: value`` is ``[[{slot: area, value: centre}], [{slot: area, value: city centre}]]``. The first
    list is the gold that is learned, all of them are ``references:``. An item with an empty list is left out.
    """
    read, name = arguments.value(), arguments.maybe_text("in")
    arguments.finish()
    if name is None:
        raise arguments.wrong("in: is missing", "name the key that may hold several values")

    def choices(item: Json) -> list[dict[str, Json]]:
        given = need_object(item).get(name)
        values = given if isinstance(given, list) else [given]
        return [{**item, name: value} for value in values]

    def apply(value: Json) -> list[list[dict[str, Json]]]:
        items = read(value)
        if not isinstance(items, list):
            raise Mismatch(f"a list is needed, found {kind_of(items)}", "name the list of items in of:")
        several = [found for found in map(choices, items) if found]
        lists = list(islice(product(*several), _MOST_CHOICES + 1))
        if len(lists) > _MOST_CHOICES:
            raise Mismatch(f"the values of {name!r} make more than {_MOST_CHOICES} lists", "keep fewer values an item")
        return [list(one) for one in lists]

    return apply

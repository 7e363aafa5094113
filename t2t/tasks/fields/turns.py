"""Adapters for dialogues: turns as text, and dialogue states as lists."""

from __future__ import annotations

from collections.abc import Iterator

from t2t.structures import Json
from t2t.tasks.expressions import Mismatch, Reader, describe
from t2t.tasks.fields.adapter import ADAPTERS, AdapterArguments, need_object, need_objects, need_text


@ADAPTERS.register("turns")
def turns(arguments: AdapterArguments) -> Reader:
    """``turns: {of: EXPRESSION, speaker: speaker, text: text, between: " "}``: a list of turns as "speaker: text ...".

    ``speakers: [user, system]`` names the speakers by turns where the turns do not say who speaks.
    """
    read, between = arguments.value(), arguments.text("between", " ")
    speaker, text = arguments.text("speaker", "speaker"), arguments.text("text", "text")
    named = arguments.texts("speakers", [])
    arguments.finish()

    def apply(value: Json) -> str:
        parts = []
        for index, turn in enumerate(need_objects(read(value))):
            who = named[index % len(named)] if named else need_text(turn.get(speaker))
            parts.append(f"{who}: {need_text(turn.get(text))}")
        return between.join(parts)

    return apply


@ADAPTERS.register("state")
def state(arguments: AdapterArguments) -> Reader:
    """``state: {of: EXPRESSION, hide: [], ignore: [], drop: [""]}``: nested objects as [{"slot", "value"}, ...].

    The slot is the path of keys, joined by spaces ("hotel price range" is {hotel: {price range: ...}}), without the
    keys of ``hide``; what is under a key of ``ignore`` is left out, and so are values in ``drop``. A list of texts
    gives one item for each. MultiWOZ: ``hide: [semi, book]``, ``ignore: [booked]``, ``drop: ["", not mentioned]``.
    """
    read = arguments.value()
    hide, ignore, drop = arguments.texts("hide", []), arguments.texts("ignore", []), arguments.texts("drop", [""])
    arguments.finish()

    def walk(path: tuple[str, ...], value: Json) -> Iterator[dict[str, str]]:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key not in ignore:
                    yield from walk(path if key in hide else (*path, key), inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(path, inner)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            if str(value) not in drop:
                yield {"slot": " ".join(path), "value": str(value)}
        else:
            raise Mismatch(f"slot {' '.join(path)!r} holds {describe(value)}", "name its key under ignore:")

    return lambda value: list(walk((), need_object(read(value))))

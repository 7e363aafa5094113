"""Adapters for the E2E restaurant data: one form for its raw and its tokenised copy."""

from __future__ import annotations

import re

from t2t.structures import Json
from t2t.tasks.expressions import Mismatch, Reader, describe
from t2t.tasks.fields.adapter import ADAPTERS, AdapterArguments, need_text

_TOKENISED = re.compile(r"__start_(\w+?)__ (.*?) __end_\1__(?: |$)")
_RAW = re.compile(r"([^\[\],]+)\[([^\]]*)\](?:, *|$)")
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# The tokenised copy has lost the space of this one slot.
_LOST_SPACE = {"customerrating": "customer rating"}


@ADAPTERS.register("meaning_representation")
def meaning_representation(arguments: AdapterArguments) -> Reader:
    """``meaning_representation: EXPRESSION``: ``name[Blue Spice], priceRange[£20-25]`` or its tokenised form as
    ``[{"slot": "name", "value": "Blue Spice"}, {"slot": "price range", "value": "£20-25"}]``; both give the same."""
    read = arguments.value()
    arguments.finish()

    def apply(value: Json) -> list[dict[str, str]]:
        text = need_text(read(value)).strip()
        pattern = _TOKENISED if text.startswith("__start_") else _RAW
        slots: list[dict[str, str]] = []
        end = 0
        while end < len(text):
            found = pattern.match(text, end)
            if found is None:
                raise Mismatch(
                    f"no meaning representation: {describe(text[end:])}", "it must be slot[value], slot[value]"
                )
            slots.append({"slot": _words(found[1].strip()), "value": detokenized(found[2])})
            end = found.end()
        return slots

    return apply


def _words(slot: str) -> str:
    return _LOST_SPACE.get(slot) or _CAPITAL.sub(" ", slot).lower()


@ADAPTERS.register("detokenize")
def detokenize(arguments: AdapterArguments) -> Reader:
    """``detokenize: EXPRESSION``: tokenised English as it is written, without a tail of ``<eos>|||...``."""
    read = arguments.value()
    arguments.finish()
    return lambda value: detokenized(need_text(read(value)).partition("<eos>")[0].strip())


_RULES = [
    (re.compile(r" (?=[.,;:!?](?: |$))"), ""),
    (re.compile(r" (?='(?:s|t|re|ll|ve|d|m)\b)"), ""),
    (re.compile(r"(?<=\w) - (?=\w)"), "-"),
    (re.compile(r"£ (?=\d)"), "£"),
    (re.compile(r"(?<=\d)- (?=£)"), "-"),
]


def detokenized(text: str) -> str:
    """Spaces taken out where English has none: before punctuation, in clitics, at hyphens, after the pound sign."""
    for pattern, put in _RULES:
        text = pattern.sub(put, text)
    return text

"""Relations, by string or by offset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from t2t.metrics.metric import METRICS, Metric, MetricArguments
from t2t.metrics.spans import MicroF1
from t2t.metrics.values import Key, Look, Missing, Surface, place, plain
from t2t.structures import Value


@dataclass(frozen=True, slots=True)
class TypedByMentions(MicroF1):
    """Relations whose ends have the types that mentions of the same value have there; None for what is no mention.

    ``kinds``: the type of each mention of a value, by its surface. The first and third part of a tuple are the ends.
    """

    kinds: Callable[[Value | Missing, Look], dict[Key, Key]] = lambda value, look: {}

    def _keys(self, value: Value | Missing, look: Look) -> list[Key]:
        kinds = self.kinds(value, look)
        found = [key for item in look.items(value, self.over) for key in self.tuples(item, look)]
        return [(*key, kinds.get(key[0]), kinds.get(key[2])) for key in found if isinstance(key, tuple)]


def _relations(arguments: MetricArguments, surface: Surface) -> Metric:
    arguments.only("over", "head", "relation", "tail", "head_type", "tail_type", "mentions", "span", "type")
    head, relation, tail = (arguments.word(key, key) for key in ("head", "relation", "tail"))
    types = [kind for key in ("head_type", "tail_type") if (kind := arguments.optional(key))]

    def tuples(item: Value, look: Look) -> list[Key]:
        ends = surface(look.at(item, head)), plain(look.at(item, relation)), surface(look.at(item, tail))
        return [(*ends, *(plain(look.at(item, kind)) for kind in types))]

    over, mentions = arguments.word("over", ""), arguments.optional("mentions")
    if mentions is not None:
        kinds = _kinds(mentions, arguments.word("span", "text"), arguments.word("type", "type"), surface)
        return TypedByMentions(arguments.name, over, arguments.where, tuples, detail="strict", kinds=kinds)
    detail = "strict" if len(types) == 2 else "boundary" if not types else f"boundary+{types[0]}"
    return MicroF1(arguments.name, over, arguments.where, tuples, detail=detail)


def _kinds(over: str, span: str, kind: str, surface: Surface) -> Callable[[Value | Missing, Look], dict[Key, Key]]:
    def kinds(value: Value | Missing, look: Look) -> dict[Key, Key]:
        return {surface(look.at(one, span)): plain(look.at(one, kind)) for one in look.items(value, over)}

    return kinds


@METRICS.register("relation_f1")
def relation_f1(arguments: MetricArguments) -> Metric:
    """``relation_f1: {over, head, relation, tail, head_type, tail_type}``: F1 on (head text, relation, tail text).

    ``head_type`` and ``tail_type`` name the keys of the ends' types, which then must be right as well: with both the
    score is the strict one of the field, with neither the boundary one. Where the types are in a list of mentions
    beside the relations, ``mentions`` names that list, ``span`` (text) and ``type`` (type) the keys of its items:
    strict too. The signature says which.
    """
    return _relations(arguments, plain)


@METRICS.register("relation_f1_offset")
def relation_f1_offset(arguments: MetricArguments) -> Metric:
    """The same with each end by (start, end)."""
    return _relations(arguments, place)

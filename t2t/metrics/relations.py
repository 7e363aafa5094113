"""Relations, by string or by offset."""

from __future__ import annotations

from t2t.metrics.base import METRICS, Arguments, Metric
from t2t.metrics.spans import MicroF1
from t2t.metrics.values import Key, Look, Surface, place, plain
from t2t.structures import Value


def _relations(arguments: Arguments, surface: Surface) -> Metric:
    arguments.only("over", "head", "relation", "tail", "head_type", "tail_type")
    head, relation, tail = (arguments.word(key, key) for key in ("head", "relation", "tail"))
    types = [kind for key in ("head_type", "tail_type") if (kind := arguments.optional(key))]

    def tuples(item: Value, look: Look) -> list[Key]:
        ends = surface(look.at(item, head)), plain(look.at(item, relation)), surface(look.at(item, tail))
        return [(*ends, *(plain(look.at(item, kind)) for kind in types))]

    detail = "strict" if len(types) == 2 else "boundary" if not types else f"boundary+{types[0]}"
    return MicroF1(arguments.name, arguments.word("over", ""), arguments.where, tuples, detail=detail)


@METRICS.register("relation_f1")
def relation_f1(arguments: Arguments) -> Metric:
    """``relation_f1: {over, head, relation, tail, head_type, tail_type}``: F1 on (head text, relation, tail text).

    ``head_type`` and ``tail_type`` name the keys of the ends' types, which then must be right as well: with both the
    score is the strict one of the field, with neither the boundary one. The signature says which.
    """
    return _relations(arguments, plain)


@METRICS.register("relation_f1_offset")
def relation_f1_offset(arguments: Arguments) -> Metric:
    """The same with each end by (start, end)."""
    return _relations(arguments, place)

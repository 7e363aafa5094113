"""Events: triggers, arguments, and both together."""

from __future__ import annotations

from collections.abc import Callable

from t2t.metrics.metric import METRICS, Metric, MetricArguments
from t2t.metrics.spans import MicroF1
from t2t.metrics.values import Key, Look, Surface, place, plain
from t2t.structures import Value

_KEYS = ("trigger", "type", "args", "role", "text")
_Tuples = Callable[[Value, Look], list[Key]]


def _events(arguments: MetricArguments, tuples: _Tuples) -> Metric:
    arguments.only("over", *_KEYS)
    return MicroF1(arguments.name, arguments.word("over", ""), arguments.where, tuples)


def _triggers(arguments: MetricArguments, surface: Surface) -> _Tuples:
    kind, trigger = (arguments.word(key, key) for key in ("type", "trigger"))
    return lambda event, look: [(plain(look.at(event, kind)), surface(look.at(event, trigger)))]


def _arguments(arguments: MetricArguments, surface: Surface, *, bound: bool) -> _Tuples:
    """(type, role, place of the argument) of each argument; ``bound``: the trigger too, so that it must be right."""
    trigger, kind, args, role, text = (arguments.word(key, key) for key in _KEYS)

    def tuples(event: Value, look: Look) -> list[Key]:
        head = (plain(look.at(event, kind)), *([surface(look.at(event, trigger))] if bound else []))
        items = look.items(event, args)
        return [("argument", *head, plain(look.at(item, role)), surface(look.at(item, text))) for item in items]

    return tuples


@METRICS.register("event_trigger_f1")
def event_trigger_f1(arguments: MetricArguments) -> Metric:
    """``event_trigger_f1: {over, trigger, type, args, role, text}``: F1 on (type, trigger text)."""
    return _events(arguments, _triggers(arguments, plain))


@METRICS.register("event_trigger_f1_offset")
def event_trigger_f1_offset(arguments: MetricArguments) -> Metric:
    """The same with the trigger by (start, end)."""
    return _events(arguments, _triggers(arguments, place))


@METRICS.register("event_argument_f1")
def event_argument_f1(arguments: MetricArguments) -> Metric:
    """``event_argument_f1: {over, trigger, type, args, role, text}``: F1 on (event type, role, argument text)."""
    return _events(arguments, _arguments(arguments, plain, bound=False))


@METRICS.register("event_argument_f1_offset")
def event_argument_f1_offset(arguments: MetricArguments) -> Metric:
    """The same with the argument by (start, end)."""
    return _events(arguments, _arguments(arguments, place, bound=False))


@METRICS.register("event_f1")
def event_f1(arguments: MetricArguments) -> Metric:
    """``event_f1: {over, trigger, type, args, role, text}``: F1 on triggers and arguments together.

    An argument is (type, trigger, role, text) here: it counts with its own event only.
    """

    heads, roles = _triggers(arguments, plain), _arguments(arguments, plain, bound=True)
    return _events(arguments, lambda event, look: [*heads(event, look), *roles(event, look)])

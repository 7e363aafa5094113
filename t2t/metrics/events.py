"""Events: triggers, arguments, and both together."""

from __future__ import annotations

from t2t.metrics.base import METRICS, Arguments, Metric
from t2t.metrics.spans import MicroF1
from t2t.metrics.values import Key, Look, plain
from t2t.structures import Value


def _events(arguments: Arguments, *, triggers: bool, roles: bool) -> Metric:
    arguments.only("over", "trigger", "type", "args", "role", "text")
    trigger, kind, args, role, text = (arguments.word(key, key) for key in ("trigger", "type", "args", "role", "text"))

    def tuples(event: Value, look: Look) -> list[Key]:
        head = plain(look.at(event, kind)), plain(look.at(event, trigger))
        found: list[Key] = [("trigger", *head)] if triggers else []
        for item in look.items(event, args) if roles else ():
            found.append(("argument", *head, plain(look.at(item, role)), plain(look.at(item, text))))
        return found

    return MicroF1(arguments.name, arguments.word("over", ""), arguments.where, tuples)


@METRICS.register("event_trigger_f1")
def event_trigger_f1(arguments: Arguments) -> Metric:
    """``event_trigger_f1: {over, trigger, type, args, role, text}``: F1 on (type, trigger)."""
    return _events(arguments, triggers=True, roles=False)


@METRICS.register("event_argument_f1")
def event_argument_f1(arguments: Arguments) -> Metric:
    """``event_argument_f1: {over, trigger, type, args, role, text}``: F1 on (type, trigger, role, argument text)."""
    return _events(arguments, triggers=False, roles=True)


@METRICS.register("event_f1")
def event_f1(arguments: Arguments) -> Metric:
    """``event_f1: {over, trigger, type, args, role, text}``: F1 on trigger and argument tuples together."""
    return _events(arguments, triggers=True, roles=True)

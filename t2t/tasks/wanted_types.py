"""Schema-conditioned extraction: the prompt lists the wanted types, the target holds those only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from t2t.config.template import Types
from t2t.draws import chance_of
from t2t.errors import RunFileError, TemplateError
from t2t.linear.node_kinds import closed_keys
from t2t.linear.target import Target
from t2t.registry import did_you_mean
from t2t.structures import Json, Value
from t2t.text import fold


class WantedTypes:
    """The types that are asked for, and the part of a gold value that has them.

    In training each type of the gold is asked for with the chance ``keep`` and each other type with the chance
    ``negatives``, as a function of (seed, epoch, id); at least one is. In evaluation all are.
    """

    def __init__(self, settings: Types, target: Target, name: str, where: str) -> None:
        single = [path for path, node in target.nodes.items() if node.labels() and not node.many and path]
        path = settings.node or (single[0] if len(single) == 1 else None)
        if path is None or path not in single:
            todo = did_you_mean(path, single) if path and single else "write types: {node: PATH} of a label node"
            raise TemplateError(where, f"types: finds no label node {path or ''!r} of a list", todo)
        self.settings = settings
        self.task = name
        self.path = path
        self.node = target.nodes[path]
        self.words: Mapping[Json, str] = self.node.labels()

    @property
    def placeholder(self) -> str:
        """What stands for the types in a prompt."""
        return f"{self.path.rpartition('.')[2]}.labels"

    def wanted(self, gold: Value, id_: str, seed: int, epoch: int | None) -> list[Json]:
        """The types that the prompt of an example asks for, in declared order."""
        if epoch is None:
            return list(self.words)
        there = set(_found(gold, self.path.split(".")))
        points = {kind: chance_of(seed, epoch, self.task, id_, kind) for kind in self.words}
        chance = {True: self.settings.keep, False: self.settings.negatives}
        chosen = [kind for kind, point in points.items() if point < chance[kind in there]]
        return chosen or [min(points, key=lambda kind: points[kind])]

    def shown(self, wanted: Sequence[Json]) -> str:
        """The words of types, as the prompt lists them."""
        return ", ".join(self.words[kind] for kind in wanted)

    def only(self, gold: Value, wanted: Sequence[Json]) -> Value:
        """``gold`` without the items of other types."""
        return _kept(gold, self.path.split("."), set(wanted))

    def asked(self, words: Sequence[str], where: str) -> dict[Json, str]:
        """The label set of a user's own types: a known type by its words or its value, any other as it is written."""
        known = {fold(said): kind for kind, said in self.words.items()}
        known = {fold(str(kind)): kind for kind in self.words} | known
        asked = {known.get(fold(word), word): word for word in words if word.strip()}
        if not asked:
            raise RunFileError(where, "names no type", 'write e.g. --types "drug, dose"')
        return asked


def with_set(spec: Json, path: Sequence[str | int], labels: dict[Json, str]) -> dict[str, Any]:
    """A target whose label node at ``path`` has another closed set."""
    if not path:
        return {**spec, **dict.fromkeys(closed_keys(spec), labels)}
    return {**spec, path[0]: with_set(spec[path[0]], path[1:], labels)}


def _found(value: Value, path: Sequence[str]) -> Iterator[Json]:
    if isinstance(value, list):
        for item in value:
            yield from _found(item, path)
    elif isinstance(value, dict) and path[0] in value:
        if len(path) == 1:
            yield value[path[0]]
        else:
            yield from _found(value[path[0]], path[1:])


def _kept(value: Value, path: Sequence[str], wanted: set[Json]) -> Value:
    if isinstance(value, list):
        items = [item for item in value if len(path) > 1 or not isinstance(item, dict) or item[path[0]] in wanted]
        return [_kept(item, path, wanted) for item in items]
    if isinstance(value, dict) and len(path) > 1 and path[0] in value:
        return {**value, path[0]: _kept(value[path[0]], path[1:], wanted)}
    return value

"""One kind of registry for everything that a file names: sources, adapters, metrics, nodes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from t2t.errors import InputError

T = TypeVar("T")
_LISTED = 40  # names in a hint


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt word: ``did you mean 'x'?``, or the list of what is known."""
    names, word = sorted(known), str(word)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if len(names) > _LISTED:
        return f"use one of: {', '.join(names[:_LISTED])} and {len(names) - _LISTED} more"
    return "use one of: " + ", ".join(names) if names else "leave it out, there is none to name"


class Registry(Generic[T]):
    """Names to things of one kind, with a hint when a name is unknown.

    ``group``: the entry points by which other packages bring things of this kind: the name of each is that of its
    thing, and loading it registers the thing or gives it. ``elsewhere``: names that a module registers when it is
    imported, which happens when they are asked for.
    """

    def __init__(self, kind: str, group: str = "", elsewhere: Mapping[str, str] | None = None) -> None:
        self.kind, self.group, self.elsewhere = kind, group, dict(elsewhere or {})
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorate a thing to make it known under ``name``; a name is given once."""

        def add(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._items[name] = item
            return item

        return add

    def get(self, name: str, where: str, error: type[InputError] = InputError) -> T:
        """The thing called ``name``; ``error`` names ``where`` and the closest known name."""
        if name not in self._items and not self._load(name):
            known = {*self.names(), *(point.name for point in self._points())}
            raise error(where, f"unknown {self.kind} {name!r}", did_you_mean(name, known))
        return self._items[name]

    def check(self, name: str, where: str, error: type[InputError] = InputError) -> None:
        """As ``get``, without loading what t2t itself brings."""
        if name not in self.names():
            self.get(name, where, error)

    def knows(self, name: str) -> bool:
        """True for a name that ``get`` gives."""
        return name in self._items or self._load(name)

    def names(self) -> list[str]:
        """All names that t2t itself knows, sorted."""
        return sorted({*self._items, *self.elsewhere})

    def _points(self) -> Iterable[EntryPoint]:
        return entry_points(group=self.group) if self.group else ()

    def _load(self, name: str) -> bool:
        """Look for ``name`` where it is registered when it is asked for; True if it is known now."""
        if name in self.elsewhere:
            import_module(self.elsewhere[name])
        for point in self._points():
            if point.name == name and name not in self._items:
                brought = point.load()
                self._items.setdefault(name, brought)
        return name in self._items

"""Exemplars in front of a prompt: solved examples of the training split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from t2t.config.template import FewShot
from t2t.draws import number_of
from t2t.errors import DataError
from t2t.structures import Example

Render = Callable[[Example, int], tuple[str, str]]


class Exemplars:
    """Draws and writes exemplars.

    Args:
        settings: how many, and how a pair of prompt and target is written.
        name: of the task; part of what the draw depends on.
        pool: gives the examples to draw from; read once, when first needed, and held in memory.
        render: prompt and target of an example in the wording of a number.
    """

    def __init__(self, settings: FewShot, name: str, pool: Callable[[], Iterable[Example]], render: Render) -> None:
        self.settings = settings
        self.name = name
        self._read = pool
        self._render = render

    @cached_property
    def _pool(self) -> list[Example]:
        pool = list(self._read())
        if not pool:
            raise DataError(self.name, "few_shot: finds no example to draw from", "correct source:, or from:")
        return pool

    def draw(self, example: Example, seed: int, epoch: int | None) -> list[Example]:
        """``k`` different exemplars, a function of (seed, epoch, id); fewer where there are not so many.

        Never the example itself, nor one whose prompt is the same.
        """
        taken: set[int] = set()
        chosen: list[Example] = []
        own, _ = self._render(example, 0)
        while len(chosen) < self.settings.k and len(taken) < len(self._pool):
            place = number_of(seed, epoch, self.name, example.id, len(taken)) % len(self._pool)
            while place in taken:
                place = (place + 1) % len(self._pool)
            taken.add(place)
            found = self._pool[place]
            if found.id != example.id and self._render(found, 0)[0] != own:
                chosen.append(found)
        return chosen

    def before(self, prompt: str, example: Example, wording: int, seed: int, epoch: int | None) -> str:
        """``prompt`` behind its exemplars, which are in the same wording; it ends where its target would begin."""
        pairs = [self._render(found, wording) for found in self.draw(example, seed, epoch)]
        return in_front(prompt, pairs, self.settings)


class KeptExemplars(Exemplars):
    """The same from solved examples that were written down, where their data are no longer at hand."""

    def __init__(self, settings: FewShot, name: str, solved: Sequence[tuple[str, str]]) -> None:
        super().__init__(settings, name, list, lambda example, wording: ("", ""))
        self._solved = list(solved)

    def before(self, prompt: str, example: Example, wording: int, seed: int, epoch: int | None) -> str:
        others = [pair for pair in self._solved if pair[0] != prompt]
        first = number_of(seed, epoch, self.name, example.id) % max(1, len(others))
        chosen = [*others[first:], *others[:first]][: self.settings.k]
        return in_front(prompt, chosen, self.settings)


def in_front(prompt: str, pairs: Sequence[tuple[str, str]], settings: FewShot) -> str:
    """``prompt`` behind solved examples, each a prompt and a target; it ends where its target would begin."""
    shown = [_written(settings.as_, *pair) for pair in pairs]
    return settings.between.join([*shown, _written(settings.as_.partition("{target}")[0].rstrip(), prompt, "")])


def _written(form: str, prompt: str, target: str) -> str:
    """The pair in its form; what is in them is never taken for a placeholder."""
    head, _, tail = form.partition("{prompt}")
    middle, _, end = tail.partition("{target}")
    return f"{head}{prompt}{middle}{target}{end}"

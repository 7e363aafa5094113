"""Which requests are decoded together, and what memory has room for."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from t2t.errors import InputError
from t2t.generation.engine import Decoded, Engine, Search
from t2t.model.memory import free_memory, is_out_of_memory

WINDOW = 4096  # requests that are sorted together
T = TypeVar("T")
R = TypeVar("R")


def plan_batches(lengths: Sequence[int], batch_tokens: Callable[[], int], window: int = WINDOW) -> Iterator[list[int]]:
    """Batches of positions: within each window of ``window`` requests, longest first, rows x longest <= batch_tokens.

    ``lengths`` are of prompt and output together, for the caches of a decoder grow with both. Every position is in
    one batch. A request longer than ``batch_tokens``, which is asked for before each batch, is a batch of its own. All
    batches but the last of a window fill the budget, so their caches are about equally large; the shortest have the
    most rows.
    """
    for start in range(0, len(lengths), window):
        positions = sorted(range(start, min(start + window, len(lengths))), key=lambda p: (-lengths[p], p))
        while positions:
            rows = max(1, batch_tokens() // max(1, lengths[positions[0]]))
            yield positions[:rows]
            positions = positions[rows:]


def in_batches(
    engine: Engine, prompts: Sequence[Sequence[int]], search: Search, room: Callable[[], int], reserved: int
) -> Iterator[list[tuple[int, Decoded]]]:
    """``Engine.stream`` for an engine that decodes batch by batch."""
    for places in plan_batches([len(prompt) + reserved for prompt in prompts], room):
        keys = tuple(search.keys[place] for place in places) if search.keys else ()
        found = engine.decode([prompts[place] for place in places], replace(search, keys=keys))
        yield list(zip(places, found, strict=True))


def in_batches_ahead(
    begin: Callable[[list[Sequence[int]]], Callable[[], list[Decoded]]],
    prompts: Sequence[Sequence[int]],
    room: Callable[[], int],
    reserved: int,
    ahead: int,
) -> Iterator[list[tuple[int, Decoded]]]:
    """``Engine.stream`` for an engine that computes batches in the background, ``ahead`` of which have begun at once.

    ``begin`` begins one and gives what waits for its outputs. The batches, and their order, are those of
    ``in_batches``. Where one fails, what the others that have begun give comes before its error.
    """
    waiting: deque[tuple[list[int], Callable[[], list[Decoded]]]] = deque()

    def first() -> Iterator[list[tuple[int, Decoded]]]:
        places, outputs = waiting.popleft()
        try:
            found = outputs()
        except Exception:
            # It is raised below. Who asks for more after it, as where memory ran out, should not have the others
            # computed again, nor beside what is computed still; of these an error comes again with what it kept.
            for others, theirs in waiting:
                with suppress(Exception):
                    yield list(zip(others, theirs(), strict=True))
            raise
        yield list(zip(places, found, strict=True))

    for places in plan_batches([len(prompt) + reserved for prompt in prompts], room):
        if len(waiting) == ahead:
            yield from first()
        waiting.append((places, begin([prompts[place] for place in places])))
    while waiting:
        yield from first()


class Room:
    """How large batches may be, in tokens: as is asked for, and half of the smallest that found no memory."""

    def __init__(self) -> None:
        self._most: int | None = None

    def tokens(self, asked: int) -> int:
        """What a batch may have that is to have at most ``asked``."""
        return asked if self._most is None else min(asked, self._most)

    def run(
        self, batch: Sequence[T], size_of: Callable[[Sequence[T]], int], work: Callable[[Sequence[T]], list[R]]
    ) -> list[R]:
        """What ``work`` gives for each of ``batch``; where memory runs out it is given halves, one after the other.

        ``size_of``: the tokens of a batch. A line on standard error tells of it. InputError where one alone finds none.
        """
        waiting, found = [batch], list[R]()
        while waiting:
            part = waiting.pop()
            fits = len(part) == 1 or self.tokens(size_of(part)) == size_of(part)
            done = _within_memory(part, work) if fits else None
            if done is not None:
                found += done
                continue
            if fits:
                self._shrink(len(part), size_of(part))
            half = (len(part) + 1) // 2
            waiting += [part[half:], part[:half]]
        return found

    def stream(
        self, sizes: Sequence[int], asked: int, work: Callable[[list[int]], Iterator[list[tuple[int, R]]]]
    ) -> Iterator[list[tuple[int, R]]]:
        """What ``work`` gives for places in ``sizes``, each with its place; where memory runs out it goes on with half
        of the room for those that are not done.

        ``sizes``: the tokens of each, the largest first. ``asked``: those of a batch.
        """
        waiting = list(range(len(sizes)))
        while waiting:
            done, found, failed = set[int](), work(waiting), False
            while not failed:
                try:
                    some = next(found, None)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    some, failed = None, True
                if some is None:
                    break
                several = [(waiting[place], one) for place, one in some]
                done.update(place for place, _ in several)
                yield several
            del found
            left = [place for place in waiting if place not in done]
            if left and not failed:
                raise RuntimeError(f"an engine gave no output for {len(left)} of {len(waiting)} prompts")
            if failed and left:
                free_memory()
                rows = min(len(left), max(1, self.tokens(asked) // sizes[left[0]]))
                if rows > 1 or not done:  # one that is left of several may find room alone
                    self._shrink(rows, rows * sizes[left[0]])
            waiting = left

    def _shrink(self, rows: int, size: int) -> None:
        if rows == 1:
            message = f"memory runs out with a single input of {size} tokens, prompt and output together"
            raise InputError("generate", message, "use precision: bf16, fewer beams or shorter lengths:")
        self._most = size // 2
        message = f"memory ran out with a batch of {rows} rows, {size} tokens; it is halved, as are those after it"
        print(f"t2t: {message} (generate.tokens: {self._most})", file=sys.stderr, flush=True)


def _within_memory(part: Sequence[T], work: Callable[[Sequence[T]], list[R]]) -> list[R] | None:
    """What ``work`` gives; None where memory ran out, and what it held is free again."""
    try:
        return work(part)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    free_memory()  # the frames of the error are gone from here on, and with them its tensors
    return None

"""The tokens of a prompt that say a record's own text, with their places in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from t2t.tasks.wording import PromptPlace


@dataclass(frozen=True, slots=True)
class Piece:
    """A token of a text, or several that share a character (bytes) or stand for the white space before one.

    ``tokens``: their places in the prompt's ids. ``start`` and ``end`` count characters of ``field`` as the record has
    it, end exclusive, outer white space left out.
    """

    field: str
    start: int
    end: int
    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """Tokens that belong together, by characters of the prompt."""

    start: int
    end: int
    tokens: tuple[int, ...]


def source_pieces(
    prompt: str, offsets: Sequence[tuple[int, int]], places: Sequence[PromptPlace], begins: Mapping[str, int]
) -> list[Piece]:
    """The pieces of all fields of a prompt, in its order.

    ``offsets``: the characters of the prompt that each of its tokens stands for, none for EOS. ``begins``: of a field
    that is read in windows, at which of its characters this one begins. A token that reaches over the edge of a field
    is cut there; of one that is in two, the first has it.
    """
    pieces: list[Piece] = []
    taken = -1
    for place in places:
        inside = [
            (max(start, place.start), min(end, place.end), token)
            for token, (start, end) in enumerate(offsets)
            if token > taken and start < place.end and end > max(start, place.start)
        ]
        taken = max((token for _, _, token in inside), default=taken)
        shift = place.left_out + begins.get(place.field, 0) - place.start
        pieces += [_piece(prompt, run, place.field, shift) for run in _runs(prompt, inside)]
    return pieces


def _runs(prompt: str, inside: Sequence[tuple[int, int, int]]) -> list[_Run]:
    """Tokens in runs: those that share a character, and white space with what follows it, at the end of a field with
    what is before it."""
    runs: list[_Run] = []
    for start, end, token in inside:
        if runs and (start < runs[-1].end or _blank(prompt, runs[-1])):
            runs[-1] = _joined(runs[-1], _Run(start, end, (token,)))
        else:
            runs.append(_Run(start, end, (token,)))
    if len(runs) > 1 and _blank(prompt, runs[-1]):
        runs[-2:] = [_joined(*runs[-2:])]
    return runs


def _joined(first: _Run, then: _Run) -> _Run:
    return _Run(first.start, max(first.end, then.end), first.tokens + then.tokens)


def _blank(prompt: str, run: _Run) -> bool:
    return prompt[run.start : run.end].isspace()


def _piece(prompt: str, run: _Run, field: str, shift: int) -> Piece:
    whole = prompt[run.start : run.end]
    text = whole.strip() or whole
    start = run.start + whole.index(text) + shift
    return Piece(field, start, start + len(text), text, run.tokens)

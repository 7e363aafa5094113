"""Weights that training leaves as they are, chosen by part of the model, by name or by depth."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from t2t.config.run import FreezeSettings
from t2t.errors import RunFileError
from t2t.model.seq2seq import Seat, Seq2Seq


def freeze_parts(model: Seq2Seq, freeze: FreezeSettings, where: Callable[[str], str]) -> list[str]:
    """Freeze what ``freeze`` says; gives the names. RunFileError for a pattern that names nothing, and where nothing is
    left to train."""
    seats = {name: model.seat(name) for name in model.parameters()}
    names = list(seats)
    chosen = {name for name, seat in seats.items() if _part(seat) in freeze.parts}
    for index, pattern in enumerate(freeze.names):
        found = {name for name in names if fnmatchcase(name, pattern)}
        if not found:
            message = f"freeze.names: no weight is called {pattern!r}"
            raise RunFileError(
                where(f"freeze.names.{index}"), message, f"names are like {names[1]}; * stands for anything"
            )
        chosen |= found
    if freeze.all_but_top is not None:
        chosen |= {name for name, seat in seats.items() if _is_below(seat, model, freeze.all_but_top)}
    if len(chosen) == len(names):
        raise RunFileError(where("freeze"), "nothing is left to train", "freeze less")
    for name, parameter in model.parameters().items():
        if name in chosen:
            parameter.requires_grad_(False)
    return sorted(chosen)


def thaw(model: Seq2Seq) -> list[str]:
    """Have all weights trained again; gives the names of those that were frozen."""
    frozen = [name for name, parameter in model.parameters().items() if not parameter.requires_grad]
    model.module.requires_grad_(True)
    return frozen


def _part(seat: Seat) -> str | None:
    """As ``freeze.parts`` calls it."""
    return "embedding" if seat.role == "shared" else seat.stack


def _is_below(seat: Seat, model: Seq2Seq, top: int) -> bool:
    """True for the embedding, and in each stack for all blocks but the last ``top``."""
    if seat.stack is None or seat.block is None:
        return seat.role == "shared"
    return seat.block < model.depth(seat.stack) - top

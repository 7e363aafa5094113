"""Attributions as one self-contained HTML page: the text of each record, shaded once for each item of its output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from t2t.explaining.deletion import DRAWS, Falls, holds
from t2t.explaining.explainer import AttributedText, Explained, Item
from t2t.explaining.gradients import adds_up
from t2t.explaining.source_pieces import Piece
from t2t.report.style import CSS

if TYPE_CHECKING:
    from jinja2 import Template

_FAINTEST = 0.02  # of the strongest weight: what is less stands unshaded
_SHADES = """
.line{display:grid;grid-template-columns:minmax(120px,220px) 1fr;gap:4px 16px;padding:8px 0;border-top:1px solid
var(--grid)}.line:first-of-type{border-top:0}.line b{overflow-wrap:anywhere}
.line small{display:block;color:var(--quiet)}
mark{color:inherit;border-radius:3px;padding:1px 0;background:color-mix(in srgb,var(--hue) var(--much),transparent)}
:root{--for:#f0a52e;--against:#7d9fe0}
@media(prefers-color-scheme:dark){:root{--for:#8f5a08;--against:#2f4f96}}
.for{--hue:var(--for)}.against{--hue:var(--against)}
@media(max-width:640px){.line{grid-template-columns:1fr}}
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Text that is shaded alike. ``side``: for, against, or nothing; ``much``: per cent of the strongest shade."""

    text: str
    side: str = ""
    much: int = 0
    nats: str = ""


@dataclass(frozen=True, slots=True)
class ShadedLine:
    """An item, and the fields of its record, shaded. ``missed``: the gap of weights that do not add up."""

    item: Item
    missed: str
    fields: tuple[tuple[str, tuple[Stretch, ...]], ...]


@dataclass(frozen=True, slots=True)
class DeletionCheck:
    """The deletion check, row by row as the page and the command print it."""

    holds: bool
    rows: tuple[tuple[str, ...], ...]


HEADINGS = ("deleted", "items", "top", "random", "top falls more")


def check_of(falls: Sequence[Falls]) -> DeletionCheck:
    """Mean falls in nats, and in how many of the items the top tokens matter more."""
    rows = [(str(one.size), str(one.items), f"{one.top:.2f}", f"{one.random:.2f}", f"{one.ahead:.0%}") for one in falls]
    return DeletionCheck(holds(falls), tuple(rows))


def page(task: str, model: str, explained: Sequence[Explained], falls: Sequence[Falls]) -> str:
    """The whole page; every text is escaped by the template. It loads nothing and runs no script."""
    records = [(one, [line_of(item) for item in one.items]) for one in explained]
    view = {"task": task, "model": model, "records": records, "check": check_of(falls), "headings": HEADINGS}
    return _template().render(**view, draws=DRAWS, css=CSS + _SHADES) + "\n"


def line_of(item: Item) -> ShadedLine:
    """An item with its fields in stretches."""
    strongest = max(map(abs, item.weights), default=0.0) or 1.0
    weighed = list(zip(item.pieces, (weight / strongest for weight in item.weights), item.weights, strict=True))
    fields = tuple((shown.field, tuple(_stretches(shown, weighed))) for shown in item.shown)
    right = adds_up(item.gap, item.score - item.without)
    return ShadedLine(item, "" if right else f"{item.gap:+.2f}", fields)


def _stretches(shown: AttributedText, weighed: Sequence[tuple[Piece, float, float]]) -> Iterator[Stretch]:
    """A field's text in order: pieces, and what is between them."""
    at = 0
    for piece, share, weight in weighed:
        start, end = piece.start - shown.start, piece.end - shown.start
        if piece.field != shown.field or start < at:
            continue
        if start > at:
            yield Stretch(shown.text[at:start])
        side = "" if abs(share) < _FAINTEST else "for" if share > 0 else "against"
        yield Stretch(shown.text[start:end], side, round(100 * abs(share)), f"{weight:+.3f}")
        at = end
    if at < len(shown.text):
        yield Stretch(shown.text[at:])


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("t2t.explaining"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("explain.html.j2")

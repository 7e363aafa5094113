"""The one table: columns as wide as their cells look in a terminal, where a Chinese character takes two."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO


def table(rows: Sequence[Sequence[str]], left: int = 1, rule: bool = False) -> list[str]:
    """The lines of ``rows``, all of one length, the first the heading.

    The first ``left`` columns stand flush left, the others right; ``rule``: a line under the heading. Lines are never
    cut or wrapped, however wide the terminal is, and end in no spaces.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    heading, *body = rows
    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for number, _ in enumerate(heading):
        drawn.add_column(justify="left" if number < left else "right", no_wrap=True)
    widths = [max(Text(row[number]).cell_len for row in rows) for number in range(len(heading))]
    for row in [heading, *([["-" * width for width in widths]] if rule else []), *body]:
        drawn.add_row(*map(Text, row))
    out = StringIO()
    Console(file=out, width=sum(widths) + 2 * len(widths) + 1, color_system=None, legacy_windows=False).print(drawn)
    return [line.rstrip() for line in out.getvalue().splitlines()]

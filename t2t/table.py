"""The one table: columns as wide as their cells look in a terminal, where a Chinese character takes two."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], left: int = 1, rule: bool = False) -> list[str]:
    """The lines of ``rows``, all of one length, the first the heading.

    The first ``left`` columns stand flush left, the others right; ``rule``: a line under the heading. Lines are never
    cut or wrapped, however wide the terminal is, and end in no spaces.
    """
    from rich.cells import cell_len  # its whole tables would double the time of `t2t list`

    heading, *body = rows
    widths = [max(cell_len(row[number]) for row in rows) for number in range(len(heading))]
    lines = []
    for row in [heading, *([["-" * width for width in widths]] if rule else []), *body]:
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            filled = " " * (width - cell_len(cell))
            cells.append(cell + filled if number < left else filled + cell)
        lines.append("  ".join(cells).rstrip())
    return lines

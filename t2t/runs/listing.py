"""``t2t list``: the tasks of the template library."""

from __future__ import annotations

from t2t.config.library import read_heads, template_files
from t2t.errors import InputError


def list_tasks() -> str:
    """A table of all tasks of the library: name, version, language, metrics, description."""
    columns = ("task", "version", "language", "metrics", "description")
    rows: list[tuple[str, ...]] = [columns]
    broken = []
    for name, path in sorted(template_files().items()):
        try:
            rows += [tuple(head[column] for column in columns) for head in read_heads(path)]
        except InputError as error:
            broken.append(f"{name}: {error}")
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
    return "\n".join(line.rstrip() for line in [*lines, *broken])

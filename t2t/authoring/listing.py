"""``t2t list``: the tasks of the template library."""

from __future__ import annotations

from t2t.config.shipped_files import read_heads, template_files
from t2t.errors import InputError
from t2t.table import table


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
    return "\n".join([*table(rows, left=len(columns)), *broken])

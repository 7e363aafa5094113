"""The format atlas: records made by rule from a seed, not read from files."""

from __future__ import annotations

from pathlib import Path

from t2t.tasks.sources.base import SOURCES, Source, Spec


@SOURCES.register("atlas")
def atlas(spec: Spec, base: Path, where: str) -> Source:
    """The demo's world; what ``spec`` may hold is told by ``t2t.tasks.atlas.make``."""
    from t2t.tasks.atlas import make

    return make(spec, base, where)

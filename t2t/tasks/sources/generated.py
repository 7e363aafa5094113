"""The format atlas: records made by rule from a seed, not read from files."""

from __future__ import annotations

from pathlib import Path

from t2t.errors import TemplateError
from t2t.tasks.sources.base import SOURCES, Source, Spec


@SOURCES.register("atlas")
def atlas(spec: Spec, base: Path, where: str) -> Source:
    """The demo's world; what ``spec`` may hold is told by ``t2t.tasks.atlas.make``."""
    try:
        from t2t.tasks.atlas import make
    except ModuleNotFoundError as error:
        if error.name != "babel":
            raise
        found = "the demo's data are made of names that Babel brings, which is not installed"
        raise TemplateError(where, found, 'install it: pip install "t2t[demo]"') from error
    return make(spec, base, where)

"""Where a new template goes, and what its task is called."""

from __future__ import annotations

import re
from pathlib import Path

from t2t.config.shipped_files import TEMPLATES, template_files
from t2t.config.template import TASK_NAME
from t2t.errors import TemplateError


def place_for(out: Path | None, family: str, stem: str) -> tuple[Path, list[str]]:
    """The file of the template, and a line where its name is another than that of the data.

    One that is not asked for never takes the name of a template of the library, which it would be before.
    """
    if out is not None:
        return out, _shadowed(out)
    name = slug(stem)
    taken = template_files(TEMPLATES)
    chosen = name if f"{family}/{name}" not in taken else f"my_{name}"
    remarks = [f"{family}/{name} is a template of the library: this one is called {chosen}"] if chosen != name else []
    return Path("task_templates") / family / f"{chosen}.yaml", remarks


def _shadowed(out: Path) -> list[str]:
    place = out.resolve()
    name = f"{place.parent.name}/{place.stem}"
    if name not in template_files(TEMPLATES) or place.parent.parent.name != "task_templates":
        return []
    return [f"{name} is a template of the library too: here this file is taken in its place"]


def slug(stem: str) -> str:
    """A name for a task: letters of any script, digits, _ - and ."""
    return re.sub(r"[^\w.-]+", "_", stem).strip("._-").lower() or "task"


def check_place(path: Path) -> None:
    """TemplateError for a place that is taken or is none for a template."""
    if path.exists():
        raise TemplateError(str(path), "the file is there already", "remove it, or give another --out")
    if path.suffix != ".yaml" or not path.resolve().parent.name:
        raise TemplateError(str(path), "no place for a template", "give --out FAMILY/NAME.yaml")
    place = path.resolve()
    if not re.fullmatch(TASK_NAME, f"{place.parent.name}/{place.stem}"):
        found = f"the task would be called {f'{place.parent.name}/{place.stem}'!r}"
        raise TemplateError(str(path), found, "use letters, digits, _, . and - only in --out FAMILY/NAME.yaml")

"""The files that come with t2t, and of the library of templates what they say of themselves, read in a blink."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from t2t.config.variants import Where, line_finder, of_variant, variants
from t2t.config.yaml_file import read_yaml
from t2t.errors import TemplateError

UNVERIFIED = "unverified"  # revision: of a data set of the hub whose commit nobody has seen
_PACKAGE = Path(__file__).resolve().parents[1]


def shipped(folder: str) -> Path:
    """A folder of files that come with t2t: beside the package in a clone, inside it where it is installed."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


TEMPLATES = shipped("task_templates")


def template_files(folder: Path | None = None) -> dict[str, Path]:
    """Task names and their files: those of the library and those in ./task_templates, which come first.

    NAME.run.yaml beside a template is the run file that ``t2t new`` writes for it.
    """
    folders = [folder] if folder else [TEMPLATES, Path("task_templates")]
    return {f"{path.parent.name}/{path.stem}": path for root in folders for path in _templates_in(root)}


def _templates_in(root: Path) -> list[Path]:
    return [path for path in sorted(root.glob("*/*.yaml")) if not path.name.endswith(".run.yaml")]


def read_heads(path: Path) -> list[dict[str, str]]:
    """Task, version, language, metrics and description of the tasks of a template file, nothing else of it checked.

    TemplateError, with FILE:LINE, where the file is no YAML or a head is incomplete.
    """
    data, lines = read_yaml(path, TemplateError)
    where = line_finder(str(path), lines)
    heads = []
    for variant in variants(data, where) or [None]:
        content = of_variant(data, variant, where)
        if missing := [key for key in ("task", "version", "source") if key not in content]:
            raise TemplateError(where(()), f"key {missing[0]!r} is missing", "add it")
        heads.append(_head(content, variant, where))
    return heads


def _head(content: Mapping[str, Any], variant: str | None, where: Where) -> dict[str, str]:
    languages, metrics = content.get("language", "en"), content.get("metrics")
    mark = " [revision unverified]" if is_unverified(content["source"]) else ""
    return {
        "task": f"{content['task']}/{variant}" if variant else str(content["task"]),
        "version": str(content["version"]),
        "language": ", ".join(map(str, languages if isinstance(languages, list) else [languages])),
        "metrics": ", ".join(metric_names(metrics if isinstance(metrics, list) else [], where)),
        "description": f"{content.get('description', '')}{mark}",
    }


def metric_names(metrics: Iterable[Any], where: Where) -> list[str]:
    """The names of the entries of ``metrics:``; TemplateError for one that is neither a name nor {NAME: ARGUMENTS}."""
    names = []
    for index, spec in enumerate(metrics):
        if isinstance(spec, dict) and len(spec) != 1:
            todo = "write a name, or one name with its arguments: {accuracy: {of: KEY}}"
            raise TemplateError(where(("metrics", index)), f"a metric is {spec!r}", todo)
        names.append(str(next(iter(spec)) if isinstance(spec, dict) else spec))
    return names


def is_unverified(source: Any) -> bool:
    """True if ``source``, or a part of it, is a data set of the hub whose revision nobody has seen."""
    if not isinstance(source, Mapping):
        return False
    parts = [source, *(part for part in source.values() if isinstance(part, Mapping))]
    return any(part.get("format") == "hub" and part.get("revision") == UNVERIFIED for part in parts)

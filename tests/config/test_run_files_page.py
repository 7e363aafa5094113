"""docs/run_files.md names every key of a run file, with the default that it has."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from t2t.config.run import DEFAULT_VOCABULARY
from t2t.config.run_file import RunFile

PAGE = (Path(__file__).parents[2] / "docs" / "run_files.md").read_text(encoding="utf-8")
ROWS = {key: default.strip() for key, default in re.findall(r"^\| `([\w.]+)` \|(.*?)\| ", PAGE, re.MULTILINE)}


def section(annotation: Any) -> type[BaseModel] | None:
    """The section that an annotation names: itself, in a list, or optional."""
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and not isinstance(one, UnionType) and issubclass(one, BaseModel):
            return one
    return None


def keys(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, str]]:
    """Every dotted key below ``model`` with its default as the page writes it."""
    for name, field in model.model_fields.items():
        key = f"{before}{field.alias or name}"
        inner = section(field.annotation)
        if inner is not None:
            yield from keys(inner, f"{key}.")
        if inner is None or field.is_required() or field.default is None:
            yield key, "" if field.is_required() else written(field.default)


def written(default: Any) -> str:
    if default is None:
        return "none"
    return yaml.safe_dump(default, default_flow_style=True).removesuffix("\n").removesuffix("\n...")


def test_every_key_stands_there_with_its_default() -> None:
    known = dict(keys(RunFile)) | {"allow_unverified": "false"}
    del known["model"], known["schedule"]  # their keys say what is needed
    assert ROWS.keys() - known.keys() == set()
    assert known.keys() - ROWS.keys() == set()
    assert {key: ROWS[key] for key in known if ROWS[key] != known[key]} == {}
    assert f"without it {DEFAULT_VOCABULARY:,}" in PAGE

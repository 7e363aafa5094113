"""docs/run_files.md names every key of a run file, with the default that it has."""

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import yaml

from t2t.config.run import DEFAULT_VOCABULARY, RunFile
from t2t.config.settings import keys_at, section_at

PAGE = (Path(__file__).parents[2] / "docs" / "run_files.md").read_text(encoding="utf-8")
ROWS = {key: default.strip() for key, default in re.findall(r"^\| `([\w.]+)` \|(.*?)\| ", PAGE, re.MULTILINE)}


def keys(form: type, before: str = "") -> Iterator[tuple[str, str]]:
    """Every dotted key below ``form`` with its default as the page writes it."""
    for field, key in zip(fields(form), keys_at(form, []), strict=True):
        inner = section_at(form, key)
        if inner is not None:
            yield from keys(inner, f"{before}{key}.")
        if inner is None or field.default is MISSING or field.default is None:
            yield f"{before}{key}", "" if field.default is MISSING else written(field.default)


def written(default: Any) -> str:
    if default is None:
        return "none"
    default = list(default) if isinstance(default, tuple) else str(default) if isinstance(default, Path) else default
    return yaml.safe_dump(default, default_flow_style=True).removesuffix("\n").removesuffix("\n...")


def test_every_key_stands_there_with_its_default() -> None:
    known = dict(keys(RunFile)) | {"allow_unverified": "false"}
    del known["model"], known["schedule"]  # their keys say what is needed
    assert ROWS.keys() - known.keys() == set()
    assert known.keys() - ROWS.keys() == set()
    assert {key: ROWS[key] for key in known if ROWS[key] != known[key]} == {}
    assert f"without it {DEFAULT_VOCABULARY:,}" in PAGE

"""docs/run_files.md names every key of a run file, with the default that it has."""

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from t2t.config.optimizer_settings import OPTIMIZERS, OptimizerSettings
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
        made = field.default_factory is not MISSING and inner is None
        default = field.default_factory() if made else field.default  # type: ignore[misc]
        if inner is None or default is MISSING or default is None:
            yield f"{before}{key}", "" if default is MISSING else written(default)


def written(default: Any) -> str:
    if default is None:
        return "none"
    default = list(default) if isinstance(default, tuple) else str(default) if isinstance(default, Path) else default
    return yaml.safe_dump(default, default_flow_style=True).removesuffix("\n").removesuffix("\n...")


def test_every_key_stands_there_with_its_default() -> None:
    known = dict(keys(RunFile)) | dict(keys(OPTIMIZERS.get("adamw", ""), "optimizer.")) | {"allow_unverified": "false"}
    known = {key: one for key, one in known.items() if not key.startswith(("stages.tasks.", "stages.schedule."))}
    known |= {"stages": "[]", "stages.tasks": "", "stages.schedule": "none"}  # as outside of stages
    del known["model"], known["schedule"], known["optimizer"]  # their keys say what is needed
    assert ROWS.keys() - known.keys() == set()
    assert known.keys() - ROWS.keys() == set()
    assert {key: ROWS[key] for key in known if ROWS[key] != known[key]} == {}
    assert f"without it {DEFAULT_VOCABULARY:,}" in PAGE


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_each_optimizer_stands_there_with_its_own_settings(name: str) -> None:
    common = dict(keys(OptimizerSettings))
    own = [f"`{key}` {default}" for key, default in keys(OPTIMIZERS.get(name, "")) if key not in common]
    assert f"| **{name}** | {', '.join(own)} | " in PAGE

"""Everything that t2t imports is declared, with an upper bound where the next major version is known to break."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Distributions that are imported by another name.
IMPORTED_AS = {"pyyaml": "yaml", "protobuf": "google"}
ONLY_THERE = {"protobuf"}  # read through sentencepiece's own modules
BREAKS = {"torch", "transformers", "deepspeed", "datasets", "huggingface_hub", "numpy", "pydantic", "tokenizers"}


def names(requirements: list[str]) -> dict[str, str]:
    """What is imported of each requirement, and its bounds."""
    pairs = [re.fullmatch(r"([A-Za-z0-9_-]+)(.*)", one).groups() for one in requirements]
    return {IMPORTED_AS.get(name, name.replace("-", "_")): bounds for name, bounds in pairs}


def imports(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"t2t"}


def test_what_is_imported_is_declared_and_nothing_else_is() -> None:
    extras = PROJECT["optional-dependencies"]
    declared, demo, peft = names(PROJECT["dependencies"]), names(extras["demo"]), names(extras["peft"])
    others = [names(extras[name]) for name in ("ctranslate2", "wandb", "explain")]
    assert extras["ray"][0].startswith("ray[data]>=")  # its pyarrow is declared anyway
    assert imports(ROOT / "t2t") == (declared.keys() | demo.keys() | peft.keys() | {"ray"} | set().union(*others)) - {
        IMPORTED_AS.get(one, one) for one in ONLY_THERE
    }
    assert imports(ROOT / "t2t") - imports(ROOT / "t2t" / "atlas") <= declared.keys() | peft.keys() | {
        "captum",
        "ray",
        "ctranslate2",
        "wandb",
    }
    assert "wandb" not in imports(ROOT / "t2t") - imports(ROOT / "t2t" / "engine" / "loggers")
    assert "captum" not in imports(ROOT / "t2t") - imports(ROOT / "t2t" / "explaining")
    assert "ctranslate2" not in imports(ROOT / "t2t") - imports(ROOT / "t2t" / "serving")
    assert "peft" not in imports(ROOT / "t2t") - imports(ROOT / "t2t" / "model" / "peft")
    assert all(">=" in bounds for bounds in declared.values())
    assert {name for name in BREAKS if "<" not in declared[name]} == set()


def test_without_babel_the_demo_says_what_to_install_and_all_else_works() -> None:
    code = "import sys; sys.modules['babel'] = None; from t2t.cli import main; sys.exit(main(sys.argv[1:]))"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    shown = run("show", "atlas/ner_en")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert 'Babel brings, which is not installed; install it: pip install "t2t[demo]"' in shown.stderr
    assert "atlas/ner_en" in run("list").stdout
    assert run("check", "examples/tickets.yaml").returncode == 0

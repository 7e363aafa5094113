"""A module imports only lower floors and its own folder; floors 0 to 4 import neither torch nor transformers."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "t2t"
# registry, trust and reach raise the errors of its own floor.
FLOORS: dict[str, float] = {
    "errors": 0, "arithmetic": 0, "collector": 0, "text": 0, "draws": 0, "whole_files": 0, "table": 0, "terminal": 0,
    "json_lines": 0, "regular_files": 0,
    "registry": 0.5, "trust": 0.5, "reach": 0.5, "structures": 1, "linear": 2,
    "config": 3, "metrics": 3, "tasks": 4, "atlas": 4.5, "model": 4.75, "data": 5, "runs": 5.5, "generation": 6,
    "evaluation": 6, "report": 6.9, "authoring": 6.5, "continual": 6.75, "engine": 7, "serving": 7.5,
    "explaining": 7.75, "training": 8, "commands": 9, "cli": 10, "__main__": 11,
}  # fmt: skip
HEAVY = {"torch", "transformers", "deepspeed"}
HEAVY_IF_FIRST = {"datasets", "evaluate", "sacrebleu", "rouge_score"}  # imported inside functions only
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        assert node.level == 0, "imports are absolute"
        if node.module == "t2t":
            return [f"t2t.{alias.name}" for alias in node.names]
        return [node.module]
    return []


def place(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def violations(path: Path, source: str) -> list[str]:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return []
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        for name in imports(node):
            top = name.split(".")[0]
            if top == "t2t" and place(name) in FLOORS:
                other = place(name)
                if other != own and FLOORS[other] >= FLOORS[own]:
                    found.append(f"{own} (floor {FLOORS[own]}) imports {other} (floor {FLOORS[other]})")
            elif top in HEAVY and FLOORS[own] <= 4:
                found.append(f"{own} (floor {FLOORS[own]}) imports {top}")
    for node in tree.body:
        found += [f"{own} imports {name} when loaded" for name in imports(node) if name in HEAVY_IF_FIRST]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_stands_on_lower_floors(path: Path) -> None:
    assert violations(path, path.read_text()) == []


def test_every_module_has_a_floor() -> None:
    tops = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert tops - {"__init__"} <= set(FLOORS)


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("linear", "from t2t.tasks.task import Task"),
        ("metrics", "import t2t.config.run"),
        ("tasks", "def f():\n    import torch"),
        ("engine", "from t2t import cli"),
    ],
)
def test_a_violation_is_seen(folder: str, line: str) -> None:
    assert violations(PACKAGE / folder / "x.py", line)


def test_names_say_something() -> None:
    assert not [path for path in MODULES if path.stem in {"utils", "helpers", "common", "misc"}]


def test_files_are_rooms() -> None:
    long = {str(path.relative_to(PACKAGE)): n for path in MODULES if (n := len(path.read_text().splitlines())) > 500}
    assert not long

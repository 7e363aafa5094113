"""How the code is built, in figures: functions, types, folders, names, and the rooms of one trip.

    python benchmarks/structure.py             # of this tree
    python benchmarks/structure.py --of DIR    # of another one, without the trip

The trip: a record in a file to its prediction line, with a model of random weights; the rooms are the modules of t2t
that are entered on the way from the prompt to the line, and a return is a call into a room that had been left.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import sys
import tempfile
import tokenize
from collections import Counter
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
NODES = {"Text", "Label", "Choice", "Number", "SpanOf", "Record", "Each", "Inline", "PythonNode", "Code", "Node"}
# What should be done in one place, and how a place that does it looks.
WAYS = {
    "files written whole": ("rename(", "replace(path", ".replace(whole"),
    "chance by a key": ("blake2b(", "hashlib.sha256(text"),
    "places of the project": ("parents[",),
}
TEMPLATE = """\
task: demo/line
version: 1
description: a label for a text
language: en
source: {format: jsonl, train: line.jsonl, test: line.jsonl}
fields: {text: text, mood: mood}
prompt: "mood of: {text}"
target: {label: [glad, sad], gold: mood}
metrics: [accuracy]
"""


def modules(package: Path) -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))}


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body without its docstring."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 1


def is_typed(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    own = [one for one in given if one.arg not in ("self", "cls")]
    return function.returns is not None and all(one.annotation is not None for one in own)


def class_tests(path: Path, tree: ast.Module) -> int:
    """Tests of a node's class in a file that defines no node."""
    if any(isinstance(node, ast.ClassDef) and node.name in NODES for node in tree.body):
        return 0
    tests = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance")
    named = ({one.id for one in ast.walk(test.args[1]) if isinstance(one, ast.Name)} for test in tests)
    return sum(bool(names & NODES) for names in named)


def comments_in(path: Path) -> int:
    with path.open("rb") as file:
        return sum(token.type == tokenize.COMMENT for token in tokenize.tokenize(file.readline))


def figures(root: Path) -> dict[str, str]:
    package = root / "t2t"
    trees = modules(package)
    every = [function for tree in trees.values() for function in functions(tree)]
    sizes = sorted(map(body_lines, every))
    lines = Counter({path: len(path.read_text(encoding="utf-8").splitlines()) for path in trees})
    folders: Counter[str] = Counter()
    for path, count in lines.items():
        folders[path.relative_to(package).parts[0]] += count
    largest, most = folders.most_common(1)[0]
    classes = Counter(node.name for tree in trees.values() for node in tree.body if isinstance(node, ast.ClassDef))
    files = Counter(path.name for path in trees if path.name != "__init__.py")
    comments = sum(map(comments_in, trees))
    takes_run = sum(
        any(ast.unparse(one.annotation) == "RunConfig" for one in function.args.args if one.annotation is not None)
        for function in every
    )
    found = {
        "files, lines": f"{len(trees)}, {sum(lines.values()):,}; the longest file {max(lines.values())}",
        "functions": f"{len(every):,}; lines: median {statistics.median(sizes):g}, 90th percentile "
        f"{sizes[int(0.9 * len(sizes))]}, longest {sizes[-1]}",
        "typed functions": f"{sum(map(is_typed, every)) / len(every):.1%}",
        "largest folder": f"{largest}/ {most / sum(lines.values()):.1%}",
        "functions that take the whole run": str(takes_run),
        "tests of a node's class outside nodes' files": str(sum(class_tests(*item) for item in trees.items())),
        "classes of one name": ", ".join(sorted(n for n, count in classes.items() if count > 1 and n[0] != "_")) or "0",
        "files of one name": str(sum(n > 1 for n in files.values())),
        "comments in 1,000 lines": f"{1000 * comments / sum(lines.values()):.1f}",
    }
    for way, signs in WAYS.items():
        places = [path for path in trees if any(sign in path.read_text(encoding="utf-8") for sign in signs)]
        found[f"places of: {way}"] = str(len(places))
    return found


def trip() -> tuple[int, int]:
    """Rooms entered between a prompt and its prediction line, and returns into rooms that had been left."""
    from t2t.commands import generate as command
    from t2t.config.run import Lengths
    from t2t.model.backbone import build_from_scratch
    from t2t.model.tokenizer import train_tokenizer
    from t2t.tasks.task import load_task

    shape = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "demo").mkdir()
        (place / "demo" / "line.yaml").write_text(TEMPLATE)
        (place / "demo" / "line.jsonl").write_text('{"text": "the sun shines", "mood": "glad"}\n')
        tokenizer = train_tokenizer(["mood of: the sun shines ; glad sad"] * 10, 520)
        build_from_scratch(shape, len(tokenizer)).save(tokenizer, place / "run" / "model")
        task = load_task(str(place / "demo" / "line.yaml"))
        rooms: list[str] = []

        def entered(frame: FrameType, event: str, _: object) -> None:
            name = frame.f_globals.get("__name__", "")
            if event == "call" and name.startswith("t2t.") and (not rooms or rooms[-1] != name):
                rooms.append(name)

        original = command._write_split

        def traced(*given: object) -> int:
            sys.setprofile(entered)
            try:
                return original(*given)  # type: ignore[arg-type]
            finally:
                sys.setprofile(None)

        command._write_split = traced  # type: ignore[assignment]
        command.generate(place / "run", [task], lengths=Lengths(prompt=64, target=4))
    first = rooms.index("t2t.tasks.wording") if "t2t.tasks.wording" in rooms else 0
    after = rooms[first:]
    return len(set(after)), sum(room in after[:index] for index, room in enumerate(after))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", type=Path, default=ROOT, metavar="DIR", help="the tree to look at")
    given = parser.parse_args()
    found = figures(given.of)
    if given.of == ROOT:
        rooms, returns = trip()
        found["from a prompt to its line"] = f"{rooms} rooms, {returns} returns"
    for name, value in found.items():
        print(f"{name:<46} {value}")


if __name__ == "__main__":
    main()

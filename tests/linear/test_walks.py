"""Walks over trees and values, and that nothing but a node's own file asks for its class."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import t2t
from t2t.linear.node import INVALID, Invalid
from t2t.linear.node_kinds import NODES
from t2t.linear.target import Target
from t2t.structures import Span, Value

PACKAGE = Path(t2t.__file__).parent
TREE = Target(
    {
        "as": "{head} @ {events} / {words}",
        "fields": {
            "head": {"span_of": "text", "absent": "null"},
            "events": {
                "each": "events",
                "as": "{trigger} > {about} > {args}",
                "fields": {
                    "trigger": {"span_of": "text"},
                    "about": {"span_of": "title"},
                    "args": {"each": "args", "as": "{arg}", "fields": {"arg": {"span_of": "text", "gold": "@"}},
                             "between": ","},
                },
            },
            "words": {"each": "words", "as": "{word}", "fields": {"word": {"text": "@"}}, "between": "="},
        },
    },
    lambda _: "t.yaml:1",
)  # fmt: skip
EVENT: Value = {"trigger": Span("met", 4, 7), "about": Span("A", 0, 1), "args": [Span("Ada", 0, 3), Span("Bob", 8, 11)]}
VALUE: Value = {"head": Span("Ada", 0, 3), "events": [EVENT], "words": ["a", "b"]}


def test_a_walk_gives_every_value_with_its_node() -> None:
    paths = [(node.place.name, value) for node, value in TREE.root.walk(VALUE) if not isinstance(value, dict | list)]
    assert [path for path, _ in paths] == [
        "head", "events.trigger", "events.about", "events.args.arg", "events.args.arg", "words.word", "words.word",
    ]  # fmt: skip
    assert [value for path, value in paths if path == "words.word"] == ["a", "b"]
    assert [node.place.name for node in TREE.root.tree()] == list(TREE.nodes)


def test_spans_of_one_field_move_and_all_else_stays() -> None:
    moved = TREE.root.map_spans(VALUE, "text", lambda span: replace(span, text=span.text.upper()))
    args: Value = [Span("ADA", 0, 3), Span("BOB", 8, 11)]
    event: Value = {"trigger": Span("MET", 4, 7), "about": Span("A", 0, 1), "args": args}
    assert moved == {"head": Span("ADA", 0, 3), "events": [event], "words": ["a", "b"]}
    assert TREE.root.map_spans(VALUE, "elsewhere", lambda span: INVALID) == VALUE
    assert TREE.root.map_spans(None, "text", lambda span: INVALID) is None


def test_an_item_goes_with_its_own_span_and_a_field_is_null() -> None:
    def without(word: str) -> Value | Invalid:
        return TREE.root.map_spans(VALUE, "text", lambda span: INVALID if span.text == word else span)

    assert without("Bob") == {**VALUE, "events": [{**EVENT, "args": [Span("Ada", 0, 3)]}]}
    assert without("met") == {**VALUE, "events": []}
    assert without("Ada") == {**VALUE, "head": None, "events": [{**EVENT, "args": [Span("Bob", 8, 11)]}]}


def test_what_is_read_of_a_record() -> None:
    target = Target({"choice": "item.options | @", "gold": "x"}, lambda _: "t.yaml:1")
    assert target.reads == ["item"]
    assert TREE.reads == ["text", "title"]
    assert TREE.span_fields == {"text", "title"}


NAMES = {NODES.get(name, "").__name__ for name in NODES.names()} | {"Branch", "ItemList"}


def questions_of_class(path: Path) -> list[str]:
    """The lines that ask whether something is of a node's class that the file imports or defines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("t2t.linear.nodes")
        for alias in node.names
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "type"):
            asked = {part.id for argument in node.args[1:] for part in ast.walk(argument) if isinstance(part, ast.Name)}
            found += [f"{path.name}:{node.lineno} {name}" for name in asked & imported & NAMES]
    return found


def test_no_file_asks_for_the_class_of_a_node() -> None:
    assert [line for path in sorted(PACKAGE.rglob("*.py")) for line in questions_of_class(path)] == []


def test_such_a_line_is_seen(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("from t2t.linear.nodes.each import Each\nprint(isinstance(node, Each | int))\n")
    assert questions_of_class(tmp_path / "x.py") == ["x.py:2 Each"]

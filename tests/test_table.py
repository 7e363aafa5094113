"""Tables: columns that are straight in a terminal, whatever is in their cells."""

from __future__ import annotations

from rich.cells import cell_len

from t2t.table import table


def test_columns_are_straight_in_cells_of_a_terminal() -> None:
    rows = [["task", "标签", "n"], ["ner/微博", "人名", "1,200"], ["b", "[bold]", "3"], ["é\u0301", "😀", "20"]]
    lines = table(rows, left=2)
    assert lines == [
        "task      标签        n",
        "ner/微博  人名    1,200",
        "b         [bold]      3",
        "é\u0301         😀         20",
    ]
    assert {cell_len(line) for line in lines} == {23}


def test_a_rule_stands_under_the_heading_and_nothing_is_cut() -> None:
    assert table([["a", "b"], ["x" * 300, ""]], rule=True) == [
        "a" + " " * 301 + "b",
        "-" * 300 + "  -",
        "x" * 300,
    ]

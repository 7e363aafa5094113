"""``t2t new`` on tables as programs and people write them: what is above, around and between the cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2t.errors import DataError
from tests.proposals import proposed

ROWS = [(f"tea number {i} was {['good', 'bad'][i % 2]}", ["pos", "neg"][i % 2]) for i in range(30)]
PAIRS = dict(ROWS)
TABLES = {
    "the index of pandas": ",text,label\n" + "".join(f"{i},{t},{y}\n" for i, (t, y) in enumerate(ROWS)),
    "empty columns at the end": "v1,v2,,,\n" + "".join(f"{y},{t},,,\n" for t, y in ROWS),
    "a separator too many": "text,label,\n" + "".join(f"{t},{y},\n" for t, y in ROWS),
    "Excel's first line": "sep=;\ntext;label\n" + "".join(f"{t};{y}\n" for t, y in ROWS),
    "Excel's first line behind a mark": "\ufeffsep=;\r\ntext;label\r\n" + "".join(f"{t};{y}\r\n" for t, y in ROWS),
    "comments above": "# from a tool\n# 2024\ntext,label\n" + "".join(f"{t},{y}\n" for t, y in ROWS),
    "a comment above with commas": "# a, tool, of ours\ntext,label\n" + "".join(f"{t},{y}\n" for t, y in ROWS),
    "spaces behind commas": "text, label\n" + "".join(f"{t}, {y}\n" for t, y in ROWS),
    "spaces behind commas, quotes": "text, label\n" + "".join(f'"{t}", {y}\n' for t, y in ROWS),
}


@pytest.mark.parametrize("form", TABLES)
def test_a_table_as_it_is_written(tmp_path: Path, form: str) -> None:
    found = proposed(tmp_path, {"a.csv": TABLES[form]})
    assert (found.family, found.errors, found.pairs) == ("classification", 0, PAIRS), found.output


def test_hashes_inside_a_table_are_data(tmp_path: Path) -> None:
    rows = "".join(f"#{i} {t},{y}\n" for i, (t, y) in enumerate(ROWS))
    found = proposed(tmp_path, {"a.csv": "text,label\n" + rows})
    assert found.pairs == {f"#{i} {t}": y for i, (t, y) in enumerate(ROWS)}


def test_sentences_with_a_comma_each_are_no_table(tmp_path: Path) -> None:
    lines = "".join(f"on day {i}, we went to town {i * 7}\n" for i in range(30))
    with pytest.raises(DataError, match="neither JSON, a table, nor tokens with tags"):
        proposed(tmp_path, {"a.txt": lines})


def test_a_name_that_stands_twice_is_told(tmp_path: Path) -> None:
    rows = "".join(f"{t},{y},{y.upper()}\n" for t, y in ROWS)
    with pytest.raises(DataError, match=r"a\.csv:1: the column name 'label' stands twice; rename one"):
        proposed(tmp_path, {"a.csv": "text,label,label\n" + rows})
    assert not (tmp_path / "mine").exists()


def test_a_header_that_is_one_name_short_is_told(tmp_path: Path) -> None:
    rows = "".join(f'"{i}","{t}","{y}"\n' for i, (t, y) in enumerate(ROWS))
    with pytest.raises(DataError, match=r"a\.csv:1: line 1 has 2 cells \(text, label\), the others have 3"):
        proposed(tmp_path, {"a.csv": '"text","label"\n' + rows})


@pytest.mark.parametrize("gap", ["\t", " "])
def test_parts_of_speech_have_no_template(tmp_path: Path, gap: str) -> None:
    sentence = "".join(f"{word}{gap}{tag}\n" for word, tag in [("Ada", "NOUN"), ("runs", "VERB"), (".", "PUNCT")])
    with pytest.raises(DataError, match=r"every token has a tag \(NOUN, VERB, PUNCT\): parts of speech"):
        proposed(tmp_path, {"a.txt": "\n".join(sentence.replace("Ada", f"Ada{i}") for i in range(30))})

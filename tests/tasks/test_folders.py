"""Folders of texts, brat's standoff, and Parquet."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from t2t.errors import DataError, TemplateError
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.sources import Source, build_source

NOTE = "Ada met Bo\nin São Bento.\n"
MARKS = """\
T1\tPER 0 3\tAda
T2\tPER 8 10\tBo
T3\tMEET 4 7\tmet
T4\tODD 0 3;8 10\tAda Bo
R1\tknows Arg1:T1 Arg2:T2\t
E1\tMEET:T3 who:T1 with:T2
A1\tNegated E1
A2\tLevel T1 high
#1\tAnnotatorNotes T1\tchecked
*\tEquiv T1 T2
"""


def source(folder: Path, **spec: Any) -> Source:
    return build_source(spec, folder, "t.yaml:4")


def data(built: Source, split: str = "train", bad: BadRecords | None = None) -> list[dict[str, Any]]:
    return [record.data for record in built.records(split, bad or BadRecords())]


def brat_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "b.txt").write_text(NOTE, encoding="utf-8")
    (folder / "b.ann").write_text(MARKS, encoding="utf-8")
    (folder / "a.txt").write_text("Nothing.", encoding="utf-8")
    (folder / "a.ann").write_text("", encoding="utf-8")
    return folder


def zipped(folder: Path, archive: Path) -> str:
    with zipfile.ZipFile(archive, "w") as members:
        for path in sorted(folder.iterdir()):
            members.write(path, f"in/{path.name}")
    return f"{archive.name}!in"


@pytest.mark.parametrize("packed", [False, True])
def test_brat(tmp_path: Path, packed: bool) -> None:
    folder = brat_folder(tmp_path / "notes")
    name = zipped(folder, tmp_path / "notes.zip") if packed else "notes"
    built = source(tmp_path, format="brat", train=name)
    first, second = data(built)
    assert first == {"name": "a", "text": "Nothing.", "entities": [], "relations": [], "events": [], "attributes": []}
    assert second["text"] == NOTE.rstrip()
    assert second["entities"] == [
        {"id": "T1", "type": "PER", "start": 0, "end": 3, "text": "Ada"},
        {"id": "T2", "type": "PER", "start": 8, "end": 10, "text": "Bo"},
        {"id": "T3", "type": "MEET", "start": 4, "end": 7, "text": "met"},
        {"id": "T4", "type": "ODD", "start": [0, 8], "end": [3, 10], "text": "Ada Bo"},
    ]
    assert second["relations"] == [{"id": "R1", "type": "knows", "head": "T1", "tail": "T2"}]
    arguments = [{"role": "who", "id": "T1"}, {"role": "with", "id": "T2"}]
    assert second["events"] == [{"id": "E1", "type": "MEET", "trigger": "T3", "arguments": arguments}]
    assert second["attributes"] == [
        {"id": "A1", "type": "Negated", "of": "E1", "value": True},
        {"id": "A2", "type": "Level", "of": "T1", "value": "high"},
    ]
    before = built.fingerprint()
    if packed:
        return
    (folder / "b.ann").write_text("T1\tPER 0 3\tAda\n")
    assert built.fingerprint() != before


@pytest.mark.parametrize("line", ["T1\tPER 0\tAda", "R1\tknows T1 T2", "T2", "E1\tMEET:T3 who=T1"])
def test_a_line_that_is_no_annotation_costs_its_document(tmp_path: Path, line: str) -> None:
    folder = brat_folder(tmp_path / "notes")
    (folder / "b.ann").write_text(f"T1\tPER 0 3\tAda\n{line}\n")
    with pytest.raises(DataError, match=r"notes/b\.ann:2: .* is no annotation of brat"):
        data(source(tmp_path, format="brat", train="notes"))
    bad = BadRecords("skip")
    assert [one["name"] for one in data(source(tmp_path, format="brat", train="notes"), bad=bad)] == ["a"]
    assert bad.count == 1


def test_a_file_is_a_text_and_its_folder_the_class(tmp_path: Path) -> None:
    for kind in ("good", "bad"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "1.txt").write_text(f"{kind} film\n")
    (tmp_path / "good" / "2.txt").write_bytes(b"caf\xe9")
    train = [{"file": kind, "with": {"label": kind}} for kind in ("bad", "good")]
    bad = BadRecords("skip")
    assert data(source(tmp_path, format="texts", train=train), bad=bad) == [
        {"name": "1", "text": "bad film", "label": "bad"},
        {"name": "1", "text": "good film", "label": "good"},
    ]
    assert bad.count == 1
    with pytest.raises(DataError, match="no folder 'ugly'"):
        data(source(tmp_path, format="texts", train="ugly"))


@pytest.mark.parametrize("packed", [False, True])
def test_parquet(tmp_path: Path, packed: bool) -> None:
    rows = [
        {"text": "Oslo", "n": 1, "x": 0.5, "day": datetime.date(2024, 2, 29), "tags": ["a", "b"], "in": {"k": None}},
        {"text": "北京", "n": None, "x": float("nan"), "day": None, "tags": [], "in": {"k": 2}},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    name = "t.parquet"
    if packed:
        with zipfile.ZipFile(tmp_path / "t.zip", "w") as members:
            members.write(tmp_path / name, name)
        name = "t.zip!t.parquet"
    first, second = data(source(tmp_path, format="parquet", train=name))
    assert first == {"text": "Oslo", "n": 1, "x": 0.5, "day": "2024-02-29", "tags": ["a", "b"], "in": {"k": None}}
    assert repr(second.pop("x")) == "nan"
    assert second == {"text": "北京", "n": None, "day": None, "tags": [], "in": {"k": 2}}


def test_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match=r"t\.parquet: no readable Parquet \("):
        data(source(tmp_path, format="parquet", train="t.parquet"))


def test_cells_parted_by_another_character(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text;label\n"a;b, c";x\n"d\ne";y\n')
    found = data(source(tmp_path, format="csv", separator=";", train="a.csv"))
    assert found == [{"text": "a;b, c", "label": "x"}, {"text": "d\ne", "label": "y"}]
    for wrong in ("", ";;", '"', "\n"):
        with pytest.raises(TemplateError, match="write one character"):
            source(tmp_path, format="csv", separator=wrong, train="a.csv")

"""Files of strangers: where they are found, hostile bytes, archives that are streamed and capped."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from t2t.errors import DataError, TemplateError
from t2t.linear.scope import kind_of
from t2t.tasks import data_files
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.sources import Source, build_source, data_dir, find_file


def source(tmp_path: Path, **spec: Any) -> Source:
    return build_source(spec, tmp_path, "t.yaml:4")


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path.name


def data(built: Source) -> list[dict[str, Any]]:
    return [record.data for record in built.records("train")]


HOSTILE = {
    "not json": (b'{"x": 1}\n{"x": \n', "a.jsonl:2: no JSON"),
    "nested": (b"[" * 200_000 + b"\n", "a.jsonl:1: no JSON"),
    "huge number": (b'{"x": ' + b"9" * 5000 + b"}\n", "a.jsonl:1: no JSON"),
    "bad utf-8": (b'{"x": 1}\n{"x": "\xff"}\n', "a.jsonl:2: no utf-8 text"),
    "utf-8 surrogate": (b'{"x": "\xed\xa0\x80"}\n', "a.jsonl:1: no utf-8 text"),
    "NUL": (b'{"x": "a\x00"}\n', "a.jsonl:1: a NUL character"),
    "NUL by escape": (rb'{"x": [{"y": "a\u0000"}]}' + b"\n", "a.jsonl:1: a NUL character"),
    "surrogate by escape": (rb'{"x": 1}' + b"\n" + rb'{"x": "\ud83d"}' + b"\n", "a.jsonl:2: a lone surrogate"),
    "surrogate in a key": (rb'{"\udc00": 1}' + b"\n", "a.jsonl:1: a lone surrogate"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_lines_are_refused_with_their_line(tmp_path: Path, case: str) -> None:
    content, message = HOSTILE[case]
    name = write(tmp_path / "a.jsonl", content)
    with pytest.raises(DataError) as error:
        data(source(tmp_path, format="jsonl", train=name))
    assert str(error.value).startswith(message)


def test_an_escaped_pair_of_surrogates_is_one_character(tmp_path: Path) -> None:
    name = write(tmp_path / "a.jsonl", rb'{"x": "\ud83d\ude00"}')
    assert data(source(tmp_path, format="jsonl", train=name)) == [{"x": "\U0001f600"}]


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    name = write(tmp_path / "a.txt", "a\u2028b\x0bc\x85\nd\r\n")
    assert data(source(tmp_path, format="parallel", train={"t": name})) == [{"t": "a\u2028b\x0bc\x85"}, {"t": "d"}]


def test_a_line_longer_than_the_cap_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_files, "LINE_CAP", 100)
    name = write(tmp_path / "a.txt", b"a\n" + b"x" * 99 + b"\n" + b"y" * 101)
    built = source(tmp_path, format="parallel", train={"t": name})
    with pytest.raises(DataError, match=r"a\.txt:3: a line longer than 100 bytes"):
        data(built)
    write(tmp_path / "a.txt", b"a\n" + b"x" * 99 + b"\n")
    assert len(data(built)) == 2


def test_encodings(tmp_path: Path) -> None:
    name = write(tmp_path / "a.txt", "café\n中\n".encode("gb18030"))
    assert data(source(tmp_path, format="parallel", encoding="gb18030", train={"t": name}))[1] == {"t": "中"}
    for bad in ("nonsense", "base64"):
        with pytest.raises(TemplateError, match="is none of text"):
            source(tmp_path, format="parallel", encoding=bad, train={"t": name})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_whose_line_ends_are_no_single_byte(tmp_path: Path, encoding: str) -> None:
    text = "café Ċ\r\n中\u0a0a文\n\U0001f600"  # U+010A and U+0A0A hold the byte of a line feed
    name = write(tmp_path / "a.txt", text.encode(encoding))
    built = source(tmp_path, format="parallel", encoding=encoding, train={"t": name})
    assert data(built) == [{"t": "café Ċ"}, {"t": "中\u0a0a文"}, {"t": "\U0001f600"}]


def test_half_a_character_of_utf_16_costs_its_line(tmp_path: Path) -> None:
    broken = "one\n".encode("utf-16-le") + b"\x00\xd8" + "two\nthree\n".encode("utf-16-le")
    name = write(tmp_path / "a.txt", broken)
    built = source(tmp_path, format="parallel", encoding="utf-16-le", train={"t": name})
    bad = BadRecords("skip")
    assert [record.data["t"] for record in built.records("train", bad)] == ["one", "three"]
    assert bad.count == 1


def test_what_is_no_number_costs_nothing_where_nobody_reads_it(tmp_path: Path) -> None:
    name = write(tmp_path / "a.jsonl", '{"x": 1, "w": NaN}\n{"x": -Infinity, "w": 1}\n')
    found = data(source(tmp_path, format="jsonl", train=name))
    assert (found[0]["x"], repr(found[0]["w"]), repr(found[1]["x"])) == (1, "NaN", "-Infinity")
    assert kind_of(found[0]["w"]) == "no number (NaN or infinite)"


@pytest.mark.parametrize("between", ["\n", "", " ", ",\n"])
def test_json_values_one_behind_the_other(tmp_path: Path, between: str) -> None:
    name = write(tmp_path / "a.json", between.join(json.dumps({"x": number}, indent=2) for number in range(3)) + "\n")
    assert data(source(tmp_path, format="json", train=name)) == [{"x": 0}, {"x": 1}, {"x": 2}]
    broken = write(tmp_path / "b.json", '{"x": 1}\n{"x": \n')
    with pytest.raises(DataError, match=r"b\.json:2: no JSON"):
        data(source(tmp_path, format="json", train=broken))


def tar_gz(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def test_members_of_archives_are_streamed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/x.txt", "one\ntwo\n")
    tar_gz(tmp_path / "a.tar.gz", {"other": b"zzz", "in/x.txt": b"one\ntwo\n"})
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    before = {path.name for path in tmp_path.rglob("*")}
    for name in ("a.zip!in/x.txt", "a.tar.gz!in/x.txt", "x.txt.gz"):
        records = list(source(tmp_path, format="parallel", train={"t": name}).records("train"))
        assert [record.data["t"] for record in records] == ["one", "two"]
        assert records[1].where == f"{name}:2"
    assert {path.name for path in tmp_path.rglob("*")} == before
    for name in ("a.zip!x.txt", "a.tar.gz!x.txt"):
        with pytest.raises(DataError, match=r"has no file 'x\.txt'.*in/x\.txt"):
            data(source(tmp_path, format="parallel", train={"t": name}))


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "gz"])
def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(data_files, "RATIO_FROM", 1 << 18)
    lines = (b"x" * 1023 + b"\n") * (1 << 10)
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x", lines)
    elif kind == "tar.gz":
        tar_gz(tmp_path / "b.tar.gz", {"x": lines})
    else:
        (tmp_path / "b.gz").write_bytes(gzip.compress(lines))
    built = source(tmp_path, format="parallel", train={"t": f"b.{kind}" + ("" if kind == "gz" else "!x")})
    with pytest.raises(DataError, match="unpacks to more than 200 times its size"):
        data(built)
    monkeypatch.setattr(data_files, "RATIO_CAP", 10**9)
    monkeypatch.setattr(data_files, "UNPACKED_CAP", 1 << 19)
    with pytest.raises(DataError, match="unpacks to more than 524288 bytes"):
        data(built)
    monkeypatch.setattr(data_files, "UNPACKED_CAP", 1 << 30)
    assert len(data(built)) == 1 << 10


def test_damaged_archives_are_data_errors(tmp_path: Path) -> None:
    packed = gzip.compress(b"abc\n" * 1000)
    (tmp_path / "x.gz").write_bytes(packed[:-12])
    (tmp_path / "a.zip").write_bytes(b"PK nonsense")
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(b"no tar" * 200))
    for name in ("x.gz", "a.zip!x", "a.tar.gz!x"):
        with pytest.raises(DataError, match=r"cannot be read|has no file"):
            data(source(tmp_path, format="parallel", train={"t": name}))


def test_links_in_archives_are_not_followed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("x")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(DataError, match="has no file 'x'"):
        data(source(tmp_path, format="parallel", train={"t": "a.tar.gz!x"}))


def test_files_are_found_beside_the_template_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("T2T_DATA", str(tmp_path / "data"))
    assert data_dir() == tmp_path / "data"
    write(tmp_path / "data" / "a", "far")
    assert find_file("a", tmp_path, "t").path == tmp_path / "data" / "a"
    write(tmp_path / "a", "near")
    assert find_file("a", tmp_path, "t").path == tmp_path / "a"
    assert find_file(str(tmp_path / "data" / "a"), tmp_path, "t").path == tmp_path / "data" / "a"
    with pytest.raises(DataError, match=r"t: no file 'b' \(looked for .*/b and .*/data/b\); .*T2T_DATA"):
        find_file("b", tmp_path, "t")

"""Sources: every format, good and bad; splits by hash; real data by their counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from t2t.errors import DataError, TemplateError
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.sources import SOURCES, RawRecord, Source, build_source, data_dir


def source(tmp_path: Path, **spec: Any) -> Source:
    return build_source(spec, tmp_path, "t.yaml:4")


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path.name


def data(built: Source, split: str = "train") -> list[dict[str, Any]]:
    return [record.data for record in built.records(split)]


def test_jsonl_gives_data_ids_and_lines(tmp_path: Path) -> None:
    name = write(tmp_path / "a.jsonl", '\ufeff{"x": 1}\n\n["p", "q"]\r\n')
    records = list(source(tmp_path, format="jsonl", train=name).records("train"))
    assert records == [
        RawRecord("a.jsonl:1", "train:0", {"x": 1}),
        RawRecord("a.jsonl:3", "train:1", {"item": ["p", "q"]}),
    ]


def test_csv_quotes_line_breaks_and_lines(tmp_path: Path) -> None:
    name = write(tmp_path / "a.csv", 'id,text\r\n1,"a ""b"", c\nd"\r\n\r\n2,e\r\n')
    records = list(source(tmp_path, format="csv", train=name).records("train"))
    assert [r.data for r in records] == [{"id": "1", "text": 'a "b", c\nd'}, {"id": "2", "text": "e"}]
    assert [r.where for r in records] == ["a.csv:2", "a.csv:5"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", "a.csv:3: 3 cells where the header has 2"),
        ('a,b\n1,2\n1,"2\n3,4\n', "a.csv:3: bad csv"),
        ('a,b\n"1"x,2\n', "a.csv:2: bad csv"),
        ("a,b\r1,2\r3,4\r", "a.csv:1: bad csv (a carriage return without a line feed stands outside of quotes); end"),
        ("a,a\n1,2\n", "a.csv:1: a column name stands twice"),
        ("a,b\n1,\0\n", "a.csv:2: a NUL character"),
    ],
)
def test_bad_csv_is_refused_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    name = write(tmp_path / "a.csv", content)
    with pytest.raises(DataError) as error:
        data(source(tmp_path, format="csv", train=name))
    assert str(error.value).startswith(message)


def test_tsv_header_and_raw_quotes(tmp_path: Path) -> None:
    name = write(tmp_path / "a.tsv", 'say "hi\tb\nc\td\n')
    built = source(tmp_path, format="tsv", header=["x", "y"], train=name)
    assert data(built) == [{"x": 'say "hi', "y": "b"}, {"x": "c", "y": "d"}]
    with pytest.raises(DataError, match=r"a\.tsv:1: 2 cells where the header has 3"):
        data(source(tmp_path, format="tsv", header=["x", "y", "z"], train=name))
    with pytest.raises(TemplateError, match="distinct names"):
        source(tmp_path, format="tsv", header=["x", "x"], train=name)


def test_what_stands_above_and_around_the_cells_of_a_csv(tmp_path: Path) -> None:
    name = write(tmp_path / "a.csv", '# of a tool\n#\n\nx, y, \n# 1 , "b, c", d\n')
    built = source(tmp_path, format="csv", comment="#", strip=True, train=name)
    (record,) = built.records("train")
    assert (record.where, record.data) == ("a.csv:5", {"x": "# 1", "y": "b, c"})  # a column without a name is not read
    for content in ("sep=;\nx;y\n1; 2\n", '\ufeff"sep=;"\r\nx;y\r\n1; 2\r\n'):
        (record,) = source(tmp_path, format="csv", separator=";", train=write(tmp_path / "b.csv", content)).records(
            "train"
        )
        assert (record.where, record.data) == ("b.csv:3", {"x": "1", "y": " 2"})


def test_conll_sentences(tmp_path: Path) -> None:
    name = write(tmp_path / "a.conll", "-DOCSTART-\tO\n\nA\tB-x\nb\tI-x\n\t\nc d\tO\n")
    records = list(source(tmp_path, format="conll", train=name).records("train"))
    assert [r.data for r in records] == [
        {"tokens": ["A", "b"], "tags": ["B-x", "I-x"]},
        {"tokens": ["c d"], "tags": ["O"]},
    ]
    assert [r.where for r in records] == ["a.conll:3", "a.conll:6"]


def test_conll_columns_and_spaces(tmp_path: Path) -> None:
    name = write(tmp_path / "a.conll", "EU NNP  B-ORG\nrejects VBZ O\n")
    built = source(tmp_path, format="conll", separator="space", columns=["tokens", "pos", "tags"], train=name)
    assert data(built) == [{"tokens": ["EU", "rejects"], "pos": ["NNP", "VBZ"], "tags": ["B-ORG", "O"]}]
    with pytest.raises(DataError, match=r"a\.conll:1: .* is not 2 cells \(tokens, tags\)"):
        data(source(tmp_path, format="conll", train=name))


def test_conll_refuses_an_empty_token(tmp_path: Path) -> None:
    name = write(tmp_path / "a.conll", "a\tO\n\tO\n")
    with pytest.raises(DataError, match=r"a\.conll:2"):
        data(source(tmp_path, format="conll", train=name))


def test_parallel_counts_must_agree(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a", "1\n2\n3\n4\n"), write(tmp_path / "b", "x\ny\n")
    with pytest.raises(DataError, match=r"^a:3: a has 4 lines, b has 2 lines"):
        data(source(tmp_path, format="parallel", train={"p": one, "q": two}))
    write(tmp_path / "b", "x\n y \n\nz")
    built = source(tmp_path, format="parallel", train={"p": one, "q": two})
    assert [row["q"] for row in data(built)] == ["x", " y ", "", "z"]


def test_json_records(tmp_path: Path) -> None:
    name = write(tmp_path / "a.json", json.dumps({"train": [["hi", "greet"]], "deep": {"x": 1}}))
    assert data(source(tmp_path, format="json", records="train", train=name)) == [{"item": ["hi", "greet"]}]
    with pytest.raises(DataError, match="gives no list"):
        data(source(tmp_path, format="json", records="deep", train=name))
    with pytest.raises(DataError, match="no field 'trian'"):
        data(source(tmp_path, format="json", records="trian", train=name))
    write(tmp_path / "a.json", b'[{"x":\n"\xff"}]')
    with pytest.raises(DataError, match=r"a\.json:2: no utf-8 text"):
        data(source(tmp_path, format="json", train=name))


def test_squad_records(tmp_path: Path) -> None:
    question = {"id": "q1", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}
    empty = {"id": "q2", "question": "When?", "answers": [], "is_impossible": True}
    document = {"data": [{"title": "T", "paragraphs": [{"context": "Ada ran.", "qas": [question, empty]}]}]}
    name = write(tmp_path / "a.json", json.dumps(document))
    first, second = source(tmp_path, format="squad", id_field="id", test=name).records("test")
    assert first.id == "q1"
    assert first.where == "a.json:question q1"
    assert first.data["answers"] == [{"text": "Ada", "start": 0}]
    assert first.data["is_impossible"] is False
    assert second.data["is_impossible"] is True
    assert second.data["context"] == "Ada ran."
    bad = [question | {"answers": None}, empty, "q", {"id": "q4"}]
    document = {"data": [{"title": "T", "paragraphs": [{"context": "Ada ran.", "qas": bad}]}]}
    write(tmp_path / "a.json", json.dumps(document))
    told: list[str] = []
    skip = BadRecords("skip", lambda error: told.append(error.where))
    assert [r.data["id"] for r in source(tmp_path, format="squad", test=name).records("test", skip)] == ["q2"]
    assert told == ["a.json:question q1", "a.json:question 3", "a.json:question q4"]
    with pytest.raises(DataError, match=r"a\.json:question q1: no SQuAD question"):
        data(source(tmp_path, format="squad", test=name), "test")
    write(tmp_path / "a.json", '{"data": [{"title": "T"}]}')
    with pytest.raises(DataError, match="no SQuAD document"):
        data(source(tmp_path, format="squad", test=name), "test")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"format": "jsno", "train": "a"}, "unknown source format 'jsno'; did you mean 'json'"),
        ({"format": "csv", "train": "a", "heder": ["x"]}, "unknown key 'heder'; did you mean 'header'"),
        ({"format": "jsonl", "train": "a", "wher": "x"}, "unknown key 'wher'; did you mean 'where'"),
        ({"format": "jsonl", "tain": "a"}, "names no file"),
        ({"format": "jsonl", "splits": {2019: "a"}}, 'the split 2019 is no text; write "2019"'),
        ({"format": "jsonl", "train": "a", "split": {2019: 0.5, "by": "x"}}, 'the split 2019 is no text; write "2019"'),
        ({"format": "jsonl", "train": "a", "encoding": "a\0"}, "is none of text"),
        ({"format": "jsonl", "train": {"x": "a"}}, "the files of a split are"),
        ({"format": "parallel", "train": "a"}, "the files of a split are"),
        ({"format": "jsonl", "train": "a", "where": "x ==="}, "is no JMESPath expression"),
        ({"format": "conll", "train": "a", "separator": ","}, "write tab or space"),
        ({"format": "jsonl", "train": "a", "split": {"test": 0.1}}, "a key"),
        ({"format": "jsonl", "train": "a", "split": {"test": 1, "by": "x"}}, "shares between 0 and 1"),
        ({"format": "jsonl", "train": "a", "test": "b", "split": {"test": 0.1, "by": "x"}}, "cuts one file"),
        ({"format": "jsonl", "train": "a", "group": {"by": "x", "splits": ["tset"]}}, "has no split 'tset'"),
        ({"train": {"format": "jsonl"}}, "train: names no file"),
        ({"train": "a"}, "has no format"),
        ({"format": "hub", "path": "o/n", "train": "train", "revision": "main"}, "pin the data set by a commit"),
    ],
)
def test_bad_specifications_are_template_errors(tmp_path: Path, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError) as error:
        build_source(spec, tmp_path, "t.yaml:4")
    assert str(error.value).startswith("t.yaml:4")
    assert message in str(error.value)


def test_unknown_split_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split 'tets'; did you mean 'test'"):
        data(source(tmp_path, format="jsonl", test="a"), "tets")


def numbered(tmp_path: Path, count: int, keys: int) -> str:
    rows = "".join(json.dumps({"n": n, "k": f"key {n % keys}"}) + "\n" for n in range(count))
    return write(tmp_path / "n.jsonl", rows)


def test_hash_split_never_straddles_and_keeps_its_shares(tmp_path: Path) -> None:
    name = numbered(tmp_path, 6000, 2000)
    built = source(tmp_path, format="jsonl", all=name, split={"test": 0.1, "valid": 0.05, "by": "k"})
    assert built.splits() == ["train", "test", "valid"]
    rows = {split: data(built, split) for split in built.splits()}
    assert sorted(row["n"] for part in rows.values() for row in part) == list(range(6000))
    keys = {split: {row["k"] for row in part} for split, part in rows.items()}
    assert not keys["train"] & keys["test"]
    assert not keys["valid"] & (keys["test"] | keys["train"])
    assert len(rows["test"]) == pytest.approx(600, abs=120)
    assert len(rows["valid"]) == pytest.approx(300, abs=90)
    assert [row["n"] for row in rows["test"]] == sorted(row["n"] for row in rows["test"])
    with pytest.raises(DataError, match="cuts 'all'"):
        data(built, "all")


def test_hash_split_does_not_depend_on_other_records(tmp_path: Path) -> None:
    small = data(
        source(tmp_path, format="jsonl", all=numbered(tmp_path, 300, 300), split={"test": 0.3, "by": "k"}), "test"
    )
    large = data(
        source(tmp_path, format="jsonl", all=numbered(tmp_path, 900, 900), split={"test": 0.3, "by": "k"}), "test"
    )
    assert small == [row for row in large if row["n"] < 300]


def test_train_may_give_up_a_part_where_test_is_a_file(tmp_path: Path) -> None:
    name, test = numbered(tmp_path, 200, 200), write(tmp_path / "t.jsonl", '{"n": -1, "k": ""}\n')
    built = source(tmp_path, format="jsonl", train=name, test=test, split={"valid": 0.5, "by": "k"})
    assert built.splits() == ["train", "test", "valid"]
    assert len(data(built, "train")) + len(data(built, "valid")) == 200
    assert data(built, "test") == [{"n": -1, "k": ""}]


def test_where_with_and_id_field(tmp_path: Path) -> None:
    name = numbered(tmp_path, 6, 6)
    built = source(tmp_path, format="jsonl", train=name, where="n >= `3`", id_field="k", **{"with": {"lang": "en"}})
    records = list(built.records("train"))
    assert [record.id for record in records] == ["key 3", "key 4", "key 5"]
    assert records[0].data == {"n": 3, "k": "key 3", "lang": "en"}
    with pytest.raises(DataError, match=r"n\.jsonl:3: the id 'key 0' stands twice"):
        data(source(tmp_path, format="jsonl", train=numbered(tmp_path, 4, 2), id_field="k"))
    with pytest.raises(DataError, match=r"n\.jsonl:1: record has no field 'z'"):
        data(source(tmp_path, format="jsonl", train=name, id_field="z"))


def test_parts_of_a_split_have_their_own_fields(tmp_path: Path) -> None:
    good, bad = write(tmp_path / "p", '{"t": "fine"}\n'), write(tmp_path / "n", '{"t": "poor"}\n')
    parts = [{"file": good, "with": {"label": "positive"}}, {"file": bad, "with": {"label": "negative"}}]
    records = list(source(tmp_path, format="jsonl", train=parts).records("train"))
    assert [(r.id, r.where, r.data["label"]) for r in records] == [
        ("train:0", "p:1", "positive"),
        ("train:1", "n:1", "negative"),
    ]


def test_group_keeps_all_records_of_a_key(tmp_path: Path) -> None:
    name = write(tmp_path / "a.csv", "mr,ref\na,1\nb,2\na,3\n")
    built = source(tmp_path, format="csv", splits={"test": name, "extra": name}, group={"by": "mr", "splits": ["test"]})
    first, second = built.records("test")
    assert first.data == {"mr": "a", "ref": "1", "group": [{"mr": "a", "ref": "1"}, {"mr": "a", "ref": "3"}]}
    assert (first.id, second.id) == ("test:0", "test:1")
    assert len(data(built, "extra")) == 3


def test_each_split_may_have_its_own_source_and_fields(tmp_path: Path) -> None:
    lines, table = write(tmp_path / "a", "x\n"), write(tmp_path / "a.csv", "t,u\ny,z\n")
    spec = {
        "train": {"format": "parallel", "file": {"text": lines}},
        "test": {"format": "csv", "file": table, "fields": {"text": "t"}},
    }
    built = build_source(spec, tmp_path, "t.yaml:4")
    assert built.splits() == ["train", "test"]
    assert (data(built, "train"), data(built, "test")) == ([{"text": "x"}], [{"text": "y"}])


def test_fingerprint_follows_contents_and_specification(tmp_path: Path) -> None:
    name = write(tmp_path / "a.jsonl", "{}\n")
    first = source(tmp_path, format="jsonl", train=name).fingerprint()
    assert len(first) == 64
    assert source(tmp_path, format="jsonl", train=name).fingerprint() == first
    assert source(tmp_path, format="jsonl", train=name, where="x").fingerprint() != first
    assert source(tmp_path, format="jsonl", test=name).fingerprint() != first
    write(tmp_path / "a.jsonl", "{}\n{}\n")
    assert source(tmp_path, format="jsonl", train=name).fingerprint() != first


def test_records_are_streamed(tmp_path: Path) -> None:
    name = write(tmp_path / "a.jsonl", '{"x": 1}\nbroken\n')
    records = source(tmp_path, format="jsonl", train=name).records("train")
    assert next(records).data == {"x": 1}


def test_hub_reads_a_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set").mkdir()
    write(tmp_path / "set" / "train.jsonl", '{"text": "a"}\n{"text": "b"}\n')
    built = source(tmp_path, format="hub", path="set", train="train", test="tset")
    records = list(built.records("train"))
    assert [(r.id, r.where, r.data) for r in records] == [
        ("train:0", "set:1", {"text": "a"}),
        ("train:1", "set:2", {"text": "b"}),
    ]
    with pytest.raises(DataError, match="split 'tset', cannot be loaded"):
        data(built, "test")
    before = built.fingerprint()
    write(tmp_path / "set" / "train.jsonl", '{"text": "c"}\n')
    assert built.fingerprint() != before


def test_hub_reads_classes_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    kinds, tags = datasets.ClassLabel(names=["world", "sport"]), datasets.ClassLabel(names=["O", "B-PER"])
    features = datasets.Features({
        "text": datasets.Value("string"), "label": kinds, "tags": datasets.List(tags), "more": {"again": kinds},
        "turns": datasets.List({"act": kinds}), "n": datasets.Value("int64"),
    })  # fmt: skip
    rows = [
        {"text": "a", "label": 1, "tags": [0, 1], "more": {"again": 0}, "turns": [{"act": 1}], "n": 1},
        {"text": "b", "label": -1, "tags": [], "more": {"again": 1}, "turns": [], "n": 0},
    ]
    (tmp_path / "set").mkdir()
    datasets.Dataset.from_list(rows, features=features).to_parquet(tmp_path / "set" / "train.parquet")
    plain = source(tmp_path, format="hub", path="set", train="train")
    named = source(tmp_path, format="hub", path="set", train="train", class_names=True)
    assert [record.data["label"] for record in plain.records("train")] == [1, -1]
    assert [record.data for record in named.records("train")] == [
        {"text": "a", "label": "sport", "tags": ["O", "B-PER"], "more": {"again": "world"}, "turns": [{"act": "sport"}],
         "n": 1},
        {"text": "b", "label": None, "tags": [], "more": {"again": "sport"}, "turns": [], "n": 0},
    ]  # fmt: skip
    assert plain.fingerprint() != named.fingerprint()


def test_hub_tells_when_it_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr("t2t.tasks.sources.hub.hub_answers", lambda: True)
    asked: dict[str, Any] = {}

    def load(path: str, name: str | None, **given: Any) -> None:
        asked.update(given, path=path, name=name)
        raise ConnectionError("no route to the Hub")

    monkeypatch.setattr(datasets, "load_dataset", load)
    commit = "0123456789abcdef" * 2 + "01234567"
    built = source(tmp_path, format="hub", path="owner/set", name="c", revision=commit, train="train[:10]")
    with pytest.raises(DataError, match=r"data set 'owner/set'.*no route to the Hub"):
        data(built)
    assert asked == {"path": "owner/set", "name": "c", "revision": commit, "split": "train[:10]"}


SCRIPT = "Dataset scripts are no longer supported, but found set.py"


def test_of_an_unverified_loading_script_the_hub_s_own_conversion_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr("t2t.tasks.sources.hub.hub_answers", lambda: True)
    asked: list[dict[str, Any]] = []

    def load(path: str, name: str | None = None, **given: Any) -> list[dict[str, Any]]:
        asked.append({**given, "path": path, "name": name})
        if "data_files" not in given:
            raise RuntimeError(SCRIPT)
        return [{"text": "a"}]

    monkeypatch.setattr(datasets, "load_dataset", load)
    for name, folder in (("raw", "raw"), (None, "default")):
        options = {"name": name} if name else {}
        built = source(tmp_path, format="hub", path="o/set", revision="unverified", train="train[:10]", **options)
        assert data(built) == [{"text": "a"}]
        files = {"train": f"{folder}/train/*.parquet"}
        assert asked[-1] == {
            "path": "o/set",
            "name": None,
            "split": "train[:10]",
            "data_files": files,
            "revision": "refs/convert/parquet",
        }
    pinned = source(tmp_path, format="hub", path="o/set", revision="0123456789" * 4, train="train")
    with pytest.raises(DataError, match="scripts are no longer supported"):
        data(pinned)


def test_atlas_is_a_format(tmp_path: Path) -> None:
    built = source(tmp_path, format="atlas", family="ner", language="en", train=2)
    assert len(data(built)) == 2
    assert "atlas" in SOURCES.names()


REAL = [
    ({"format": "csv", "train": "banking77/train.csv", "test": "banking77/test.csv"}, {"train": 10003, "test": 3080}),
    (
        {
            "format": "conll",
            "train": "wnut17/wnut17train.conll",
            "valid": "wnut17/emerging.dev.conll",
            "test": "wnut17/emerging.test.annotated",
        },
        {"train": 3394, "valid": 1009, "test": 1287},
    ),
    ({"format": "squad", "test": "squad_dev/dev-v2.0.from_html.json"}, {"test": 11873}),
    ({"format": "squad", "test": "squad_dev/dev-v1.1.from_html.json"}, {"test": 10570}),
    ({"format": "squad", "test": "drcd/DRCD_test.json", "valid": "drcd/DRCD_dev.json"}, {"test": 3493, "valid": 3524}),
    ({"format": "tsv", "header": ["en", "zh"], "all": "tatoeba_en_zh/cmn.txt"}, {"all": 20133}),
    (
        {"format": "csv", "valid": "e2e_nlg/devset.csv", "test": "e2e_nlg/testset_w_refs.csv"},
        {"valid": 4672, "test": 4693},
    ),
    ({"format": "parallel", "train": {"mr": "e2e_nlg/e2e_aligned.tar.gz!e2e_aligned/src_train.txt"}}, {"train": 42061}),
    ({"format": "json", "records": "train", "train": "clinc150/data_full.json"}, {"train": 15000}),
    ({"format": "jsonl", "all": "mbpp/mbpp.jsonl"}, {"all": 974}),
    (
        {
            "format": "parallel",
            "encoding": "latin-1",
            "train": {"text": "sentence_polarity/sentence_polarity.zip!sentence_polarity/rt-polarity.pos"},
        },
        {"train": 5331},
    ),
]


@pytest.mark.parametrize(("spec", "counts"), REAL, ids=lambda value: str(value.get("format", "")))
def test_real_data_have_the_published_counts(tmp_path: Path, spec: dict[str, Any], counts: dict[str, int]) -> None:
    if not data_dir().is_dir():
        pytest.skip(f"no data sets at {data_dir()}; set T2T_DATA")
    built = build_source(spec, tmp_path, "t.yaml:4")
    found = Counter({split: sum(1 for _ in built.records(split)) for split in built.splits()})
    assert found == counts


@pytest.mark.parametrize("split", ["/../../../x", "..", "a/b", "", ".hidden", "a b", "x\n"])
def test_a_split_is_called_by_a_name(tmp_path: Path, split: str) -> None:
    write(tmp_path / "a.jsonl", "{}\n")
    with pytest.raises(TemplateError, match="is no name"):
        source(tmp_path, format="jsonl", splits={split: "a.jsonl"})


def test_splits_have_names_of_any_script(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", "{}\n")
    assert source(tmp_path, format="jsonl", splits={"验证": "a.jsonl", "dev-2.b": "a.jsonl"}).splits() == [
        "验证",
        "dev-2.b",
    ]


def test_a_source_without_a_format_is_told(tmp_path: Path) -> None:
    for spec in ({"format": None, "train": "a.csv"},):
        with pytest.raises(TemplateError, match="format: names no format; use one of: atlas, brat, "):
            build_source(spec, tmp_path, "t.yaml:3")

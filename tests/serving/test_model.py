"""A trained model answers records without gold: by command and by Python, whatever form they are in."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import T5ForConditionalGeneration

import t2t
from t2t.cli import main
from t2t.config.run import Lengths
from t2t.errors import DataError, InputError, RunFileError
from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import train_tokenizer
from t2t.serving import outputs
from t2t.structures import Span
from t2t.tasks.kept import FILE, keep
from t2t.tasks.task import load_task

TEXTS = ["Ada moved to Oslo", "Rome fell; Bo wept", "no names here", "Oslo, Oslo and Oslo"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights that keeps two tasks: constrained, its outputs parse all the same."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = train_tokenizer([f"find names: {text} = city ; person" for text in TEXTS] * 5, 600)
    torch.manual_seed(1)
    t5 = build_from_scratch(
        {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}, len(tokenizer)
    )
    t5.save(tokenizer, folder, 48)
    tasks = [load_task("atlas/ner_en"), load_task("atlas/qa_en")]
    (folder / FILE).write_text(keep(tasks, Lengths(prompt=128, target=48), "0.1.0"), encoding="utf-8")
    return folder


def test_python(model: Path) -> None:
    loaded = t2t.load(model)
    assert loaded.tasks == ["atlas/ner_en", "atlas/qa_en"]
    answers = loaded("atlas/ner_en", TEXTS)
    assert [one.id for one in answers] == ["1", "2", "3", "4"]
    for one, text in zip(answers, TEXTS, strict=True):
        assert isinstance(one.value, list)
        assert one.score < 0
        for item in one.value:
            assert isinstance(item["text"], Span)
            assert text[item["text"].start : item["text"].end] == item["text"].text
            assert item["type"] in ("country", "city", "language", "currency")
    mapped = loaded("atlas/ner_en", [{"text": text, "id": f"x{n}"} for n, text in enumerate(TEXTS)])
    assert [one.value for one in mapped] == [one.value for one in answers]
    assert [one.id for one in mapped] == ["x0", "x1", "x2", "x3"]
    with pytest.raises(InputError, match="no task 'atlas/ner'"):
        loaded("atlas/ner", TEXTS)
    with pytest.raises(DataError, match="input 1: the record has no 'text'"):
        loaded("atlas/ner_en", [{"txt": "x"}])
    with pytest.raises(RunFileError, match=r"atlas/qa_en reads .*, not one text"):
        loaded("atlas/qa_en", ["x"])


def test_an_output_is_as_long_as_training_targets_allow(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    kept = json.loads((model / FILE).read_text())
    (copy / FILE).write_text(json.dumps({**kept, "target_tokens": {"atlas/ner_en": 2}}))

    def longest(loaded: Any) -> int:
        answers = loaded("atlas/ner_en", TEXTS)
        assert all({issue.kind for issue in one.issues} & {"cut", "closed"} for one in answers)
        return max(len(loaded.generator.tokenizer(one.text).input_ids) for one in answers)

    assert longest(t2t.load(copy)) <= 2 * 3 // 2 + 8 < longest(t2t.load(copy, max_tokens=30)) <= 30


def run(model: Path, *arguments: str) -> int:
    return main(["generate", "--model", str(model), *arguments])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def inputs(folder: Path) -> dict[str, Path]:
    """The same texts in each form."""
    made = {name: folder / f"in.{name}" for name in ("jsonl", "json", "csv", "tsv", "parquet", "txt")}
    rows = [{"text": text, "lang": "en"} for text in TEXTS]
    made["jsonl"].write_text("".join(json.dumps(row) + "\n" for row in rows))
    made["json"].write_text(json.dumps(rows))
    made["csv"].write_text("text,lang\n" + "".join(f'"{text}",en\n' for text in TEXTS))
    made["tsv"].write_text("text\tlang\n" + "".join(f"{text}\ten\n" for text in TEXTS))
    pq.write_table(pa.Table.from_pylist(rows), made["parquet"])
    made["txt"].write_text("".join(f"{text}\n" for text in TEXTS))
    return made


def same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Equal but for the last digits of scores, which another batch sums otherwise."""
    without = [[{**one, "score": 0, "confidence": 0} for one in some] for some in (found, expected)]
    assert without[0] == without[1]
    for name in ("score", "confidence"):
        assert [one[name] for one in found] == pytest.approx([one[name] for one in expected], abs=1e-4)


def test_every_form_of_input_and_output(model: Path, tmp_path: Path) -> None:
    expected = [one.to_json() for one in t2t.load(model)("atlas/ner_en", TEXTS)]
    for form, path in inputs(tmp_path).items():
        out = tmp_path / f"{form}.jsonl"
        assert run(model, "--task", "atlas/ner_en", "--input", str(path), "--output", str(out)) == 0
        same(lines(out), expected)
    out = tmp_path / "out.parquet"
    more = ("--keep", "lang", "--output", str(out))
    assert run(model, "--task", "atlas/ner_en", "--input", str(tmp_path / "in.csv"), *more) == 0
    table = [(row["id"], json.loads(row["value"]), row["lang"]) for row in pq.read_table(out).to_pylist()]
    assert table == [(one["id"], one["value"], "en") for one in expected]
    assert list(tmp_path.glob("*.part")) == []


def test_standard_input_and_another_name_for_a_column(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = [one.to_json() for one in t2t.load(model)("atlas/ner_en", TEXTS[:2])]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{TEXTS[0]}\n\n" + json.dumps({"text": TEXTS[1]}) + "\n"))
    assert run(model, "--task", "atlas/ner_en", "--input", "-") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    same(found, [expected[0], {**expected[1], "id": "3"}])
    (tmp_path / "a.jsonl").write_text(json.dumps({"content": TEXTS[0], "n": 7}) + "\n")
    more = ("--field", "text=content", "--keep", "n,content")
    assert run(model, "--task", "atlas/ner_en", "--input", str(tmp_path / "a.jsonl"), *more) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    same(found, [{**expected[0], "n": 7, "content": TEXTS[0]}])


def test_bad_records_lose_nothing_of_the_rest(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, last = (json.dumps({"text": text}) for text in TEXTS[:2])
    rows = [first, "{broken", json.dumps({"txt": 1}), json.dumps({"text": 5}), last]
    rows += ['{"text": "é"}'] * 9  # so that one broken line is no sign of another encoding
    (tmp_path / "a.jsonl").write_bytes("\n".join(rows).encode() + b'\n{"text": "caf\xe9"}\n')
    out = tmp_path / "out.jsonl"
    assert run(model, "--task", "atlas/ner_en", "--input", str(tmp_path / "a.jsonl"), "--output", str(out)) == 0
    expected = [one.to_json()["value"] for one in t2t.load(model)("atlas/ner_en", TEXTS[:2])]
    assert [line["value"] for line in lines(out)[:2]] == expected
    assert [line["id"] for line in lines(out)] == ["1", "5", *map(str, range(6, 15))]
    rejects = lines(tmp_path / "out.jsonl.bad.jsonl")
    assert [one["where"].rpartition(":")[2] for one in rejects] == ["2", "3", "4", "15"]
    assert "4 records were set aside" in capsys.readouterr().err


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_tables_come_by_standard_input_and_are_read_as_they_are(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = [one.to_json() for one in t2t.load(model)("atlas/ner_en", [TEXTS[0], "café Oslo"])]
    table = f"n;content\n7;{TEXTS[0]}\n8;café Oslo\n".encode("cp1252")
    (tmp_path / "a.csv").write_bytes(table)
    more = ("--task", "atlas/ner_en", "--field", "text=content", "--keep", "n,id")
    wanted = [{**one, "n": n, "input_id": None} for one, n in zip(expected, ("7", "8"), strict=True)]
    for given in (("--input", str(tmp_path / "a.csv")), ("--input", "-", "--format", "csv")):
        piped(monkeypatch, table)
        assert run(model, *more, *given) == 0
        told = capsys.readouterr()
        same([json.loads(line) for line in told.out.splitlines()], wanted)
        assert "is read as cp1252" in told.err
    piped(monkeypatch, json.dumps([{"text": TEXTS[0]}]).encode())
    assert run(model, "--task", "atlas/ner_en", "--input", "-", "--format", "json") == 0
    same([json.loads(line) for line in capsys.readouterr().out.splitlines()], expected[:1])
    piped(monkeypatch, b"\xef\xbb\xbf" + TEXTS[0].encode())  # a byte order mark is no text
    assert run(model, "--task", "atlas/ner_en", "--input", "-") == 0
    same([json.loads(line) for line in capsys.readouterr().out.splitlines()], expected[:1])


@pytest.mark.parametrize(
    ("data", "more", "message"),
    [
        (b"n,content\n7,x\n", ("--field", "text=content"), "has no 'content' (it has text); correct --field"),
        (b'[{"text": "x"}]\n', (), "a list of JSON begins there; say --format json"),
        (b"{x\n", (), "or say --format lines if it is a text"),
        (b'{"text": null}\n', (), "'text' is null, which atlas/ner_en reads; give it a value"),
    ],
)
def test_what_stands_on_standard_input_is_told(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: bytes,
    more: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    piped(monkeypatch, data)
    assert run(model, "--task", "atlas/ner_en", "--input", "-", *more) == 2
    assert message in capsys.readouterr().err


def test_no_record_and_a_folder_as_output_are_told(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    piped(monkeypatch, b"\n")
    assert run(model, "--task", "atlas/ner_en", "--input", "-") == 0
    assert "standard input holds no record" in capsys.readouterr().err
    (tmp_path / "a.txt").write_text(TEXTS[0])
    more = ("--input", str(tmp_path / "a.txt"), "--output", str(tmp_path))
    assert run(model, "--task", "atlas/ner_en", *more) == 2
    assert "is a folder; name a file" in capsys.readouterr().err


def test_columns_of_the_answer_are_not_overwritten(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f'text,score,value\n"{TEXTS[0]}",high,mine\n')
    for out in ("out.jsonl", "out.parquet"):
        more = ("--input", str(tmp_path / "a.csv"), "--keep", "score,value", "--output", str(tmp_path / out))
        assert run(model, "--task", "atlas/ner_en", *more) == 0
    (line,), (row,) = lines(tmp_path / "out.jsonl"), pq.read_table(tmp_path / "out.parquet").to_pylist()
    for found in (line, row):
        assert (found["input_score"], found["input_value"]) == ("high", "mine")
        assert isinstance(found["score"], float)
    assert json.loads(row["value"]) == line["value"]


@pytest.mark.parametrize("given", ["one text", {"text": "x"}, None, 3, ["x", 3], [None]])
def test_inputs_are_a_list_of_texts_or_records(model: Path, given: Any) -> None:
    with pytest.raises(InputError, match=r"give a (list of texts or of records|str or a mapping)"):
        t2t.load(model)("atlas/ner_en", given)


def test_where_no_record_can_be_answered_the_first_error_is_told(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"content": "x"}) + "\n" + json.dumps({"content": "y"}) + "\n")
    out = tmp_path / "out.parquet"
    assert run(model, "--task", "atlas/ner_en", "--input", str(tmp_path / "a.jsonl"), "--output", str(out)) == 2
    assert "none of 2 records could be answered" in capsys.readouterr().err
    assert len(lines(tmp_path / "out.parquet.bad.jsonl")) == 2
    assert not out.exists()
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": TEXTS[0]}) + "\n")
    assert run(model, "--task", "atlas/ner_en", "--input", str(tmp_path / "b.jsonl"), "--output", str(out)) == 0
    assert not (tmp_path / "out.parquet.bad.jsonl").exists()  # it spoke of another run


def test_a_field_that_is_named_wins_over_the_template(model: Path, tmp_path: Path) -> None:
    kept = json.loads((model / FILE).read_text())
    for one in kept["tasks"]:
        one["fields"] = {**(one["fields"] or {}), "text": "sentence"}
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    (copy / FILE).write_text(json.dumps(kept))
    (tmp_path / "a.jsonl").write_text(json.dumps({"sentence": "none here", "content": TEXTS[0]}) + "\n")
    given = ("--task", "atlas/ner_en", "--input", str(tmp_path / "a.jsonl"), "--output", str(tmp_path / "out.jsonl"))
    expected = [one.to_json() for one in t2t.load(model)("atlas/ner_en", [TEXTS[0], "none here"])]
    assert run(copy, *given, "--field", "text=content") == 0
    same(lines(tmp_path / "out.jsonl"), expected[:1])
    assert run(copy, *given) == 0
    same(lines(tmp_path / "out.jsonl"), [{**expected[1], "id": "1"}])


def test_columns_of_any_kind_are_kept_in_parquet(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outputs, "_ROWS", 2)
    values: list[Any] = [None, None, "s", 3, [1], 2.5]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": TEXTS[0], "n": n}) + "\n" for n in values))
    more = ("--keep", "n,nothere", "--output", str(tmp_path / "out.parquet"))
    assert run(model, "--task", "atlas/ner_en", "--input", str(tmp_path / "a.jsonl"), *more) == 0
    assert pq.read_table(tmp_path / "out.parquet")["n"].to_pylist() == [None, None, "s", "3", "[1]", "2.5"]
    assert "the first record has no 'nothere' (it has text, n)" in capsys.readouterr().err


def test_empty_lines_and_bytes_that_are_no_text(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text(f"{TEXTS[0]}\n\n  \n{TEXTS[1]}\n")
    out = tmp_path / "out.jsonl"
    assert run(model, "--task", "atlas/ner_en", "--input", str(tmp_path / "a.txt"), "--output", str(out)) == 0
    expected = [one.to_json() for one in t2t.load(model)("atlas/ner_en", TEXTS[:2])]
    same(lines(out), [expected[0], {**expected[1], "id": "4"}])  # the number of its line
    piped = f"{TEXTS[0]}\n".encode() + b"caf\xe9\n" + f"{TEXTS[1]}\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    assert run(model, "--task", "atlas/ner_en", "--input", "-") == 0
    told = capsys.readouterr()
    same([json.loads(line) for line in told.out.splitlines()], [expected[0], {**expected[1], "id": "3"}])
    assert "standard input:2: no utf-8 text" in told.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "m", "--config", "c"), "--config and --model"),
        ((), "there is neither --config nor --model"),
        (("--model", "m"), "--input is missing"),
        (("--model", "m", "--input", "x", "--types", "a"), "--types goes with --config"),
        (("--model", "m", "--input", "x", "--set", "seed=1"), "seed says nothing of records that are of no run"),
        (("--model", "m", "--input", "x", "--set", "generate.splits=[a]"), "generate.splits says nothing of"),
        (("--model", "m", "--input", "x", "--set", "generate.beam=2"), "did you mean 'beams'"),
        (("--model", "m", "--input", "x", "--set", "generate.engine=onnx"), "unknown engine 'onnx'"),
        (("--model", "nowhere", "--input", "x"), "no model/config.json"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_folder_loads_in_plain_transformers(model: Path) -> None:
    assert T5ForConditionalGeneration.from_pretrained(model).config.d_model == 32


def test_the_public_names_and_what_an_import_costs() -> None:
    assert t2t.__all__ == ["Task", "__version__", "evaluate", "load", "train"]
    for name in ("Task", "evaluate", "load", "train"):
        assert getattr(t2t, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = t2t.lod
    code = "import sys, t2t; heavy = {'torch', 'transformers'}; assert not heavy & set(sys.modules); "
    code += "t2t.Task; assert not heavy & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("precision", "hardware", "dtype"),
    [
        ("fp32", True, torch.float32),
        ("bf16", False, torch.bfloat16),
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
    ],
)
def test_precision_is_as_asked_and_auto_goes_by_the_hardware(
    model: Path, monkeypatch: pytest.MonkeyPatch, precision: str, hardware: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr("t2t.serving.loading.multiplies_bf16", lambda device: hardware)
    loaded = t2t.load(model, precision=precision)
    assert {weight.dtype for weight in loaded.generator.engine.model.module.parameters()} == {dtype}
    (answer,) = loaded("atlas/ner_en", TEXTS[:1])
    assert not answer.issues or answer.constrained


def test_an_unknown_precision_is_refused(model: Path) -> None:
    with pytest.raises(InputError, match="precision: 'fp16' is unknown"):
        t2t.load(model, precision="fp16")

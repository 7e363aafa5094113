"""``t2t check`` over whole data: characters, lengths, labels, kinds, duplicates, bad records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t2t.authoring.check import check
from t2t.authoring.check.duplicates import Duplicates
from t2t.authoring.check.findings import LengthCounts
from t2t.cli import main
from t2t.tasks.sources import data_dir

SPIECE = data_dir() / "sentencepiece_models" / "t5" / "spiece.model"
needs_t5 = pytest.mark.skipif(not SPIECE.is_file(), reason=f"no {SPIECE}")
HEAD = """\
task: demo/x
version: 1
source: {format: jsonl, train: train.jsonl%s}
prompt: "say: {text}"
"""
COPY = HEAD + "target: {text: text}\nmetrics: [exact_match]\n"
ANSWER = HEAD + "%starget: {span_of: text, gold: answer}\nmetrics: [squad_em]\n"
LABEL = HEAD + "target: {label: [good, bad, fair], gold: label}\nmetrics: [accuracy]\n"
Row = dict[str, Any]


def write(folder: Path, template: str, train: list[Row] | str, test: list[Row] | None = None) -> str:
    path = folder / "demo" / "x.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(template.replace("%s", ", test: test.jsonl" if test is not None else "", 1).replace("%s", ""))
    for name, rows in (("train", train), ("test", test or [])):
        text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
        (path.parent / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return str(path)


def found(name: str, tokenizer: Path | None = None, split: int = 0) -> Row:
    report: Row = json.loads(check([name], tokenizer, as_json=True)[0])
    splits: list[Row] = report["tasks"][0]["splits"]
    return splits[split]


@pytest.fixture
def t5(tmp_path: Path) -> Path:
    folder = tmp_path / "t5"
    folder.mkdir()
    shutil.copy(SPIECE, folder / "spiece.model")
    return folder


ASCII = "".join(map(chr, range(32, 127)))
LETTERS = "ÄÖÀÈÇÅÆØñãłğİōćčšž"
MISSING = set("\\^`{}~<")


@needs_t5
def test_t5_cannot_say_exactly_what_the_reference_names(tmp_path: Path, t5: Path) -> None:
    rows = [{"text": f"a {char} b"} for char in ASCII + LETTERS + "中国é"] + [
        {"text": f"a {char}b"} for char in "\n\t\r"
    ]
    split = found(write(tmp_path, COPY, rows), t5)
    assert set(split["characters"]["text"]) == MISSING | set(LETTERS) | set("中国\n\t\r ")
    # Layout and T5's own gaps stand escaped in a target, but braces are no marks of this tree.
    assert set(split["characters"]["target:"]) >= MISSING
    told = [split[key] for key in ("n", "targets_changed", "targets_lost")]
    # What Unicode decomposes loses its accent only; the others are unknown, and more than a twentieth of the targets.
    assert told == [len(rows), len(MISSING) + len(LETTERS) + 2, len(MISSING) + len("ÆØłı中国") - 1]
    assert split["errors"]["count"] == 1
    assert f"12 of {len(rows)} targets lose more than an accent, characters" in split["errors"]["first"][0]


@needs_t5
def test_with_the_unused_rows_only_letters_are_left(tmp_path: Path, t5: Path) -> None:
    (t5 / "config.json").write_text('{"vocab_size": 32128}')
    rows = [{"text": f"a {char} b  c\n"} for char in ASCII + LETTERS + "中"]
    split = found(write(tmp_path, COPY, rows), t5)
    assert set(split["characters"]["text"]) == set(LETTERS + "中")
    assert (split["targets_changed"], split["targets_lost"], split["errors"]["count"]) == (len(LETTERS) + 1, 4, 0)


@needs_t5
def test_characters_are_counted_by_field_and_what_is_only_normalised_apart(tmp_path: Path, t5: Path) -> None:
    name = write(tmp_path, COPY.replace("say:", "{{ say:").replace("{text}", "{text} of {who}"), [
        {"text": "well…", "who": "{ ł ł"}, {"text": "x", "who": "y"},
    ])  # fmt: skip
    split = found(name, t5)
    assert split["characters"] == {"who": {"ł": 2, "{": 1}, "prompt:": {"{": 2}}
    assert split["normalised"] == {"text": {"…": 1}, "target:": {"…": 1}}
    assert (split["targets_changed"], split["errors"]["count"]) == (0, 0)


@needs_t5
def test_of_spaces_the_lost_ones_are_counted(tmp_path: Path, t5: Path) -> None:
    split = found(write(tmp_path, COPY, [{"text": "four words and  two spaces   three"}]), t5)
    assert split["characters"] == {"text": {" ": 3}}


@needs_t5
def test_cuts_are_counted_and_answers_that_they_take(tmp_path: Path, t5: Path) -> None:
    long = "word " * 600
    rows = [{"text": f"{long}Oslo", "answer": "Oslo"}, {"text": f"Oslo {long}", "answer": "Oslo"}]
    placed = [{**row, "answer": {"text": "Oslo", "start": row["text"].index("Oslo")}} for row in rows]
    shortened = found(write(tmp_path, ANSWER.replace("%starget", "shorten: {field: text}\ntarget"), placed), t5)
    assert (shortened["prompt"]["limit"], shortened["prompt"]["over_limit"]) == (512, 2)
    assert (shortened["answers_cut"], shortened["unshortened"]) == (1, 0)
    whole = found(write(tmp_path, ANSWER, placed), t5)
    assert (whole["answers_cut"], whole["unshortened"]) == (0, 2)


def test_labels_kinds_and_duplicates(tmp_path: Path) -> None:
    train = [{"text": f"t{n}", "label": "good", "n": n} for n in range(9)] + [{"text": "t0", "label": "bad", "n": "9"}]
    test = [{"text": "t3", "label": "good"}, {"text": "new", "label": "bad"}]
    name = write(tmp_path, LABEL, train, test)
    first, second = found(name), found(name, split=1)
    assert first["labels"] == {"": {"good": 9, "bad": 1, "fair": 0}}
    assert first["mixed"] == {"n": {"a number": 9, "a text": 1}}
    assert (first["repeated"], second["in_train"], second["repeated"]) == (1, 1, 0)
    text, errors = check([name])
    assert errors == 0
    assert "note: train: labels of the target that never occur: fair" in text
    assert "note: train: field n is of several kinds: a number 9, a text 1" in text
    assert "note: test: 1 prompts stand in train too" in text
    (line,) = (line for line in text.splitlines() if "most often" in line)
    assert line.split() == ["most", "often", "good", "90.0%", "good", "50.0%"]


def test_items_of_lists_have_kinds_too(tmp_path: Path) -> None:
    split = found(
        write(tmp_path, LABEL, [{"text": "t", "label": "good", "l": [1, "a"]}, {"text": "u", "label": "bad"}])
    )
    assert split["mixed"] == {"l[]": {"a number": 1, "a text": 1}}


@pytest.mark.parametrize(("on_bad", "errors"), [("stop", 8), ("skip", 0)])
def test_bad_records_are_all_found(tmp_path: Path, on_bad: str, errors: int) -> None:
    lines = ['{"text": "a", "label": "good"}\n', "{broken\n", '{"text": 1, "label": "ugly"}\n'] + ["[\n"] * 6
    name = write(tmp_path, LABEL.replace("prompt:", f"on_bad: {on_bad}\nprompt:"), "".join(lines))
    split = found(name)
    assert (split["n"], split["bad_records"]["count"]) == (1, 8)
    assert len(split["bad_records"]["first"]) == 5
    assert split["bad_records"]["first"][1].startswith("train.jsonl:3: gold of 'label' is 'ugly'")
    text, counted = check([name])
    assert counted == errors
    assert "bad records" in text
    kind = "error" if errors else "note: train: set aside"
    assert f"{kind}: train.jsonl:2: no JSON" in text
    assert f"{kind}: and 3 more" in text


def test_exit_codes_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = write(tmp_path, LABEL, [{"text": "a", "label": "good"}])
    assert main(["check", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"][0]["task"] == "demo/x"
    name = write(tmp_path, LABEL, [{"text": "a", "label": "god"}])
    assert main(["check", name]) == 1
    assert "did you mean 'good'?" in capsys.readouterr().out


def test_duplicates_take_8_bytes_each() -> None:
    duplicates = Duplicates()
    for number in range(200_000):
        duplicates.add("train", str(number))
        if number % 3 == 0:
            duplicates.add("test", str(-number))
    held = duplicates._hashes["train"]
    assert held.itemsize * len(held) == 8 * 200_000
    assert duplicates.count("train") == (0, 0)
    assert duplicates.count("test") == (0, 1)  # 0 and -0
    assert np.shares_memory(duplicates._sorted["train"], np.frombuffer(held, dtype=np.uint64))


def test_a_histogram_of_many_lengths_stays_small() -> None:
    lengths = LengthCounts(512)
    for length in range(1, 100_001):
        lengths.add(length)
    assert len(lengths._counts) < 2000
    assert (lengths.longest, lengths.over) == (100_000, 99_488)
    assert lengths.quantile(0.5) == pytest.approx(50_000, rel=1 / 64)
    assert lengths.histogram()[4] == 2
    assert sum(lengths.histogram().values()) == 100_000


def test_exit_codes_tell_errors_from_what_cannot_be_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = write(tmp_path, LABEL, '{"text": "a", "label": "ugly"}\n')
    assert main(["check", name]) == 1
    Path(name).write_text(Path(name).read_text().replace("prompt:", "promt:"))
    assert main(["check", name]) == 2
    assert main(["check", "no/such"]) == 2
    assert "Traceback" not in capsys.readouterr().err

"""Samples of records without gold: by command and by Python, the same however the work is cut."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import t2t
from t2t.cli import main
from t2t.errors import InputError
from t2t.generation.generator import Output
from t2t.generation.torch_engine import TorchEngine
from t2t.serving import batch_job
from t2t.serving.answers import Answered
from t2t.structures import Example, Json
from tests.serving.test_model import TEXTS, lines, model, same  # noqa: F401 (the fixture of that folder)

SAMPLE = {"temperature": 1.5, "top_p": 0.95, "n": 3}
SET = [word for key, value in SAMPLE.items() for word in ("--set", f"generate.sample.{key}={value}")]


def without_id(line: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in line.items() if key != "id"}


def test_an_answer_has_all_samples_the_first_of_which_it_is(model: Path) -> None:  # noqa: F811
    answers = t2t.load(model, sample=SAMPLE)("atlas/ner_en", TEXTS)
    for answer in answers:
        assert len(answer.samples) == 3
        first = answer.samples[0]
        assert (first.id, first.value, first.score, first.samples) == (answer.id, answer.value, answer.score, ())
        assert {issue.kind for sample in answer.samples for issue in sample.issues} <= {"closed"}
    assert len({sample.text for answer in answers for sample in answer.samples}) > len(TEXTS)
    (one,) = t2t.load(model, sample={**SAMPLE, "n": 1})("atlas/ner_en", TEXTS[:1])
    assert (one.value, one.samples, "samples" in one.to_json()) == (answers[0].value, (), False)


def test_the_command_writes_what_python_gives(model: Path, tmp_path: Path) -> None:  # noqa: F811
    expected = [one.to_json() for one in t2t.load(model, sample=SAMPLE)("atlas/ner_en", TEXTS)]
    (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    given = ["generate", "--model", str(model), "--task", "atlas/ner_en", "--input", str(tmp_path / "in.txt"), *SET]
    for name in ("out.jsonl", "out.parquet"):
        assert main([*given, "--output", str(tmp_path / name)]) == 0
    found = lines(tmp_path / "out.jsonl")
    same([without_samples(line) for line in found], [without_samples(line) for line in expected])
    for line, other in zip(found, expected, strict=True):
        assert [list(sample) for sample in line["samples"]] == [["value", "issues", "score", "confidence"]] * 3
        same(line["samples"], other["samples"])
        same(line["samples"][:1], [without_id(without_samples(line))])
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [json.loads(row["samples"]) for row in table] == [line["samples"] for line in found]


def without_samples(line: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in line.items() if key != "samples"}


def test_chunks_and_order_leave_no_trace(
    model: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def values(texts: list[str], chunk: int) -> dict[str, list[Json]]:
        monkeypatch.setattr(batch_job, "CHUNK", chunk)
        (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text in texts))
        out = tmp_path / f"out{chunk}.jsonl"
        given = ["generate", "--model", str(model), "--task", "atlas/ner_en", "--input", str(tmp_path / "in.txt")]
        assert main([*given, *SET, "--output", str(out)]) == 0
        said = [[sample["value"] for sample in line["samples"]] for line in lines(out)]
        return dict(zip(texts, said, strict=True))

    texts = [f"{text} {number}" for number in range(3) for text in TEXTS]
    assert values(texts, 100) == values(texts[::-1], 5)


def test_what_cannot_be_is_told(model: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    for given, message in (
        ({"sample": {"temprature": 1.0}}, "sample.temprature: unknown key 'temprature'; did you mean 'temperature'"),
        ({"sample": {"top_p": 1.5}}, r"sample.top_p: top_p: 1.5 is not less than or equal to 1"),
        ({"sample": {}, "num_beams": 4}, "sample: beams search for the likeliest output, and sample draws; leave out"),
        ({"sample": {}, "engine": "ctranslate2"}, "sample: sample is of the engine torch, not of ctranslate2"),
        ({"sample": {}, "top": 2}, "sample: top weighs every answer of a closed set, and sample draws"),
    ):
        with pytest.raises(InputError, match=message):
            t2t.load(model, **given)
    for more, told in (
        (["--set", "generate.beams=2"], "--set generate.sample.n=2: beams search"),
        (["--set", "generate.engine=ctranslate2"], "--set generate.sample.n=2: sample is of the engine torch"),
        (["--top", "2"], "--set generate.sample.n=2: top weighs"),
    ):
        given = ["generate", "--model", "nowhere", "--input", "x", "--set", "generate.sample.n=2", *more]
        assert main(given) == 2
        assert told in capsys.readouterr().err


def test_auto_is_torch_where_outputs_are_drawn(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("t2t.serving.loading._converts", lambda folder: True)
    assert isinstance(t2t.load(model, engine="auto", sample=SAMPLE).generator.engine, TorchEngine)


def test_a_sample_of_an_example_in_windows_has_that_sample_of_each_window() -> None:
    def drawn(window: str) -> Output:
        samples = tuple(Output(window, (5, 1), f"{window}{number}", -1.0 - number, False) for number in range(3))
        return replace(samples[0], samples=samples)

    answered = Answered(Example("x", {}, None), ("p", "q"), (drawn("a"), drawn("b")))
    assert answered.text == "a0\nb0"
    assert [one.text for one in answered.samples] == ["a0\nb0", "a1\nb1", "a2\nb2"]
    assert [(one.score, one.total, one.prompts, one.samples) for one in answered.samples] == [
        (-1.0 - number, 4 * (-1.0 - number), ("p", "q"), ()) for number in range(3)
    ]

"""A teacher in a run: who may teach, what its targets are, and what the run keeps of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import t2t
from t2t.config.run import Lengths, RunConfig, TeacherSettings, load_run
from t2t.data.encode import Encoded
from t2t.errors import RunFileError
from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import encode_texts, train_tokenizer
from t2t.runs.run_tasks import load_tasks
from t2t.tasks.kept import FILE, keep
from t2t.tasks.task import load_task
from t2t.training import teacher
from t2t.training.epochs import data_by_epoch
from t2t.training.preparation import Prepared, prepare
from tests.training.test_validation import RUN, TEMPLATE, make, start

SHAPE = {"d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 4}
OWN_TOKENIZER = "tokenizer: {vocab_size: 520}\n"
LIMITS = Lengths(prompt=32, target=16)
WORDED = TEMPLATE.replace('prompt: "colour of {thing}"', 'prompts: [{text: "colour of {thing}"}, {text: "{thing} ?"}]')


def school(folder: Path, run: str = RUN, template: str = TEMPLATE) -> Path:
    """A run, and beside it a teacher of random weights that knows its task; the working directory is the run's."""
    make(folder, run, template)
    tokenizer = train_tokenizer(["colour of red green blue abc 1 2 3 ?"] * 9, 540)
    build_from_scratch(SHAPE, len(tokenizer), 5).save(tokenizer, folder / "teacher")
    tasks = [load_task(str(folder / "task_templates" / "demo" / "colour.yaml"))]
    (folder / "teacher" / FILE).write_text(keep(tasks, LIMITS, "0"), encoding="utf-8")
    return folder


def prepared(config: RunConfig) -> Prepared:
    return prepare(config, load_tasks(config.tasks, config.where))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def labels(rows: list[Encoded]) -> list[list[int]]:
    return [row.labels.tolist() for row in rows]


def test_one_of_another_vocabulary_is_refused_with_its_line(place: Path) -> None:
    school(place, RUN + "teacher:\n  from: teacher\n")
    with pytest.raises(RunFileError) as caught:
        prepared(load_run("run.yaml"))
    said = "run.yaml:14: the teacher has another vocabulary: 501 pieces, this run 510, and the first that differs is "
    assert str(caught.value).startswith(said)
    assert "take its tokenizer (tokenizer: {from: teacher})" in str(caught.value)
    by_set = "--set teacher.from=nowhere: nowhere: no model/config.json; train first"
    with pytest.raises(RunFileError, match=by_set):
        prepared(load_run("run.yaml", ["teacher.from=nowhere"]))


def test_a_student_without_a_tokenizer_takes_that_of_its_teacher(place: Path) -> None:
    school(place, RUN.replace(OWN_TOKENIZER, "teacher: {from: teacher}\n"))
    found = prepared(load_run("run.yaml"))
    assert len(found.tokenizer) == 501
    assert not found.taught


def test_its_targets_are_what_it_answers(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    school(place, RUN + "teacher: {from: teacher, targets: generated}\n")
    gold = prepared(load_run("run.yaml", ["teacher=null"]))
    found = prepared(load_run("run.yaml"))  # of another vocabulary: it needs no common one
    things = [{"thing": one.fields["thing"]} for one in found.tasks[0].examples("train")]
    wanted = [one.text for one in t2t.load("teacher")("demo/colour", things)]
    assert set(wanted) <= {"red", "green", "blue"}  # under the grammar: the weights are random
    assert labels(found.data[0]) == encode_texts(found.tokenizer, wanted)
    assert labels(found.data[0]) != labels(gold.data[0])
    assert [row.input_ids.tolist() for row in found.data[0]] == [row.input_ids.tolist() for row in gold.data[0]]
    assert "demo/colour: the teacher wrote 200 targets, " in capsys.readouterr().out

    monkeypatch.setattr(teacher, "load_generator", None)  # what it wrote is kept
    assert labels(prepared(load_run("run.yaml")).data[0]) == labels(found.data[0])


@pytest.mark.parametrize("more", ["", "few_shot: 1\n"], ids=["wordings", "more than wordings"])
def test_its_targets_stay_in_every_epoch(place: Path, more: str) -> None:
    school(place, RUN + "teacher: {from: teacher, targets: generated}\n", WORDED + more)
    found = prepared(load_run("run.yaml", ["lengths.prompt=64"]))
    data, first = data_by_epoch(found), found.data[0]
    epochs = [data(epoch)[0] for epoch in range(2)]
    assert all(labels(rows) == labels(first) for rows in epochs)
    varied = [row.input_ids.tolist() for row in epochs[0]] != [row.input_ids.tolist() for row in epochs[1]]
    assert varied == (not more)


def test_its_hash_is_that_of_its_weights(place: Path) -> None:
    school(place)
    settings = TeacherSettings(source="teacher")
    before = teacher.teacher_hash(settings)
    (place / "teacher" / "notes.txt").write_text("nothing that it says hangs on this")
    assert teacher.teacher_hash(settings) == before
    build_from_scratch(SHAPE, 540, 6).module.save_pretrained(place / "teacher")
    assert teacher.teacher_hash(settings) != before
    assert teacher.teacher_hash(None) == ""


def test_a_run_with_a_teacher_trains_and_keeps_what_taught_it(place: Path) -> None:
    school(place, RUN.replace(OWN_TOKENIZER, "teacher: {from: teacher, top: 8}\n"))
    plain = [
        "schedule.steps=12",
        "early_stopping=null",
        "validate=null",
        "log.every=1",
        "loss={chunk: 3, z_loss: 1e-4}",
    ]
    assert start(place, *plain) == 0, (place / "said.txt").read_text()[-3000:]
    run = place / "runs" / "toy"
    kept = json.loads((run / "checkpoints" / "start" / "start.json").read_text())
    assert kept["teacher"] == teacher.teacher_hash(TeacherSettings(source="teacher"))
    losses = [float(row.split(",")[2]) for row in (run / "metrics.csv").read_text().splitlines()[1:]]
    assert losses[-1] < losses[0]
    assert (run / "model" / "model.safetensors").is_file()

"""Validation while training: the same on any number of ranks and at any stage, through a kill, and what it decides."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from t2t.commands.generate import generate
from t2t.config.run import GenerateSettings, Lengths, RunConfig, ValidateSettings, load_run
from t2t.data.encode import Encoded
from t2t.errors import RunFileError
from t2t.runs.run_tasks import load_tasks
from t2t.training import validation
from t2t.training.preparation import parted, prepare
from t2t.training.validation import Judge, check_validation, validated
from tests.forking import run_python, run_ranks
from tests.places import ROOT

TEMPLATE = """\
task: demo/colour
version: 1
source: {format: jsonl, train: train.jsonl, valid: valid.jsonl}
prompt: "colour of {thing}"
target: {label: [red, green, blue], gold: colour}
metrics: [accuracy]
"""
RUN = """\
run: toy
seed: 1
tasks: [demo/colour]
tokenizer: {vocab_size: 520}
model:
  from_scratch: {d_model: 32, d_kv: 8, d_ff: 64, num_layers: 1, num_decoder_layers: 1, num_heads: 4, dropout: 0.1}
lengths: {prompt: 32, target: 16}
schedule: {steps: 300, warmup: 10}
batch: {tokens: 256, micro_batches: 2}
checkpoint: {every: 30}
validate: {every: 20 steps, examples: 30}
early_stopping: {patience: 3}
"""
KILLED = """\
import os, t2t.training.validation as v
tell = v.Validation._print_scores
v.Validation._print_scores = lambda self, found: os.kill(os.getpid(), 9) if found["step"] == 80 else tell(self, found)
from t2t.commands.launch import main
main()
"""


def make(folder: Path, run: str = RUN, template: str = TEMPLATE) -> Path:
    templates = folder / "task_templates" / "demo"
    templates.mkdir(parents=True)
    (templates / "colour.yaml").write_text(template)
    words = [("".join(random.Random(number).sample("abcdefgh", 4)), number % 3) for number in range(9)]
    for name, count in (("train", 200), ("valid", 40)):
        chosen = [random.Random(f"{name}{number}").choice(words) for number in range(count)]
        rows = [
            {"thing": f"{word} {n % 7}", "colour": ["red", "green", "blue"][c]} for n, (word, c) in enumerate(chosen)
        ]
        (templates / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "run.yaml").write_text(run)
    return folder


def start(folder: Path, *overrides: str, command: tuple[str, ...] = (str(ROOT / "launch.sh"),), ranks: int = 1) -> int:
    """The exit code of a start of run.yaml: of one process, or 0 of several, which must end well."""
    words = [*command, "--config", "run.yaml", *(part for override in overrides for part in ("--set", override))]
    if ranks == 1:
        return run_python(words, folder, folder / "said.txt")
    run_ranks(ranks, words, folder)
    return 0


def found(folder: Path) -> list[dict[str, Any]]:
    """What the validations found, without the clock."""
    rows = [json.loads(line) for line in (folder / "runs" / "toy" / "validation.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "elapsed"} for row in rows]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process, not interrupted."""
    folder = make(tmp_path_factory.mktemp("alone"))
    assert start(folder, "log.to=[csv, tensorboard]") == 0, (folder / "said.txt").read_text()[-3000:]
    return folder


def test_training_ends_early_and_the_best_weights_are_the_model(alone: Path) -> None:
    run, rows = alone / "runs" / "toy", found(alone)
    assert [row["step"] for row in rows] == list(range(0, 20 * len(rows), 20))
    means = [row["mean"] for row in rows]
    best = max(range(len(rows)), key=lambda place: (means[place], -rows[place]["loss"]))
    assert means[best] > means[0]
    facts = json.loads((run / "facts.json").read_text())
    assert facts["best_step"] == rows[best]["step"] <= facts["steps"] == rows[-1]["step"] < 300
    assert "mean has not become better for 3 validations" in (alone / "said.txt").read_text()
    assert not (run / "best").exists()  # they are the model now


def test_tensorboard_has_the_rows_of_training_and_validation(alone: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(alone / "runs" / "toy" / "tensorboard"))
    read.Reload()
    rows = (alone / "runs" / "toy" / "metrics.csv").read_text().splitlines()[1:]
    assert [one.step for one in read.Scalars("loss")] == [int(row.split(",")[0]) for row in rows]
    assert [one.step for one in read.Scalars("valid/mean")] == [row["step"] for row in found(alone)]


def test_scores_are_what_generate_and_evaluate_say_of_the_model(alone: Path) -> None:
    from t2t.evaluation.evaluate import evaluate
    from t2t.tasks.task import load_task

    task = load_task(str(alone / "task_templates" / "demo" / "colour.yaml"))
    generate(
        alone / "runs" / "toy",
        [task],
        GenerateSettings(splits=("valid",), limit=30, constrain=False),
        Lengths(prompt=32, target=16),
    )
    (row, *_) = evaluate(alone / "runs" / "toy", [task], ["valid"], limit=30)
    facts = json.loads((alone / "runs" / "toy" / "facts.json").read_text())
    (validated_at,) = [one for one in found(alone) if one["step"] == facts["best_step"]]
    assert row.value == validated_at["demo/colour.accuracy"] == validated_at["mean"]


def test_the_model_keeps_how_long_its_targets_are(alone: Path) -> None:
    from t2t.model.tokenizer import load_tokenizer
    from t2t.tasks.kept import target_tokens

    tokenizer = load_tokenizer(alone / "runs" / "toy" / "model")
    longest = max(len(tokenizer(word).input_ids) for word in ("red", "green", "blue"))
    assert target_tokens(alone / "runs" / "toy" / "model") == {"demo/colour": longest}


def test_the_model_keeps_how_far_its_confidence_can_be_trusted(alone: Path, tmp_path: Path) -> None:
    import t2t
    from t2t.evaluation.evaluate import evaluate
    from t2t.report import write_report
    from t2t.tasks.task import load_task

    kept = json.loads((alone / "runs" / "toy" / "model" / "calibration.json").read_text())
    known = kept["tasks"]["demo/colour"]
    assert known["outputs"] == 30
    assert 0 <= known["right"] <= 1
    assert {"temperature", "error_before", "error_after"} <= known.keys()
    assert sum(known["confidences"]) == 30
    loaded = t2t.load(alone / "runs" / "toy")
    things = [json.loads(line) for line in (alone / "task_templates/demo/valid.jsonl").read_text().splitlines()]
    answers = loaded("demo/colour", things)
    for one in answers:
        tokens = len(loaded.generator.tokenizer(one.text).input_ids)
        assert one.confidence == pytest.approx(np.exp(one.score * tokens / known["temperature"]), rel=1e-4)
    run = tmp_path / "run"
    shutil.copytree(alone / "runs" / "toy", run)
    task = load_task(str(alone / "task_templates" / "demo" / "colour.yaml"))
    generate(run, [task], GenerateSettings(splits=("valid",)), Lengths(prompt=32, target=16))
    evaluate(run, [task], ["valid"])
    found = json.loads((run / "confidence.json").read_text())["demo/colour@valid"]
    assert (found["n"], found["coverage"][-1]) == (40, 1.0)
    assert found["risk"][-1] == pytest.approx(1 - found["right"])
    assert found["right"] == pytest.approx(
        np.mean([a.value == t["colour"] for a, t in zip(answers, things, strict=True)])
    )
    page = write_report(run).read_text()
    assert "<h2>Confidence</h2>" in page
    assert "demo/colour@valid" in page


def test_a_model_whose_outputs_cannot_be_calibrated_is_kept_all_the_same(tmp_path: Path) -> None:
    code = "import t2t.training.train as t\nfrom t2t.errors import InputError\n"
    code += "def no(*given): raise InputError('tokenizer', 'its outputs cannot be constrained', 'use another')\n"
    code += "t.calibrate = no\nfrom t2t.commands.launch import main; import sys; sys.exit(main())"
    folder = make(tmp_path / "kept")
    assert start(folder, "schedule.steps=20", "early_stopping=null", command=("-c", code)) == 0
    assert "confidence is not calibrated: tokenizer: its outputs cannot" in (folder / "said.txt").read_text()
    model = folder / "runs" / "toy" / "model"
    assert (model / "model.safetensors").is_file()
    assert not (model / "calibration.json").exists()


def test_items_say_how_sure_they_are(alone: Path) -> None:
    import t2t

    kept = json.loads((alone / "runs" / "toy" / "model" / "calibration.json").read_text())
    assert "items" not in kept["tasks"]["demo/colour"]  # the whole answer is a label
    (answer,) = t2t.load(alone / "runs" / "toy", items=True)("demo/colour", [{"thing": "x"}])
    assert answer.confidences is None
    assert "confidences" not in answer.to_json()


def test_answers_that_are_unsure_are_set_aside_and_the_likeliest_of_a_set_given(
    alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from t2t.cli import main

    model, source = str(alone / "runs" / "toy"), str(alone / "task_templates/demo/valid.jsonl")
    out = tmp_path / "all.jsonl"
    assert main(["generate", "--model", model, "--input", source, "--output", str(out), "--top", "2"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    for row in rows:
        first, second = row["top"]
        assert first["value"] == row["value"] != second["value"]
        assert first["probability"] >= second["probability"]
        assert first["probability"] + second["probability"] <= 1 + 1e-9
    least = sorted(row["confidence"] for row in rows)[20]
    capsys.readouterr()
    sure, command = (
        tmp_path / "sure.jsonl",
        ["generate", "--model", model, "--input", source, "--min-score", str(least)],
    )
    assert main([*command, "--top", "2", "--output", str(sure)]) == 0
    said = capsys.readouterr().err
    kept, aside = sure.read_text().splitlines(), (tmp_path / "sure.jsonl.unsure.jsonl").read_text().splitlines()
    assert kept == [line for line in out.read_text().splitlines() if json.loads(line)["confidence"] >= least]
    assert aside == [line for line in out.read_text().splitlines() if json.loads(line)["confidence"] < least]
    assert f"{len(aside)} answers have a confidence below" in said
    assert main([*command, "--top", "2"]) == 0
    streamed = capsys.readouterr()
    assert streamed.out.splitlines() == kept
    assert "not written" in streamed.err


def test_two_ranks_at_stage_3_validate_alike(alone: Path, tmp_path: Path) -> None:
    folder = make(tmp_path / "two")
    settings = ["deepspeed=ds_configs/zero3.json", "model.from_scratch.dropout=0.0", "schedule.steps=40"]
    assert start(folder, *settings, ranks=2) == 0
    one = make(tmp_path / "one")
    assert start(one, *settings[1:]) == 0, (one / "said.txt").read_text()[-3000:]
    for ours, theirs in zip(found(folder), found(one), strict=True):
        assert ours["step"] == theirs["step"]
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
        assert ours["mean"] == pytest.approx(theirs["mean"], abs=0.07)  # two of 30 outputs, if they are near-ties
    assert json.loads((folder / "runs" / "toy" / "facts.json").read_text())["processes"] == 2
    assert (folder / "runs" / "toy" / "model" / "calibration.json").is_file()


def test_a_run_killed_during_a_validation_goes_on_to_the_same_end(alone: Path, tmp_path: Path) -> None:
    folder = make(tmp_path / "killed")
    assert start(folder, command=("-c", KILLED)) == -9
    assert [row["step"] for row in found(folder)] == [0, 20, 40, 60]
    assert start(folder) == 0, (folder / "said.txt").read_text()[-3000:]
    assert found(folder) == found(alone)
    for file in ("model.safetensors", "calibration.json"):
        one, other = (place / "runs" / "toy" / "model" / file for place in (alone, folder))
        assert one.read_bytes() == other.read_bytes()


def test_a_run_that_ended_early_does_not_go_on_when_it_was_killed_before_its_model(alone: Path, tmp_path: Path) -> None:
    folder = make(tmp_path / "killed")
    kill = "import os, t2t.training.train as t; t.write_facts = lambda *given: os.kill(os.getpid(), 9)"
    assert start(folder, command=("-c", f"{kill}\nfrom t2t.commands.launch import main; main()")) == -9
    assert start(folder) == 0, (folder / "said.txt").read_text()[-3000:]
    assert found(folder) == found(alone)
    one, other = (place / "runs" / "toy" / "model" / "model.safetensors" for place in (alone, folder))
    assert one.read_bytes() == other.read_bytes()


def test_a_signal_at_a_step_that_is_validated_loses_no_validation(tmp_path: Path) -> None:
    settings = ["schedule.steps=40", "early_stopping=null", "validate.calibrate=false"]
    folder, whole = make(tmp_path / "stopped"), make(tmp_path / "whole")
    assert start(folder, *settings, command=("-c", _stopped(40))) == 143
    assert start(folder, *settings) == 0, (folder / "said.txt").read_text()[-3000:]
    assert start(whole, *settings) == 0
    assert [row["step"] for row in found(folder)] == [0, 20, 40]
    assert found(folder) == found(whole)
    assert not (folder / "runs" / "toy" / "model" / "calibration.json").exists()
    rows = [[line.split(",")[:4] for line in (place / "runs/toy/metrics.csv").read_text().splitlines()]
            for place in (folder, whole)]  # fmt: skip
    assert rows[0] == rows[1]


def test_of_equal_scores_the_lower_loss_is_better_and_counts_as_progress() -> None:
    judge = Judge("mean", True)
    flat = {"value": 0.4, "loss": 6.0}
    assert judge.better({"value": 0.4, "loss": 5.0}, flat, 0.001)
    assert not judge.better({"value": 0.4, "loss": 6.0}, flat)
    assert not judge.better({"value": 0.39, "loss": 1.0}, flat)
    assert judge.better({"value": 0.41, "loss": 9.0}, flat)
    assert not judge.better({"value": 0.4005, "loss": 9.0}, flat, 0.001)
    assert Judge("x.mae", False).better({"value": 0.3, "loss": 9.0}, flat)


def test_validation_changes_nothing_of_training(alone: Path, tmp_path: Path) -> None:
    steps = json.loads((alone / "runs" / "toy" / "facts.json").read_text())["steps"]
    without = RUN.replace("validate: {every: 20 steps, examples: 30}\nearly_stopping: {patience: 3}\n", "")
    folder = make(tmp_path / "without", without)
    assert start(folder, "checkpoint.every=1000", "schedule.steps=300", command=("-c", _stopped(steps))) == 143
    last = {}
    for place in (alone, folder):
        state = place / "runs" / "toy" / "checkpoints" / f"step{steps:08d}"
        last[place] = _weights(state)
    assert last[alone].keys() == last[folder].keys()
    assert all(torch.equal(last[alone][name], weight) for name, weight in last[folder].items())


def _stopped(steps: int) -> str:
    """Code that trains and is told to stop at a step."""
    return f"""\
import os, signal, t2t.engine.log as l
see = l.Log.see
def stop(self, seen):
    see(self, seen)
    if seen.position.step == {steps} - 1:
        os.kill(os.getpid(), signal.SIGTERM)
l.Log.see = stop
from t2t.commands.launch import main
import sys; sys.exit(main())
"""


def _weights(state: Path) -> dict[str, Tensor]:
    kept: dict[str, Tensor] = torch.load(state / "mp_rank_00_model_states.pt", weights_only=False)["module"]
    return kept


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("early_stopping={patience: 2}", "early_stopping goes by validations, of which there are none"),
        ("validate.every=0 steps", "'0 steps' is no time to validate"),
        ("validate.every=soon", "every"),
        ("early_stopping.patience=0", "patience: 0 is not greater than 0"),
        ("best.mode=most", "mode"),
        ("validate.every='500'", "every: '500' is no time; write e.g. 500 steps"),
        ("validate.every=0.5 epochs", "'0.5 epochs' is no time to validate"),
    ],
)
def test_what_cannot_be_is_told_at_its_place(tmp_path: Path, override: str, message: str) -> None:
    folder = make(tmp_path)
    without = ["validate=null"] if "goes by" in message else []
    with pytest.raises(RunFileError, match="--set") as caught:
        load_run(folder / "run.yaml", [*without, override])
    assert message in str(caught.value)


def _judge(run: RunConfig) -> Judge:
    return Judge.of(run.best, True, load_tasks(run.tasks, run.where), run.where)


def test_a_metric_that_no_task_has_and_a_run_without_a_split_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make(tmp_path / "a"))
    run = load_run("run.yaml", ["best.metric=demo/colour.rougeL"])
    with pytest.raises(RunFileError, match=r"'demo/colour.rougeL' is nothing .* write one of: loss, .*accuracy"):
        _judge(run)
    for name, mode, more in (("loss", None, False), ("mean", None, True), ("demo/colour.accuracy", "min", False)):
        given = [f"best.metric={name}", *([f"best.mode={mode}"] if mode else [])]
        judge = _judge(load_run("run.yaml", given))
        assert (judge.name, judge.more) == (name, more)
    errors = TEMPLATE.replace("[accuracy]", "[accuracy, {ter: {}}, perplexity]")
    monkeypatch.chdir(make(tmp_path / "c", template=errors))
    run = load_run("run.yaml", ["best.metric=demo/colour.perplexity"])
    assert not _judge(run).more
    run = load_run("run.yaml", ["best.metric=demo/colour.ter"])
    assert not _judge(run).more
    monkeypatch.chdir(make(tmp_path / "d", template=TEMPLATE.replace("[accuracy]", "[unparseable]")))
    run = load_run("run.yaml")
    assert _judge(run).name == "loss"
    monkeypatch.chdir(make(tmp_path / "b", template=TEMPLATE.replace(", valid: valid.jsonl", "")))
    run = load_run("run.yaml")
    with pytest.raises(RunFileError, match="no task has a split 'valid' with examples to validate on"):
        check_validation(replace(run.validate, held_out=0.0), run.best, load_tasks(run.tasks, run.where), run.where)


def test_a_task_without_a_valid_split_is_validated_on_what_is_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(make(tmp_path, template=TEMPLATE.replace(", valid: valid.jsonl", "")))
    run = load_run("run.yaml", ["validate.held_out=0.1"])
    prepared = prepare(run, load_tasks(run.tasks, run.where))
    found = validated(prepared, 30, run.where)
    held, trained = ([row.id for row in rows] for rows in (found.rows[0], prepared.data[0]))
    assert (len(held), len(trained)) == (20, 180)
    assert not {*held} & {*trained}
    assert found.held_out == [frozenset(held)]
    assert "demo/colour has no split 'valid': 20 of its training examples are held out" in capsys.readouterr().out
    assert prepared.mixture.sizes == [180]
    again = prepare(run, load_tasks(run.tasks, run.where))
    assert [row.id for row in again.held_out[0]] == held
    few = load_run("run.yaml", ["validate.held_out=0.1", "validate.examples=7"])
    assert len(prepare(few, load_tasks(few.tasks, few.where)).held_out[0]) == 7
    none = load_run("run.yaml", ["validate.held_out=0"])
    assert len(prepare(none, load_tasks(none.tasks, none.where)).data[0]) == 200


def test_all_windows_of_an_example_are_held_out_together() -> None:
    rows = [Encoded(f"train:{n // 3}@{n % 3}", 0, np.ones(2, np.int32), np.ones(2, np.int32)) for n in range(60)]
    task = SimpleNamespace(name="a/b", template=SimpleNamespace(window=object()))
    trained, held = parted(task, rows, ValidateSettings(held_out=0.2))
    assert len(held) == 12
    assert {row.id.partition("@")[0] for row in held}.isdisjoint(row.id.partition("@")[0] for row in trained)


def test_metrics_are_chosen_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make(tmp_path, template=TEMPLATE.replace("[accuracy]", "[accuracy, macro_f1]")))
    run = load_run("run.yaml", ["validate.metrics=[macro_f1]"])
    tasks = load_tasks(run.tasks, run.where)
    check_validation(run.validate, run.best, tasks, run.where)
    names = [metric.name for metric in validation._metrics(tasks[0], ["macro_f1"])]
    assert names == ["macro_f1"]
    wrong = load_run("run.yaml", ["validate.metrics=[macro_f]"])
    with pytest.raises(RunFileError, match="no task has a metric 'macro_f'; did you mean 'macro_f1'"):
        check_validation(wrong.validate, wrong.best, tasks, wrong.where)
    other = load_run("run.yaml", ["validate.metrics=[macro_f1]", "best.metric=demo/colour.accuracy"])
    with pytest.raises(RunFileError, match="is nothing that validation measures here"):
        check_validation(other.validate, other.best, tasks, other.where)

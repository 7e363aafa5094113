"""PEFT in real runs: the curve of one rank on two at stage 3, frozen weights in bf16, and the model that is left."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from t2t.commands.generate import generate
from t2t.config.run import GenerateSettings, Lengths, load_run
from t2t.errors import RunFileError
from t2t.evaluation.evaluate import evaluate
from t2t.model.backbone import load_pretrained
from t2t.serving.loading import load_generator
from t2t.tasks.task import load_task
from tests.models import logits
from tests.training.test_validation import RUN, make, start

PEFT = (
    RUN.replace("early_stopping: {patience: 3}\n", "")
    .replace("steps: 300", "steps: 30")
    .replace("dropout: 0.1", "dropout: 0.0")
)


def run_with(folder: Path, peft: str, *overrides: str, ranks: int = 1) -> Path:
    make(folder, PEFT + peft + "\n")
    assert start(folder, *overrides, ranks=ranks) == 0, (folder / "said.txt").read_text()[-3000:]
    return folder / "runs" / "toy"


def curve(run: Path) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_with(tmp_path_factory.mktemp("lora") / "a", "peft: {method: lora, r: 4}", "optimizer.learning_rate=0.02")


def test_what_is_trained_is_told_and_the_model_is_a_plain_t5(lora: Path) -> None:
    said = (lora.parents[1] / "said.txt").read_text()
    # One block a stack, three attentions, q and v each 32 to 32: 3 x 2 x 4 x 64.
    assert "lora: 1,536 of " in said
    assert curve(lora)[-1] < curve(lora)[0]
    names = load_file(lora / "model" / "model.safetensors").keys()
    assert not any("lora" in name or "base_layer" in name for name in names)
    assert json.loads((lora / "adapter" / "adapter_config.json").read_text())["r"] == 4
    assert load_generator(lora).engine.model.width == 32


def test_two_ranks_at_stage_3_have_the_curve_of_one_at_stage_0(lora: Path, tmp_path: Path) -> None:
    settings = ["optimizer.learning_rate=0.02", "deepspeed=ds_configs/zero3.json"]
    two = run_with(tmp_path / "two", "peft: {method: lora, r: 4}", *settings, ranks=2)
    assert json.loads((two / "facts.json").read_text())["processes"] == 2
    assert curve(two) == pytest.approx(curve(lora), rel=1e-3)
    ours, theirs = (load_file(run / "adapter" / "adapter_model.safetensors") for run in (two, lora))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-3) for name in theirs)


@pytest.mark.parametrize("method", ["prompt", "prefix"])
def test_learned_prompts_train_alike_at_stage_3_and_answer_as_they_were_validated(tmp_path: Path, method: str) -> None:
    peft = f"peft: {{method: {method}, length: 4}}"
    one = run_with(tmp_path / "one", peft, "best.metric=loss")
    assert curve(one)[-1] < curve(one)[0]
    two = run_with(tmp_path / "two", peft, "deepspeed=ds_configs/zero3.json", "validate.by=loss", ranks=2)
    assert curve(two) == pytest.approx(curve(one), rel=1e-3)
    ours, theirs = (load_file(run / "model" / "adapter.safetensors") for run in (two, one))
    assert all(torch.allclose(ours[name], theirs[name], atol=2e-2) for name in theirs)
    task = load_task(str(tmp_path / "one" / "task_templates" / "demo" / "colour.yaml"))
    settings = GenerateSettings(splits=("valid",), limit=30, constrain=False)
    generate(one, [task], settings, Lengths(prompt=32, target=16))
    (row, *_) = evaluate(one, [task], ["valid"], limit=30)
    best = json.loads((one / "facts.json").read_text())["best_step"]
    (validated,) = [found for found in map(json.loads, (one / "validation.jsonl").read_text().splitlines())
                    if found["step"] == best]  # fmt: skip
    assert row.value == validated["mean"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_frozen_is_bit_identical_afterwards(tmp_path: Path, precision: str) -> None:
    frozen = "freeze: {parts: [embedding, encoder]}"
    run = run_with(tmp_path / "a", frozen, f"precision={precision}", "validate.by=loss")
    short = run_with(tmp_path / "b", frozen, f"precision={precision}", "validate.by=loss", "schedule.steps=1")
    one, other = (load_file(path / "model" / "model.safetensors") for path in (run, short))
    held = [name for name in one if name.startswith(("shared", "encoder"))]
    assert all(torch.equal(one[name], other[name]) for name in held)
    assert any(not torch.equal(one[name], one[name].bfloat16().float()) for name in held)
    assert not all(torch.equal(one[name], other[name]) for name in one if name.startswith("decoder"))


def test_what_does_not_merge_answers_as_it_was_validated(tmp_path: Path) -> None:
    run = run_with(tmp_path / "a", "peft: {method: bitfit}", "optimizer.learning_rate=0.05", "best.metric=loss")
    assert json.loads((run / "model" / "adapter.json").read_text()) == {"method": "bitfit"}
    task = load_task(str(tmp_path / "a" / "task_templates" / "demo" / "colour.yaml"))
    generate(run, [task], GenerateSettings(splits=("valid",), limit=30, constrain=False), Lengths(prompt=32, target=16))
    (row, *_) = evaluate(run, [task], ["valid"], limit=30)
    best = json.loads((run / "facts.json").read_text())["best_step"]
    rows = {one["step"]: one for one in map(json.loads, (run / "validation.jsonl").read_text().splitlines())}
    assert best > 0
    assert rows[best]["loss"] < rows[0]["loss"]
    assert rows[best]["mean"] == row.value
    bare = load_pretrained(run / "model")  # what transformers alone would read
    ids = torch.tensor([[5, 6, 1]])
    one, other = (logits(model, ids, ids) for model in (bare, load_generator(run).engine.model))
    assert not torch.allclose(one, other)


def test_peft_and_freeze_together_are_refused(tmp_path: Path) -> None:
    folder = make(tmp_path)
    with pytest.raises(RunFileError, match="there is nothing to freeze; keep one of them"):
        load_run(folder / "run.yaml", ["peft={method: lora}", "freeze={parts: [encoder]}"])
    assert load_run(folder / "run.yaml", ["peft={method: lora}"]).optimizer.scale == "none"
    assert start(folder, "peft={method: lora, rank: 3}") == 2
    assert "unknown key 'rank' of lora" in (folder / "said.txt").read_text()

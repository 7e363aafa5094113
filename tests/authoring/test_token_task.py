"""A token task in a mixture: trained for real, left out where outputs are scored, and said to be one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from t2t.authoring.check import check
from t2t.authoring.show import show
from t2t.commands.generate import generate_run
from t2t.config.run import load_run
from t2t.errors import RunFileError
from t2t.model.tokenizer import train_tokenizer
from t2t.runs.run_tasks import answering_tasks

ROOT = Path(__file__).parents[2]
TASKS = {
    "colour": """\
task: demo/colour
version: 1
source: {format: jsonl, train: rows.jsonl, test: rows.jsonl}
prompt: "colour of {thing}"
target: {label: [red, green], gold: colour}
metrics: [accuracy]
""",
    "spans": """\
task: demo/spans
version: 1
source: {format: jsonl, train: rows.jsonl}
token_task: {span_corruption: {of: line}}
""",
    "prefix": """\
task: demo/prefix
version: 1
source: {format: jsonl, train: rows.jsonl}
token_task: {prefix_lm: {of: line}}
""",
}
RUN = """\
run: toy
seed: 3
tasks: [demo/colour, demo/spans, demo/prefix]
tokenizer: {vocab_size: 520}
model:
  from_scratch: {d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_decoder_layers: 1, num_heads: 2}
lengths: {prompt: 32, target: 16}
schedule: {name: linear, warmup: 2, steps: 6}
batch: {tokens: 256, micro_batches: 2, window: 32}
checkpoint: {every: 6}
deepspeed: ds_configs/zero2.json
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    templates = tmp_path / "task_templates" / "demo"
    templates.mkdir(parents=True)
    for name, text in TASKS.items():
        (templates / f"{name}.yaml").write_text(text)
    rows = [
        {"thing": f"thing {i}", "colour": ["red", "green"][i % 2], "line": f"the storm {i} closed the port \\ " * 5}
        for i in range(40)
    ]
    (templates / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "run.yaml").write_text(RUN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_mixture_with_token_tasks_is_trained_and_the_others_are_generated(folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["deepspeed", str(ROOT / "launch.sh"), "--config", "run.yaml"],
        cwd=folder,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    facts = json.loads((folder / "runs" / "toy" / "data.json").read_text())
    assert {name: facts[name]["n"] for name in facts} == {"demo/colour": 40, "demo/spans": 40, "demo/prefix": 40}
    assert facts["demo/spans"]["realised"] > 0.2
    assert facts["demo/spans"]["prompts_cut"] == 40
    assert facts["demo/spans"]["drawn_prompts_cut"] == facts["demo/spans"]["drawn_n"] >= 40
    assert generate_run(load_run("run.yaml")) == {"demo/colour": 40}


def test_a_run_of_token_tasks_alone_has_nothing_to_score(folder: Path) -> None:
    (folder / "run.yaml").write_text(RUN.replace("demo/colour, ", ""))
    run = load_run("run.yaml")
    with pytest.raises(RunFileError, match="the run has token tasks only, which have no outputs to score"):
        answering_tasks(run.tasks, run.where)


def test_check_and_show_say_that_it_is_a_token_task(folder: Path) -> None:
    text, errors = check(["demo/spans"])
    assert not errors
    assert "note: token task (span corruption of line, noise 0.15, mean span 3): prompt and target are ids" in text
    assert "token task (prefix language modelling of line)" in show("demo/prefix")
    assert "--tokenizer DIR" in show("demo/prefix")


def test_with_a_tokenizer_the_rows_are_measured_and_shown(folder: Path) -> None:
    train_tokenizer(["the storm closed the port"] * 20, 520).save_pretrained(folder / "tokenizer")
    text, errors = check(["demo/spans"], folder / "tokenizer")
    assert not errors
    assert "target tokens, median" in text
    shown = show("demo/spans", tokenizer=folder / "tokenizer")
    prompt, target = (
        next(line for line in shown.splitlines() if title in line) for title in ("prompt ids", "target ids")
    )
    assert "<extra_id_0>" in prompt
    assert target.split()[2].startswith("<extra_id_0>")
    assert prompt.split()[-1] == target.split()[-1] == "</s>:1"


def test_an_empty_text_is_an_error_of_the_check(folder: Path) -> None:
    train_tokenizer(["the storm"] * 20, 520).save_pretrained(folder / "tokenizer")
    (folder / "task_templates" / "demo" / "rows.jsonl").write_text('{"line": ""}\n')
    text, errors = check(["demo/spans"], folder / "tokenizer")
    assert errors == 1
    assert "field 'line' has no token" in text

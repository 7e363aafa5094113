"""Training for real: `deepspeed launch.sh` and `./launch.sh`, two processes, ZeRO-2, resume, exit codes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, T5ForConditionalGeneration

from t2t.commands.generate import generate_run
from t2t.config.run import load_run
from t2t.evaluation.evaluate import evaluate_run
from t2t.report import write_report
from t2t.training.train import known_precision
from tests.forking import run_python, run_ranks

ROOT = Path(__file__).parents[2]
LAUNCH = str(ROOT / "launch.sh")
BIN = Path(sys.executable).parent
TEMPLATE = """\
task: demo/colour
version: 1
source: {format: jsonl, train: colours.jsonl, test: colours.jsonl}
prompt: "colour of {thing}"
target: {label: [red, green, blue], gold: colour}
metrics: [accuracy]
"""
RUN = """\
run: toy
seed: 3
tasks: [demo/colour]
tokenizer: {vocab_size: 520}
model:
  from_scratch: {d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_decoder_layers: 1, num_heads: 2, dropout: 0.1}
lengths: {prompt: 32, target: 16}
schedule: {name: linear, warmup: 2, steps: 9}
batch: {tokens: 96, micro_batches: 3, window: 32}
checkpoint: {every: 3, keep: 5}
deepspeed: ds_configs/zero2.json
"""


def make(folder: Path) -> Path:
    """A folder with a task, its data and a run file."""
    templates = folder / "task_templates" / "demo"
    templates.mkdir(parents=True)
    (templates / "colour.yaml").write_text(TEMPLATE)
    rows = [{"thing": f"thing {i}", "colour": ["red", "green", "blue"][i % 3]} for i in range(60)]
    (templates / "colours.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "run.yaml").write_text(RUN)
    return folder


def launch(folder: Path, *arguments: str, command: tuple[str, ...] = ("deepspeed", str(ROOT / "launch.sh"))):  # type: ignore[no-untyped-def]
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make(tmp_path_factory.mktemp("deepspeed"))
    done = launch(folder, "--config", "run.yaml")
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_two_processes_train_and_leave_a_model_that_transformers_loads(trained: Path) -> None:
    run = trained / "runs" / "toy"
    facts = json.loads((run / "facts.json").read_text())
    expected = torch.cuda.device_count() or 2
    assert (facts["processes"], facts["steps"]) == (expected, 9)
    model = T5ForConditionalGeneration.from_pretrained(run / "model")
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    assert model.config.vocab_size == len(tokenizer)
    assert tokenizer.decode(tokenizer("红 ; a  b")["input_ids"], skip_special_tokens=True) == "红 ; a  b"
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[-1]["step"] == "9"
    assert float(rows[0]["loss"]) > 0


def test_the_run_can_be_generated_scored_and_reported(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    run = load_run("run.yaml")
    assert generate_run(run) == {"demo/colour": 60}
    line = json.loads((run.directory / "predictions" / "demo" / "colour.jsonl").read_text().splitlines()[0])
    assert sorted(line.keys() - {"constrained", "closed"}) == [
        "confidence",
        "id",
        "issues",
        "prompt",
        "score",
        "task",
        "text",
        "value",
    ]
    assert {row.metric for row in evaluate_run(run)} >= {"accuracy", "unparseable"}
    scores = json.loads((run.directory / "scores.json").read_text())
    assert {"task", "metric", "value", "low", "high", "n", "signature"} <= set(scores[0])
    assert "demo/colour" in write_report(run.directory).read_text()


def test_a_finished_run_is_not_trained_again(trained: Path) -> None:
    before = (trained / "runs" / "toy" / "metrics.csv").read_bytes()
    assert "is finished" in run_ranks(2, [LAUNCH, "--config", "run.yaml"], trained)
    assert (trained / "runs" / "toy" / "metrics.csv").read_bytes() == before


def test_launch_sh_from_the_shell_resumes_bit_for_bit(trained: Path, tmp_path: Path) -> None:
    """The same run, interrupted after step 3 (with half a later checkpoint left), ends with the same weights."""
    folder = tmp_path / "resumed"
    run = interrupted(trained, folder)
    whole = load_file(trained / "runs" / "toy" / "model" / "model.safetensors")
    (run / "checkpoints" / "step00000006.tmp").mkdir()
    done = launch(folder, "--config", "run.yaml", command=(str(ROOT / "launch.sh"),))
    assert done.returncode == 0, done.stderr[-3000:]
    assert "half-written checkpoint, skipped" in done.stdout
    resumed = load_file(run / "model" / "model.safetensors")
    assert set(resumed) == set(whole)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def interrupted(trained: Path, folder: Path, steps: int = 3) -> Path:
    """The folder of a run like ``trained`` that was interrupted after some steps."""
    make(folder)
    shutil.copytree(trained / "runs", folder / "runs")
    run = folder / "runs" / "toy"
    shutil.rmtree(run / "model")
    for checkpoint in (run / "checkpoints").glob("step*"):
        if checkpoint.name > f"step{steps:08d}":
            shutil.rmtree(checkpoint)
    return run


def test_a_run_that_is_killed_when_it_saves_its_model_is_finished_by_the_next_start(tmp_path: Path) -> None:
    """model/, which says that the run is finished, appears last; what the killed process left half-written goes."""
    folder = make(tmp_path / "killed")
    run = folder / "runs" / "toy"
    code = "import os, t2t.training.folder as t; {}; from t2t.commands.launch import main; main(['--config', RUN])"
    code = code.replace("RUN", "'run.yaml'")
    kill = "from t2t.model.families.t5 import T5; T5.save = lambda *given: os.kill(os.getpid(), 9)"
    said = tmp_path / "said.txt"
    assert run_python(["-c", code.format(kill)], folder, said) == -9
    assert [(run / name).exists() for name in ("facts.json", "data.json", "model.tmp", "model")] == [True] * 3 + [False]
    facts = (run / "facts.json").read_text()
    (run / "model.tmp" / "half").write_text("")
    stop = "import t2t.training.train as t; t.TrainingEngine = lambda *_: os._exit(7)"
    assert run_python(["-c", code.format(stop)], folder, said) == 7
    assert not (run / "model.tmp").exists()
    assert run_python(["-c", code.format("pass")], folder, said) == 0, said.read_text()[-3000:]
    assert (run / "model" / "model.safetensors").exists()
    assert json.loads((run / "facts.json").read_text())["steps"] == json.loads(facts)["steps"] == 9


def refused(folder: Path) -> str:
    """The sentence with which the run file of ``folder`` is refused."""
    found = run_ranks(2, [LAUNCH, "--config", "run.yaml"], folder, code=2)
    assert "Traceback" not in found
    (said,) = [line for line in found.splitlines() if line.startswith("t2t: ")]
    return said


def test_a_run_does_not_go_on_with_other_data(trained: Path, tmp_path: Path) -> None:
    run = interrupted(trained, tmp_path / "more")
    tokenizers = sorted((run.parent / ".cache").glob("tokenizer-*"))
    with (tmp_path / "more" / "task_templates" / "demo" / "colours.jsonl").open("a") as file:
        file.write('{"thing": "a thing that came later", "colour": "red"}\n' * 30)
    said = refused(tmp_path / "more")
    assert (
        "runs/toy: template or data changed since its checkpoints were trained (demo/colour); undo the change" in said
    )
    assert sorted((run.parent / ".cache").glob("tokenizer-*")) == tokenizers


def test_a_run_does_not_go_on_at_another_stage(trained: Path, tmp_path: Path) -> None:
    interrupted(trained, tmp_path / "stage")
    (tmp_path / "stage" / "ds_configs").mkdir()
    shutil.copy(ROOT / "ds_configs" / "zero3.json", tmp_path / "stage" / "ds_configs" / "zero2.json")
    said = refused(tmp_path / "stage")
    assert "runs/toy: its checkpoints are of ZeRO stage 2, the DeepSpeed file now says 3; undo the change" in said


def test_two_processes_go_on_from_one_past_a_damaged_checkpoint(tmp_path: Path) -> None:
    """The vocabulary is the kept one, also where the cache is gone."""
    folder = make(tmp_path / "grown")
    alone = folder / "said.txt"
    assert run_python([LAUNCH, "--config", "run.yaml"], folder, alone) == 0, alone.read_text()[-3000:]
    run = folder / "runs" / "toy"
    assert json.loads((run / "facts.json").read_text())["processes"] == 1
    shutil.rmtree(run / "model")
    shutil.rmtree(run.parent / ".cache")
    shutil.rmtree(run / "checkpoints" / "step00000009")
    (run / "checkpoints" / "step00000006" / "random_00000.pt").unlink()
    said = run_ranks(2, [LAUNCH, "--config", "run.yaml"], folder)
    assert "step00000006: damaged checkpoint (random_00000.pt is missing), skipped" in said
    assert "written by 1 of now 2 processes; the others draw random numbers anew" in said
    assert json.loads((run / "facts.json").read_text())["processes"] == 2
    assert not list((run.parent / ".cache").glob("tokenizer-*"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["tasks=[demo/color]"], "unknown task 'demo/color'; did you mean 'demo/colour'?"),
        (
            ["run=small", "tokenizer.vocab_size=50"],
            "--set tokenizer.vocab_size=50: tokenizer: vocab_size: 50 is too small",
        ),
        (["seed=4"], "the folder holds another run (it differs in seed); choose another name under run:"),
    ],
)
def test_a_users_mistake_ends_with_code_2_and_one_sentence(
    trained: Path, tmp_path: Path, overrides: list[str], message: str
) -> None:
    arguments = ["--config", "run.yaml", *(part for override in overrides for part in ("--set", override))]
    before = sorted(path.name for path in (trained / "runs").iterdir())
    if len(overrides) > 1:  # one of them by the launcher is enough: what processes end with is for it to pass on
        done = launch(trained, *arguments)
        code, told = done.returncode, done.stderr
    else:
        code = run_python([LAUNCH, *arguments], trained, tmp_path / "said.txt")
        told = (tmp_path / "said.txt").read_text()
    assert code == 2, told[-3000:]
    said = [line for line in told.splitlines() if line.startswith("t2t: ")]
    assert len(said) == 1, told
    assert message in said[0]
    assert "Traceback" not in told
    assert sorted(path.name for path in (trained / "runs").iterdir()) == before


@pytest.mark.parametrize(("fast", "precision"), [(True, "autocast_bf16"), (False, "fp32")])
def test_auto_precision_is_what_the_hardware_does_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: bool, precision: str
) -> None:
    monkeypatch.setattr("t2t.engine.distributed.multiplies_bf16", lambda device: fast)
    config = load_run(make(tmp_path) / "run.yaml", ["precision=auto"])
    assert known_precision(config.precision, torch.device("cpu")) == precision
    asked = load_run(tmp_path / "run.yaml", ["precision=bf16"])
    assert known_precision(asked.precision, torch.device("cpu")) == "bf16"

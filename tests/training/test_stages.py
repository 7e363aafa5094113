"""Stage after stage: through a kill in the middle of one, with a stage added, and what the gate and changes do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from t2t.config.run import load_run
from t2t.errors import RunFileError
from tests.forking import found_by_script

TEMPLATE = """\
task: demo/{name}
version: 1
source: {{format: jsonl, train: {name}.jsonl, test: {name}.jsonl}}
prompt: "{name} of {{thing}}"
target: {{label: [red, green, blue, hot, cold, old, new], gold: word}}
metrics: [accuracy]
"""
WORDS = {"colour": ("red", "green", "blue"), "heat": ("hot", "cold"), "age": ("old", "new")}
RUN = """\
run: toy
seed: 1
stages:
  - {name: first, tasks: [demo/colour], schedule: {steps: 30, warmup: 5}}
  - {name: second, tasks: [demo/heat]}
continual: {strategy: replay, keep: 0.2}
tokenizer: {vocab_size: 520}
model:
  from_scratch: {d_model: 32, d_kv: 8, d_ff: 64, num_layers: 1, num_decoder_layers: 1, num_heads: 4, dropout: 0.1}
lengths: {prompt: 48, target: 16}
schedule: {steps: 20, warmup: 5}
batch: {tokens: 400, micro_batches: 2}
checkpoint: {every: 8}
generate: {limit: 12, splits: [test, train]}
"""
ADDED = RUN.replace("continual:", "  - {name: third, tasks: [demo/age, demo/heat]}\ncontinual:")
# In one process, since each would import torch: runs one after the other, and what came of them.
SCRIPT = """\
import contextlib, io, json, hashlib, sys
from pathlib import Path
from t2t.commands.stages import train_stages
from t2t.config.run import load_run
from t2t.engine import distributed, log
from t2t.errors import InputError, RefusedError
from t2t.model.peft import read_method
from t2t.serving.model import load

device = distributed.start()

def go(*overrides, file="run.yaml"):
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            train_stages(load_run(file, overrides), device)
    except (InputError, RefusedError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return said.getvalue()

def digest(folder):
    return hashlib.md5(Path("runs", folder, "model", "model.safetensors").read_bytes()).hexdigest()

found = {"whole": go(), "weights": digest("toy"), "stage": digest("toy/stages/02-second")}

see = log.Log.see
def killed(self, seen):
    if "02-second" in str(self.path) and seen.position.step == 13:
        raise RuntimeError("killed")
    see(self, seen)
log.Log.see = killed
found["killed"] = go("run=broken")
log.Log.see = see
found["resumed"], found["resumed weights"] = go("run=broken"), digest("broken")

found["again"] = go()
found["added"] = go(file="added.yaml")
found["first after"] = digest("toy/stages/01-first"), digest("toy/stages/02-second")
found["tasks"] = load("runs/toy").tasks
found["target tokens"] = sorted(json.loads(Path("runs/toy/model/tasks.json").read_text())["target_tokens"])
found["trained data"] = json.loads(Path("runs/toy/model/trained_data.json").read_text())["tasks"]
found["matrix"] = json.loads(Path("runs/toy/continual.json").read_text())
found["generated for"] = sorted(str(path.name) for path in Path("runs/toy/stages/03-third/after").rglob("*.jsonl"))
found["taken out"] = go()
found["changed"] = go("stages.0.tasks.0.limit=3", file="added.yaml")
found["seed"] = go("seed=9", file="added.yaml")
found["ewc"] = go("run=ewc", "continual={strategy: ewc, examples: 4}", "schedule.steps=4")
pulled = ("continual={strategy: ewc, examples: 4, strength: 1.0}",)
found["pulled"], found["pulled weights"] = go("run=pulled", *pulled), digest("pulled")
log.Log.see = killed
found["pulled killed"] = go("run=pulled2", *pulled)
log.Log.see = see
found["pulled again"], found["pulled again weights"] = go("run=pulled2", *pulled), digest("pulled2")
found["lwf"] = go("run=lwf", "continual={strategy: lwf}", "schedule.steps=4",
                  "validate={every: 4 steps, examples: 4, by: loss, calibrate: false}")
found["taught"] = Path("runs/lwf/stages/02-second/run.yaml").read_text()
found["no whole model"] = go("run=y", "peft={method: bitfit}")
found["no split"] = go("run=z", "generate.splits=[valid]")
found["begun"] = [Path("runs", name).exists() for name in ("x", "y", "z")]
found["strategy with peft"] = go("run=x", "continual={strategy: ewc}", "peft={method: bitfit}")

from t2t.commands import stages
matrix = stages.Matrix(("demo/colour", "demo/heat"), ("first", "second"), (0, 1), ((0.9, 0.2), (0.6, 0.8)))
stages._scored = lambda config, strategy, stage, *_: stages.Matrix(matrix.tasks, matrix.stages, matrix.came,
                                                                   matrix.scores[: stage.number + 1])
found["gate"] = go("run=gate", "accept={forgetting: 0.1}", "schedule.steps=2", "stages.0.schedule.steps=2")
found["kept"] = digest("gate") == digest("gate/stages/01-first")
found["open"] = go("run=gate", "accept={forgetting: 0.4}", "schedule.steps=2", "stages.0.schedule.steps=2")
found["new"] = digest("gate") == digest("gate/stages/02-second")
print("FOUND" + json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("stages")
    templates = made / "task_templates" / "demo"
    templates.mkdir(parents=True)
    for name, words in WORDS.items():
        (templates / f"{name}.yaml").write_text(TEMPLATE.format(name=name))
        rows = [{"thing": f"{word} {number % 5}", "word": word} for number in range(20) for word in words]
        (templates / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (made / "run.yaml").write_text(RUN)
    (made / "added.yaml").write_text(ADDED)
    (made / "script.py").write_text(SCRIPT)
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = found_by_script(folder)
    return result


def test_a_stage_starts_from_the_one_before_and_sees_some_of_its_examples(found: dict[str, Any]) -> None:
    assert found["weights"] == found["stage"]
    assert "stage 2 of 2: 02-second" in found["whole"]
    assert "against forgetting                 12 examples   23.1%" in found["whole"]


def test_each_stage_and_the_run_end_with_where_the_model_is(found: dict[str, Any]) -> None:
    lines = found["lwf"].splitlines()
    ends = [line for line in lines if line.startswith(("the model is in ", "next: "))]
    assert [re.sub(r"loss \d+\.\d+ at step \d+", "loss X", line) for line in ends] == [
        "the model is in runs/lwf/stages/01-first/model, best loss X",
        "the model is in runs/lwf/stages/02-second/model, best loss X",
        "the model is in runs/lwf/model",
        "next: t2t generate --config runs/lwf/run.yaml",
    ]
    assert lines[-2:] == ends[-2:]


def test_a_run_killed_in_the_middle_of_a_stage_goes_on_to_the_same_weights(found: dict[str, Any]) -> None:
    assert found["killed"] == "RuntimeError: killed"
    assert found["resumed weights"] == found["weights"]


def test_a_stage_that_is_pulled_goes_on_to_the_same_weights(found: dict[str, Any]) -> None:
    assert found["pulled killed"] == "RuntimeError: killed"
    assert found["pulled again weights"] == found["pulled weights"] != found["weights"]


def test_stages_that_have_ended_stay_and_another_is_added(found: dict[str, Any]) -> None:
    assert found["again"].count("the run is finished") == 2
    assert "stage 3 of 3: 03-third" in found["added"]
    assert found["first after"][1] == found["stage"]
    assert found["tasks"] == ["demo/colour", "demo/age", "demo/heat"]
    assert found["target tokens"] == sorted(found["tasks"])  # of those of earlier stages too
    assert found["generated for"] == ["age.jsonl", "colour.jsonl", "heat.jsonl"]  # the first of the splits alone
    kept = {name: (one["examples"], one["labels"]) for name, one in found["trained data"].items()}
    of_both = {name: dict.fromkeys(words, 20) for name, words in WORDS.items()} | {"heat": {"cold": 40, "hot": 40}}
    assert kept == {f"demo/{name}": (sum(words.values()), words) for name, words in of_both.items()}
    matrix = found["matrix"]
    assert (matrix["tasks"], matrix["came"]) == (["demo/colour", "demo/heat", "demo/age"], [0, 1, 2])
    assert len(matrix["scores"]) == 3
    assert matrix["scores"][0][0] > 0.5 > matrix["scores"][0][1]  # it knows what it was trained on alone
    assert set(matrix["summary"]) == {"accuracy", "backward", "forward", "forgetting"}


def test_what_has_been_trained_is_not_changed(found: dict[str, Any]) -> None:
    assert "the stage 'third', which has been trained here, is not stage 3 as it was" in found["taken out"]
    assert "the stage 'first', which has been trained here, is not stage 1 as it was" in found["changed"]
    assert "the folder holds another run (it differs in seed)" in found["seed"]
    assert "ewc: it pulls the model's own weights, which peft: bitfit does not train" in found["strategy with peft"]
    assert "accuracy" in found["ewc"]
    assert (
        "bitfit does not merge, so a stage has no whole model that the next could start from" in found["no whole model"]
    )
    assert "demo/colour has none of the splits valid to be scored on; add one that it has: " in found["no split"]
    assert found["begun"] == [False] * 3


def test_the_model_before_a_stage_teaches(found: dict[str, Any]) -> None:
    assert "accuracy" in found["lwf"]
    assert "from: runs/lwf/stages/01-first/model" in found["taught"].partition("teacher:")[2]


def test_the_gate_leaves_the_old_model_where_a_stage_forgets_too_much(found: dict[str, Any]) -> None:
    assert found["gate"] == (
        "RefusedError: demo/colour fell from 0.9000 to 0.6000 in 02-second, more than accept: forgetting: 0.1; "
        "runs/gate/model stays the model before it"
    )
    assert found["kept"]
    assert found["new"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("stages.1.name=first", "the stage 'first' stands twice; rename one"),
        ("stages.0.tasks=[demo/colour, demo/colour]", "the task 'demo/colour' stands twice in the stage 'first'"),
        ("stages.0.schedule={epochs: 1, steps: 2}", "schedule has both steps: and epochs:"),
        ("tasks=[demo/age]", "tasks are not those of the stages; leave tasks: out"),
        ("stages.0.task=[a]", "unknown key 'task'; did you mean 'tasks'"),
        ("stages=[]", "continual goes by stages, of which there are none"),
    ],
)
def test_mistakes_in_stages(folder: Path, change: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    more = ["tasks=[demo/colour]"] if change == "stages=[]" else []
    with pytest.raises(RunFileError) as caught:
        load_run("run.yaml", [change, *more])
    assert message in str(caught.value)


def test_the_tasks_of_a_run_are_those_of_its_stages_and_it_is_read_back(folder: Path) -> None:
    run = load_run(folder / "added.yaml")
    assert [entry.task for entry in run.tasks] == ["demo/colour", "demo/heat", "demo/age"]
    (folder / "back.yaml").write_text(run.to_yaml())
    assert load_run(folder / "back.yaml") == run

"""An adapter a stage on one base: what earlier stages know stays as it is, bit for bit, and each answers its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.forking import found_by_script
from tests.training.test_stages import TEMPLATE, WORDS

RUN = """\
run: toy
seed: 1
stages:
  - {name: colours, tasks: [demo/colour]}
  - {name: heats, tasks: [demo/heat]}
continual: {strategy: adapters}
peft: {method: lora, r: 4}
model: {from: base}
lengths: {prompt: 48, target: 16}
optimizer: {learning_rate: 0.05}
schedule: {steps: 12, warmup: 2}
batch: {tokens: 400, micro_batches: 2}
checkpoint: {every: 100}
generate: {limit: 12, constrain: false}
"""
ADDED = RUN.replace("continual:", "  - {name: again, tasks: [demo/colour, demo/age]}\ncontinual:")
# A base of random weights, and how stages are trained on it.
START = """\
import contextlib, io, json, hashlib
from pathlib import Path
from t2t.commands.stages import train_stages
from t2t.config.run import load_run
from t2t.engine import distributed
from t2t.errors import InputError
from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import train_tokenizer

device = distributed.start()
SHAPE = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 4}
tokenizer = train_tokenizer(["colour heat age of red green blue hot cold old new 0 1 2 3 4"] * 20, 520)
build_from_scratch(SHAPE, len(tokenizer), 1).save(tokenizer, Path("base"), 16)

def go(*overrides, file="run.yaml"):
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            train_stages(load_run(file, overrides), device)
    except (InputError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return said.getvalue()

def digest(*path):
    return hashlib.md5(Path(*path).read_bytes()).hexdigest()
"""
SCRIPT = """\
from t2t.commands.export import export
from t2t.commands.generate import generate
from t2t.model.backbone import load_pretrained
from t2t.model.peft import weights_hash
from t2t.runs.run_tasks import load_tasks
from t2t.serving.model import load

def digests(run, stage):
    after = Path("runs", run, "stages", stage, "after", "predictions", "demo", "colour.jsonl")
    adapter = Path("runs", run, "stages", "01-colours", "adapter", "adapter.safetensors")
    inside = Path("runs", run, "model", "adapters", "01-colours", "adapter.safetensors")
    return [digest(after), digest(adapter), digest(inside), weights_hash(load_pretrained(f"runs/{run}/model"))]

RECORDS = [{"thing": thing} for thing in ("red 1", "cold 2", "new 0", "blue 4")]

def answers(loaded, task):
    return [[one.text, one.score] for one in loaded(task, RECORDS)]

found = {"base": weights_hash(load_pretrained("base"))}
for method in ("lora", "bitfit", "prompt"):
    extra = {"lora": "r: 4", "prompt": "length: 4"}.get(method)
    peft = f"peft={{method: {method}{', ' + extra if extra else ''}}}"
    one = ("run=" + method, peft)
    found[method] = {"said": go(*one)}
    found[method]["first"] = digests(method, "01-colours")
    found[method]["second"] = digests(method, "02-heats")
found["said"] = go()
two = load("runs/toy")
by_hand = load("base", adapters={name: f"runs/toy/stages/{name}" for name in ("01-colours", "02-heats")})
found["tasks"] = two.tasks, by_hand.tasks
found["same"] = [answers(one, task) for one in (two, by_hand) for task in two.tasks]
found["matrix"] = json.loads(Path("runs/toy/continual.json").read_text())
before = digests("toy", "02-heats")
found["added"] = go(file="added.yaml")
found["grown"] = load("runs/toy").tasks, json.loads(Path("runs/toy/model/adapters.json").read_text())
found["before and after"] = before[1:], digests("toy", "02-heats")[1:]
found["shared"] = answers(load("runs/toy"), "demo/colour")
found["alone"] = [answers(load("base", adapters={"x": f"runs/toy/stages/{name}"}), "demo/colour")
                  for name in ("01-colours", "03-again")]
config = load_run("added.yaml")
generate("runs/toy", load_tasks(config.tasks, config.where), config.generate, config.lengths, out="out")
found["generated"], found["scored"] = (
    [digest(folder, "predictions", "demo", f"{one}.jsonl") for one in ("colour", "heat")]
    for folder in ("out", "runs/toy/stages/03-again/after")
)
found["by score"] = go("run=score", "continual.route=score")
found["either"] = answers(load("runs/score"), "demo/colour")
tasks = Path("runs/score/stages/01-colours/adapter/tasks.json").read_bytes()
Path("runs/score/stages/02-heats/adapter/tasks.json").unlink()  # a link to what stands in model/
Path("runs/score/stages/02-heats/adapter/tasks.json").write_bytes(tasks)
found["each"] = [answers(load("base", adapters={"x": f"runs/score/stages/{name}"}), "demo/colour")
                 for name in ("01-colours", "02-heats")]
found["refused"] = [
    go("run=x", "peft=null"),
    go("run=x", "peft.init=pissa"),
    go("run=x", "model={from_scratch: {size: mini}}", "tokenizer={vocab_size: 520}"),
    go("run=x", "model={from: runs/toy/model}"),
    go("run=x", "continual={strategy: lwf}", "teacher={from: runs/toy/model}"),
    go("run=x", "continual.route=stage"),
]
for act in (lambda: export(Path("runs/toy"), Path("exported")), lambda: load("runs/toy", engine="ctranslate2")):
    try:
        act()
    except InputError as error:
        found["refused"].append(str(error))
Path("runs/toy/model/adapters.json").write_text('{"by": "chance"}')
try:
    load("runs/toy")
except InputError as error:
    found["refused"].append(str(error))
print("FOUND" + json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return found_by(SCRIPT, tmp_path_factory.mktemp("adapters"), {"run.yaml": RUN, "added.yaml": ADDED})


def write_tasks(folder: Path, files: dict[str, str]) -> None:
    """Three small tasks in a new folder, and files beside them."""
    templates = folder / "task_templates" / "demo"
    templates.mkdir(parents=True)
    for name, words in WORDS.items():
        (templates / f"{name}.yaml").write_text(TEMPLATE.format(name=name))
        rows = [{"thing": f"{word} {number % 5}", "word": word} for number in range(20) for word in words]
        (templates / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, text in files.items():
        (folder / name).write_text(text)


# A run that is killed in its second stage and goes on, beside one that was not (toy).
KILLED_AND_GOES_ON = """\
from t2t.engine import log

see = log.Log.see
def killed(self, seen):
    if "02-heats" in str(self.path) and seen.position.step == 9:
        raise RuntimeError("killed")
    see(self, seen)
log.Log.see = killed
found["killed"] = go("run=broken", "checkpoint.every=5")
log.Log.see = see
go("run=broken", "checkpoint.every=5")
found["whole"] = [digest("runs", run, "stages", "02-heats", "model", "model.safetensors") for run in ("toy", "broken")]
"""


def found_by(script: str, folder: Path, files: dict[str, str]) -> dict[str, Any]:
    """What a script prints behind FOUND, in a folder of its own with these files and three small tasks."""
    write_tasks(folder, {**files, "script.py": START + script})
    result: dict[str, Any] = found_by_script(folder)
    return result


@pytest.mark.parametrize("method", ["lora", "bitfit", "prompt"])
def test_nothing_is_forgotten_bit_for_bit(found: dict[str, Any], method: str) -> None:
    assert "accuracy" in found[method]["said"], found[method]["said"]
    assert found[method]["first"] == found[method]["second"]
    assert found[method]["second"][1] == found[method]["second"][2]
    assert found[method]["second"][3] == found["base"]
    assert "forgetting 0.0000" in found[method]["said"]


def test_the_model_of_a_run_answers_as_its_adapters_on_the_base_do(found: dict[str, Any]) -> None:
    assert found["tasks"] == [["demo/colour", "demo/heat"]] * 2
    colours, heats, *by_hand = found["same"]
    assert [colours, heats] == by_hand
    assert colours != heats
    matrix = found["matrix"]
    assert (matrix["came"], len(matrix["scores"])) == ([0, 1], 2)
    assert matrix["scores"][0][0] == matrix["scores"][1][0]
    assert found["generated"] == found["scored"]


def test_a_stage_that_is_added_leaves_the_others_and_shares_a_task(found: dict[str, Any]) -> None:
    assert "stage 3 of 3: 03-again" in found["added"]
    before, after = found["before and after"]
    assert before == after
    tasks, routes = found["grown"]
    assert tasks == ["demo/colour", "demo/heat", "demo/age"]
    assert routes["tasks"]["03-again"] == ["demo/colour", "demo/age"]
    assert found["shared"] == surest(found["alone"])
    assert found["alone"][0] != found["alone"][1]


def test_by_score_the_surest_answers_whatever_the_task(found: dict[str, Any]) -> None:
    assert found["either"] == surest(found["each"])
    assert found["either"] != found["each"][0]


def surest(answers: list[list[list[Any]]]) -> list[list[Any]]:
    """Of the texts and scores of several adapters those with the best scores, one for one."""
    return [max(row, key=lambda one: one[1]) for row in zip(*answers, strict=True)]


def test_mistakes(found: dict[str, Any]) -> None:
    messages = [
        "adapters: each stage trains an adapter, and there is no peft:; say which: peft: {method: lora}",
        "adapters: this lora changes the base, on which the adapters of all stages stand; use init: zero, or another",
        "adapters: random weights are no base for adapters; start from a model that was trained (model: from:)",
        "adapters.json stands there: what was trained is in several adapters and no part of the base beside them",
        "adapters.json stands there: what was trained is in several adapters and no part of the base beside them",
        "route: ",
        "adapters.json stands there: what was trained is in several adapters and no part of the base beside them",
        "adapters are put on by the engine torch",
        "it says of no adapters what they answer",
    ]
    for said, message in zip(found["refused"], messages, strict=True):
        assert message in said

"""Generative replay in real stages: what the model writes itself keeps the task that it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.test_stage_adapters import KILLED_AND_GOES_ON, RUN, found_by

GENERATIVE = (
    RUN.replace("{strategy: adapters}", "{strategy: generative, examples: 60, writing: 1.0, top: 6}")
    .replace("peft: {method: lora, r: 4}\n", "")
    .replace("learning_rate: 0.05", "learning_rate: 0.01, scale: none")
    .replace("steps: 12", "steps: 150")
)
SCRIPT = """\
from t2t.continual.store import read_store
from t2t.model.tokenizer import decode_text, load_tokenizer

def scores(run):
    return json.loads(Path("runs", run, "continual.json").read_text())["scores"]

found = {"said": go(), "scores": scores("toy")}
head = json.loads(Path("runs/toy/stages/01-colours/continual/replay.json").read_text())
store = read_store(Path("runs/toy/stages/01-colours/continual"), head["vocabulary"])
spelled = load_tokenizer("base")
found["written"] = [[decode_text(spelled, ids.tolist()) for ids in (row.input_ids, row.labels)]
                    for row in store.rows["demo/colour"]]
go("run=plain", "continual=null")
found["plain"] = scores("plain")

"""
SCRIPT += (
    KILLED_AND_GOES_ON
    + """\
print("FOUND" + json.dumps(found))
"""
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("generative")
    return found_by(SCRIPT, folder, {"run.yaml": GENERATIVE})


def test_a_task_is_kept_without_any_of_its_examples(found: dict[str, Any]) -> None:
    (learned, _), (kept, new) = found["scores"]
    (_, _), (forgotten, _) = found["plain"]
    assert learned > 0.9
    assert new > 0.9
    assert forgotten < 0.1 < 0.6 < kept


def test_what_is_written_are_prompts_of_the_task_with_the_answers_of_the_model(found: dict[str, Any]) -> None:
    written = [(prompt, answer) for prompt, answer in found["written"] if prompt.startswith("colour of ")]
    assert len(set(written)) == len(written)
    assert sum(answer in prompt for prompt, answer in written) > 10  # of 15 prompts that there are
    assert f"demo/colour: {len(found['written'])} of 60 examples were written for replay" in found["said"]
    assert "against forgetting" in found["said"]


def test_a_stage_that_was_killed_goes_on_to_the_same_weights(found: dict[str, Any]) -> None:
    assert "killed" in found["killed"]
    assert found["whole"][0] == found["whole"][1]

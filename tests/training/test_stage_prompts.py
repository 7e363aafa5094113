"""Progressive prompts in real stages: each stage's vectors in front of those before it, which stay, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.test_stage_adapters import RUN, found_by

PROGRESSIVE = (
    RUN.replace("strategy: adapters", "strategy: progressive")
    .replace("{method: lora, r: 4}", "{method: prompt, length: 3}")
    .replace("continual:", "  - {name: ages, tasks: [demo/age]}\ncontinual:")
    .replace("learning_rate: 0.05", "learning_rate: 0.3")
)
SCRIPT = """\
import torch
from safetensors.torch import load_file
from t2t.model.backbone import load_pretrained
from t2t.model.peft import weights_hash
from t2t.serving.model import load

NAMES = ["01-colours", "02-heats", "03-ages"]

def after(stage):
    return digest("runs/toy/stages", stage, "after/predictions/demo/colour.jsonl")

found = {"said": go()}
stages = [load_file(f"runs/toy/stages/{name}/adapter/adapter.safetensors") for name in NAMES]
learned, held = ([one.get(f"soft_prompt.{part}") for one in stages] for part in ("weight", "held"))
found["shapes"] = [list(one.shape) if one is not None else None for one in (*learned, *held)]
found["held"] = [torch.equal(held[1], learned[0]), torch.equal(held[2], torch.cat([learned[1], learned[0]]))]
found["learned"] = [float((one - learned[1]).abs().max()) for one in (learned[0], learned[2])]
library = load_file("runs/toy/stages/03-ages/adapter/adapter_model.safetensors")["prompt_embeddings"]
found["library"] = torch.equal(library, torch.cat(learned[::-1]))
found["after"] = [after(name) for name in NAMES]
found["base"] = weights_hash(load_pretrained("base")) == weights_hash(load_pretrained("runs/toy/model"))
found["tasks"] = load("runs/toy").tasks
RECORDS = [{"thing": thing} for thing in ("old 1", "new 2")]
alone = load("runs/toy/stages/03-ages")
found["ages"] = [[[one.text, one.score] for one in model("demo/age", RECORDS)] for model in (load("runs/toy"), alone)]
found["precision"] = go("run=half", "precision=bf16")
half = [load_file(f"runs/half/stages/{name}/adapter/adapter.safetensors") for name in NAMES[:2]]
found["half"] = torch.equal(half[0]["soft_prompt.weight"], half[1]["soft_prompt.held"])
found["refused"] = [go("run=x", change) for change in ("peft={method: lora}", "peft=null")]
print("FOUND" + json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("prompts")
    return found_by(SCRIPT, folder, {"run.yaml": PROGRESSIVE})


def test_each_stage_holds_what_those_before_it_have_learned(found: dict[str, Any]) -> None:
    assert found["shapes"] == [[3, 32], [3, 32], [3, 32], None, [3, 32], [6, 32]]
    assert found["held"] == [True, True]
    assert found["half"]
    assert min(found["learned"]) > 0.1
    assert found["library"]
    assert "prompt: 96 of " in found["said"]


def test_nothing_is_forgotten_bit_for_bit(found: dict[str, Any]) -> None:
    assert len(set(found["after"])) == 1
    assert found["base"]
    assert "forgetting 0.0000" in found["said"]


def test_the_model_of_the_run_answers_as_that_of_a_stage(found: dict[str, Any]) -> None:
    assert found["tasks"] == ["demo/colour", "demo/heat", "demo/age"]
    ours, alone = found["ages"]
    assert [text for text, _ in ours] == [text for text, _ in alone]
    assert [score for _, score in ours] == pytest.approx([score for _, score in alone], abs=1e-5)


def test_other_methods_are_refused(found: dict[str, Any]) -> None:
    for said, has in zip(found["refused"], ("peft: is lora", "there is no peft:"), strict=True):
        assert f"progressive: each stage learns vectors in front of the prompt, and {has}; use peft: {{method" in said

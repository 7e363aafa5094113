"""O-LoRA in real stages: each LoRA apart from those before it, which stand merged in what it starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.test_stage_adapters import KILLED_AND_GOES_ON, RUN, found_by

OLORA = RUN.replace("strategy: adapters", "strategy: olora, strength: 20").replace(
    "continual:", "  - {name: ages, tasks: [demo/age]}\ncontinual:"
)
SCRIPT = """\
import torch
from safetensors.torch import load_file

def rows(run, stage):
    adapter = load_file(Path("runs", run, "stages", stage, "adapter", "adapter.safetensors"))
    return {name: one for name, one in adapter.items() if ".lora_A." in name}

def penalty(run, number, earlier):
    names = ["01-colours", "02-heats", "03-ages"]
    now = rows(run, names[number])
    return sum(float((one[name] @ now[name].T).square().sum())
               for one in (rows(run, names[place]) for place in earlier) for name in now)

def cosine(run):
    one, two = (torch.cat([row.flatten() for row in rows(run, stage).values()]) for stage in ("01-colours", "02-heats"))
    return float(torch.cosine_similarity(one, two, dim=0))

found = {"said": go(), "penalties": [penalty("toy", 1, [0]), penalty("toy", 2, [0, 1])]}
found["free"] = go("run=free", "continual.strength=0")
found["free penalties"] = [penalty("free", 1, [0]), penalty("free", 2, [0, 1])]
found["cosines"] = [cosine("toy"), cosine("free")]

weights = [load_file(f"runs/toy/stages/{stage}/model/model.safetensors") for stage in ("02-heats", "03-ages")]
adapter = load_file("runs/toy/stages/03-ages/adapter/adapter.safetensors")
name = "encoder.block.0.layer.0.SelfAttention.q"
added = adapter[f"{name}.lora_B.default.weight"] @ adapter[f"{name}.lora_A.default.weight"] * 16 / 4
found["merged"] = torch.allclose(weights[1][f"{name}.weight"], weights[0][f"{name}.weight"] + added, atol=1e-5)
found["added"] = float(added.abs().max())

"""
SCRIPT += (
    KILLED_AND_GOES_ON
    + """\
found["refused"] = [go("run=x", change) for change in ("peft={method: bitfit}", "peft.dora=true", "peft=null")]
found["begun"] = Path("runs/x").exists()
print("FOUND" + json.dumps(found))
"""
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("olora")
    return found_by(SCRIPT, folder, {"run.yaml": OLORA})


def test_each_is_apart_from_those_before_it(found: dict[str, Any]) -> None:
    for kept, free in zip(found["penalties"], found["free penalties"], strict=True):
        assert kept < 0.1 * free
    told = [line for line in found["said"].splitlines() if "||A_earlier A^T||^2" in line]
    assert [float(line.split(" is ")[1].split()[0]) for line in told] == pytest.approx(found["penalties"], rel=2e-2)
    assert max(map(abs, found["cosines"])) < 0.5


def test_earlier_ones_stand_merged_in_what_a_stage_starts_from(found: dict[str, Any]) -> None:
    assert found["added"] > 1e-3
    assert found["merged"]


def test_a_stage_that_was_killed_goes_on_to_the_same_weights(found: dict[str, Any]) -> None:
    assert "killed" in found["killed"]
    assert found["whole"][0] == found["whole"][1]


def test_what_is_no_plain_lora_is_refused_before_any_training(found: dict[str, Any]) -> None:
    messages = ["and peft: is bitfit; use peft:", "and its LoRA has dora: or init: pissa", "and there is no peft:"]
    for said, message in zip(found["refused"], messages, strict=True):
        assert f"olora: each stage trains a plain LoRA, {message}" in said
    assert not found["begun"]

"""Strategies that train adapters, on two ranks at ZeRO-3: the losses and weights of one rank at stage 0."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import train_tokenizer
from tests.training.test_stage_adapters import RUN, write_tasks
from tests.training.test_validation import start

SHAPE = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 4}
STRATEGIES = {
    "adapters": ("continual={strategy: adapters}",),
    "olora": ("continual={strategy: olora, strength: 2}",),
    "progressive": ("continual={strategy: progressive}", "peft={method: prompt, length: 3}"),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_ranks_at_stage_3_train_as_one_at_stage_0(tmp_path: Path, strategy: str) -> None:
    runs = []
    for ranks, zero in ((1, 0), (2, 3)):
        folder = tmp_path / str(ranks)
        write_tasks(folder, {"run.yaml": RUN})
        tokenizer = train_tokenizer(["colour heat age of red green blue hot cold old new 0 1 2 3 4"] * 20, 520)
        build_from_scratch(SHAPE, len(tokenizer), 1).save(tokenizer, folder / "base", 16)
        changes = (*STRATEGIES[strategy], f"deepspeed=ds_configs/zero{zero}.json", "log={every: 1}", "model.dropout=0")
        assert start(folder, *changes, ranks=ranks) == 0, (folder / "said.txt").read_text()[-3000:]
        runs.append(folder / "runs" / "toy" / "stages" / "02-heats")
    one, two = runs
    assert json.loads((two / "facts.json").read_text())["processes"] == 2
    assert curve(two) == pytest.approx(curve(one), rel=1e-3)
    assert len(curve(one)) == 12
    theirs, ours = (load_file(run / "adapter" / "adapter.safetensors") for run in runs)
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=3e-3) for name in theirs)


def curve(run: Path) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]

"""The run files that users copy: all are read, and those that fine-tune start from a folder of the kind they name."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from transformers import T5Config, T5ForConditionalGeneration

from t2t.authoring.check import check
from t2t.config.run import load_run
from t2t.runs.run_tasks import load_tasks
from t2t.tasks.sources import data_dir
from tests.forking import run_python

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.yaml") if not path.name.startswith("tickets"))
MODELS = data_dir() / "sentencepiece_models"
VOCABULARIES = {
    "finetune": (MODELS / "t5" / "spiece.model", 32_128),
    "finetune_zh": (MODELS / "mt5_zh_bojone" / "sentencepiece_cn.model", 32_596),
}
SIZES = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_is_read_and_its_tasks_are_there(name: str) -> None:
    config = load_run(f"examples/{name}")
    assert config.run == name.removesuffix(".yaml")
    assert load_tasks(config.tasks, config.where)


@pytest.mark.parametrize("name", VOCABULARIES)
def test_fine_tuning_has_the_settings_of_t5(name: str) -> None:
    config = load_run(f"examples/{name}.yaml")
    optimizer = config.optimizer
    assert (optimizer.learning_rate, optimizer.scale, config.schedule.warmup) == (1.0e-3, "rms", 0)
    assert config.model.dropout == 0.1
    assert config.schedule.epochs is not None


@pytest.mark.parametrize("name", ["tickets", "tickets_zh"])
def test_their_data_are_sound(name: str) -> None:
    _, errors = check([f"examples/{name}.yaml"])
    assert errors == 0
    run = load_run("examples/finetune.yaml", [f"tasks=[examples/{name}.yaml]"])
    (task,) = load_tasks(run.tasks, run.where)
    gold = Counter(str(example.gold) for split in ("train", "test") for example in task.examples(split))
    assert list(gold.values()) == [10] * 4


@pytest.mark.parametrize("name", VOCABULARIES)
def test_it_trains_by_epochs_and_goes_on_to_the_same_weights(name: str, tmp_path: Path) -> None:
    spiece, rows = VOCABULARIES[name]
    if not spiece.is_file():
        pytest.skip(f"no {spiece}")
    T5ForConditionalGeneration(T5Config(vocab_size=rows, **SIZES)).save_pretrained(tmp_path / "t5")
    shutil.copy(spiece, tmp_path / "t5" / "spiece.model")
    for folder in ("examples", "ds_configs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    command = [str(ROOT / "launch.sh"), "--config", f"examples/{name}.yaml"]
    sets = [f"model.from={tmp_path / 't5'}", "schedule.epochs=4", "checkpoint.every=3", "precision=fp32"]

    def train(run: str) -> str:
        words = [word for one in [*sets, f"run={run}"] for word in ("--set", one)]
        code = run_python([*command, *words], tmp_path, tmp_path / "said.txt")
        said = (tmp_path / "said.txt").read_text()
        assert code == 0, said[-3000:]
        return said

    told = train("whole")
    assert re.search(
        r"^4 epochs are (8|9|1[0-9]) steps; few: raise schedule: epochs, or lower batch: tokens", told, re.M
    )
    shutil.copytree(tmp_path / "runs" / "whole", tmp_path / "runs" / "again")
    again = tmp_path / "runs" / "again"
    (again / "run.yaml").write_text((again / "run.yaml").read_text().replace("run: whole", "run: again"))
    shutil.rmtree(again / "model")
    last = (again / "checkpoints" / "latest").read_text().strip()
    shutil.rmtree(again / "checkpoints" / last)  # as if the run had ended before its last checkpoint
    train("again")
    files = [tmp_path / "runs" / run / "model" / "model.safetensors" for run in ("whole", "again")]
    assert files[0].read_bytes() == files[1].read_bytes()

"""The benchmark of continual learning at toy size: what it writes, goes on with and prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from t2t.tasks.data_files import data_dir
from tests.places import PYTHONPATH, ROOT

CLINC = data_dir() / "clinc150"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def test_tables() -> None:
    from continual import table_of_costs, table_of_domains, table_of_families

    first = {"strategy": "sequential", "accuracy": 0.1, "forgetting": 0.8, "backward": -0.8, "seconds": 9.0}
    best = {"strategy": "joint", "accuracy": 0.8, "forgetting": None, "backward": None, "seconds": 20.0}
    lines = [{**first, "learned": 0.9}, {**first, "accuracy": 0.2, "learned": 0.9}, best]
    assert table_of_domains(lines).splitlines()[2:] == [
        "| sequential | 0.150 ± 0.071 | 19% | 0.900 ± 0.000 | 0.800 ± 0.000 | -0.800 ± 0.000 | 2 | 9 |",
        "| joint | 0.800 | 100% |  |  |  | 1 | 20 |",
    ]
    costs = {"step": 0.1, "megabytes": 500.0, "kept": 0.0, "processor": 9.0}
    slower = {"step": 0.11, "megabytes": 512.0, "kept": 1.25, "processor": 10.0}
    found = [{"strategy": "sequential", **costs}, {"strategy": "replay", **slower}]
    assert table_of_costs(found).splitlines()[3] == "| replay | 110 | +10% | 512 | +12 | 1.2 | 10 |"
    family = {"strategy": "l2", "last": {"a": 0.5, "b": 0.25}, "accuracy": 0.375, "forgetting": 0.1, "seconds": 3.0}
    assert table_of_families([family]).splitlines()[0] == "| strategy | a | b | accuracy | forgetting | seconds |"
    assert table_of_families([family]).splitlines()[2] == "| l2 | 0.500 | 0.250 | 0.375 | 0.100 | 3 |"


def test_joint_has_one_stage_with_the_updates_of_all_and_what_a_strategy_learned() -> None:
    from continual_runs import learned, staged
    from continual_ways import Way

    stages = [("a", [{"task": "x/a"}]), ("b", [{"task": "x/b", "limit": 3}])]
    joint = staged(Way({"strategy": "joint"}), stages, 50)
    assert joint["stages"] == [{"name": "all", "tasks": [{"task": "x/a"}, {"task": "x/b", "limit": 3}]}]
    assert joint["schedule"]["steps"] == 100
    assert "continual" not in joint
    lora = staged(Way({"strategy": "olora"}, {"method": "lora"}, 0.5), stages, 50)
    assert (lora["schedule"]["steps"], len(lora["stages"]), lora["optimizer"]["learning_rate"]) == (50, 2, 0.5)
    assert (lora["continual"], lora["peft"]) == ({"strategy": "olora"}, {"method": "lora"})
    assert learned({"came": [0, 1], "scores": [[0.9, 0.0], [0.4, 0.7]]}) == pytest.approx(0.8)


@pytest.mark.skipif(not CLINC.is_dir(), reason="CLINC150 is not in shared/data")
def test_the_first_examples_of_a_domain_are_of_all_its_intents(tmp_path: Path) -> None:
    from continual_data import write_clinc

    assert len(write_clinc(data_dir(), tmp_path)) == 10
    lines = (tmp_path / "task_templates/clinc/banking.test.jsonl").read_text().splitlines()
    assert len({json.loads(line)["intent"] for line in lines[:100]}) == 15


@pytest.mark.skipif(not CLINC.is_dir(), reason="CLINC150 is not in shared/data")
def test_a_toy_run_goes_on_where_it_was(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/continual.py", "overhead", "--out", str(tmp_path), "--toy"]
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    environment["T2T_SHARED"] = str(data_dir().parent)
    command += ["--strategies", "replay"]
    said = [
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    (kept,) = [json.loads(line) for line in (tmp_path / "overhead.jsonl").read_text().splitlines()]
    assert (kept["strategy"], kept["order"]) == ("replay", 0)
    assert kept["step"] > 0
    assert kept["megabytes"] > 100
    assert 0 < kept["kept"] < 1
    assert said[0].endswith(said[1])  # the table, without training again
    assert said[1].startswith("| strategy | ms a step | ")

"""A real wheel, installed into a folder of its own: the commands work in an empty folder, with nothing of the clone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("t2t", "task_templates", "ds_configs", "examples", "pyproject.toml", "setup.py", "README.md", "LICENSE")
RUN = """\
run: toy
tasks: [classification/moods]
tokenizer: {vocab_size: 600}
model: {from_scratch: {d_model: 16, d_kv: 8, d_ff: 16, num_layers: 1, num_decoder_layers: 1, num_heads: 2}}
schedule: {name: constant, steps: 3, warmup: 0}
"""


def pip(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel of this tree is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in PARTS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / "source" / name if copy is shutil.copytree else folder / "source")
    pip("wheel", "--quiet", "--no-build-isolation", "--no-deps", "-w", str(folder), str(folder / "source"))
    (wheel,) = folder.glob("*.whl")
    pip("install", "--quiet", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel))
    return folder / "site"


def t2t(site: Path, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "t2t", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_wheel_holds_every_file_that_comes_with_t2t(site: Path) -> None:
    for folder in ("task_templates", "ds_configs", "examples"):
        here = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if path.is_file()}
        there = {str(path.relative_to(site / "t2t")) for path in (site / "t2t" / folder).rglob("*") if path.is_file()}
        assert len(here) > 2
        assert here == there
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "t2t").rglob("*.py")}
    assert modules <= {str(path.relative_to(site)) for path in (site / "t2t").rglob("*.py")}
    assert (site / "t2t" / "py.typed").is_file()


def test_commands_work_in_an_empty_folder_and_own_templates_win(site: Path, tmp_path: Path) -> None:
    words = {"glad": "sunny", "sad": "dark"}
    moods = [{"text": f"day {number} is {words[mood]}", "mood": mood} for number in range(40) for mood in words]
    (tmp_path / "moods.jsonl").write_text("\n".join(map(json.dumps, moods)), encoding="utf-8")
    assert "atlas/ner_en" in t2t(site, tmp_path, "list")
    t2t(site, tmp_path, "new", "--from", "moods.jsonl", "--out", "task_templates/classification/moods.yaml")
    assert "classification/moods version 1" in t2t(site, tmp_path, "check", "classification/moods")
    (tmp_path / "run.yaml").write_text(RUN, encoding="utf-8")
    t2t(site, tmp_path, "train", "run.yaml")
    t2t(site, tmp_path, "generate", "--config", "run.yaml")
    lines = (tmp_path / "runs" / "toy" / "predictions" / "classification" / "moods.jsonl").read_text().splitlines()
    assert {json.loads(line)["value"] for line in lines} <= {"glad", "sad"}
    own = tmp_path / "task_templates" / "atlas" / "ner_en.yaml"
    own.parent.mkdir()
    own.write_text((ROOT / "task_templates" / "atlas" / "ner_en.yaml").read_text().replace("version: 1", "version: 77"))
    assert [line.split()[1] for line in t2t(site, tmp_path, "list").splitlines() if "atlas/ner_en " in line] == ["77"]

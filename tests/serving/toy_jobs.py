"""A model of one task that knows nothing, an input with two bad records, and the command on them in small chunks."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from t2t.cli import main
from t2t.config.run import Lengths
from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import train_tokenizer
from t2t.serving import batch_job
from t2t.tasks.kept import FILE, keep
from t2t.tasks.task import load_task
from tests.places import PYTHONPATH

WORDS = ["Ada moved to Oslo", "Rome fell; Bo wept", "no names here", "Oslo, Oslo and Oslo"]


class Killed(BaseException):
    """Stands for kill -9 where it is raised: nothing behind it runs but what a dead process leaves on disk."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"), WORDS, ["atlas/topic_en"], 64)


def make_model(folder: Path, texts: list[str], tasks: Sequence[str], prompt: int, wide: bool = False) -> Path:
    """A model of random weights that knows ``tasks``; ``prompt``: tokens of a prompt; ``wide``: sums of many terms."""
    tokenizer = train_tokenizer([f"find names: {text} = city ; person" for text in texts] * 5, 600)
    torch.manual_seed(1)
    shape = {"d_model": 16, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    if wide:
        shape |= {"d_model": 192, "d_kv": 32, "d_ff": 512, "num_heads": 6}
    build_from_scratch(shape, len(tokenizer)).save(tokenizer, folder, 12)
    kept = keep([load_task(task) for task in tasks], Lengths(prompt=prompt, target=12), "0.1.0")
    (folder / FILE).write_text(kept, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_job, "CHUNK", 7)


def write_input(path: Path, count: int = 40) -> Path:
    draw = random.Random(3)
    rows = [json.dumps({"id": f"r{n}", "text": f"{draw.choice(WORDS)} {n}"}) for n in range(count)]
    rows[13] = "{broken"
    rows[27] = json.dumps({"id": "r27", "txt": "x"})
    path.write_text("\n".join(rows) + "\n")
    return path


def generate(model: Path, source: Path | str, out: Path, *more: str) -> int:
    return main(["generate", "--model", str(model), "--input", str(source), "--output", str(out), *more])


@pytest.fixture
def whole(model: Path, tmp_path: Path) -> tuple[bytes, bytes]:
    """The output and the bad records of a job that went through."""
    out = tmp_path / "whole.jsonl"
    assert generate(model, write_input(tmp_path / "in.jsonl"), out) == 0
    assert not out.with_name("whole.jsonl.parts").exists()
    return out.read_bytes(), out.with_name("whole.jsonl.bad.jsonl").read_bytes()


def begin(folder: Path, before: str, *words: str | Path) -> subprocess.Popen[bytes]:
    """Start the real command in a folder, with small chunks; ``before`` runs before a chunk ``number`` is finished."""
    (folder / "sitecustomize.py").write_text(
        "import os, sys, time\n"
        "if 'SMALL_CHUNKS' in os.environ:\n"
        "    from t2t.serving import batch_job\n"
        "    batch_job.CHUNK = 7\n"
        "    finish = batch_job.Job.finish\n"
        "    def changed(self, number, *rest):\n"
        f"        {before}\n"
        "        finish(self, number, *rest)\n"
        "    batch_job.Job.finish = changed\n"
    )
    command = [sys.executable, "-m", "t2t", "generate", "--output", "out.jsonl", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{PYTHONPATH}", "SMALL_CHUNKS": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )

"""A batch job has the same bytes by one thread and by several: its workers have fewer than one process alone."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.places import PYTHONPATH
from tests.serving.toy_jobs import WORDS, make_model


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"), WORDS, ["atlas/topic_en"], 64, wide=True)


@pytest.mark.parametrize("engine", ["torch", "ctranslate2"])
def test_scores_have_the_same_digits_by_one_thread_and_by_several(wide: Path, tmp_path: Path, engine: str) -> None:
    if find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    draw = random.Random(5)
    texts = [" ".join(draw.choices(" ".join(WORDS).split(), k=draw.randint(3, 20))) for _ in range(200)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    found = []
    for threads in ("1", "2", "4"):
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "PYTHONPATH": PYTHONPATH,
            "XDG_CACHE_HOME": str(tmp_path),
        }
        environment.pop("MKL_CBWR", None)
        command = [sys.executable, "-m", "t2t", "generate", "--model", str(wide), "--input", "in.jsonl"]
        subprocess.run(
            [*command, "--output", f"{threads}.jsonl", "--set", f"generate.engine={engine}"],
            cwd=tmp_path, env=environment, check=True, capture_output=True,
        )  # fmt: skip
        found.append((tmp_path / f"{threads}.jsonl").read_text())
    assert len(found[0].splitlines()) == 200
    assert found[0] == found[1] == found[2]

"""The hub is asked once, and silence costs seconds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from t2t import reach
from t2t.authoring.check import check, check_each
from t2t.errors import UnreachableError
from tests.places import PYTHONPATH

ROOT = Path(__file__).parents[1]
HUB = """\
task: demo/far
version: 1
source: {format: hub, path: acme/rows, revision: unverified, train: train}
prompt: "say: {text}"
target: {text: text}
metrics: [exact_match]
"""
RUN = "run: x\ntasks: [demo/far]\nmodel: {from: acme/t5}\nschedule: {epochs: 1}\n"
TRIED = "import sys; from t2t.commands.launch import main; sys.exit(main(['--config', 'run.yaml']))"


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes what is asked and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_model_that_is_out_of_reach_is_one_sentence_in_seconds(tmp_path: Path, silent: str) -> None:
    (tmp_path / "run.yaml").write_text(RUN)
    hub = {"HF_ENDPOINT": silent, "HF_HOME": str(tmp_path), "PYTHONPATH": PYTHONPATH, "HF_HUB_OFFLINE": "0"}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", TRIED], cwd=tmp_path, env={**os.environ, **hub}, capture_output=True, text=True
    )
    assert time.monotonic() - started < 10  # a loaded machine; three seconds are waiting
    assert done.returncode == 2
    assert done.stderr == (
        "t2t: run.yaml:3: acme/t5: it is no folder here, nothing of it is kept from before, and the hub does not "
        "answer; name a folder, or try again where there is a network\n"
    )


def test_what_answers_is_asked_once(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    asked: list[str] = []

    def answers(address: str) -> bool:
        asked.append(address)
        return len(asked) > 5

    monkeypatch.setattr(reach, "_answers", answers)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", silent)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    reach.hub_answers.cache_clear()
    assert [reach.hub_answers() for _ in range(3)] == [False] * 3
    assert asked == [silent]
    assert constants.HF_HUB_OFFLINE
    reach.hub_answers.cache_clear()


def test_only_silence_is_no_answer(silent: str) -> None:
    started = time.monotonic()
    assert not reach._answers(silent)
    assert 2 < time.monotonic() - started < 5
    assert not reach._answers("http://127.0.0.1:9")  # nobody listens
    assert not reach._answers("no address")


def test_data_out_of_reach_are_listed_together_and_no_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "task_templates" / "demo"
    folder.mkdir(parents=True)
    monkeypatch.setattr("t2t.tasks.sources.hub.hub_answers", lambda: False)
    monkeypatch.setattr("t2t.authoring.check.hub_answers", lambda: False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    names = [f"demo/far{number}" for number in range(9)]
    for name in names:
        (folder / f"{name.removeprefix('demo/')}.yaml").write_text(HUB.replace("demo/far", name))
    (folder / "near.yaml").write_text(
        HUB.replace("demo/far", "demo/near").replace("hub, path: acme/rows, revision: unverified", "jsonl")
        .replace("train: train", "train: rows.jsonl")
    )  # fmt: skip
    (folder / "rows.jsonl").write_text('{"text": "a"}\n')
    text, errors = check([*names, "demo/near"])  # by processes of their own
    assert errors == 0
    assert text.startswith("demo/near version 1\n")
    head = (
        "not checked: the hub does not answer, and the data of 9 tasks are not kept from before\n  demo/far0, demo/far1"
    )
    assert head in text
    assert text.count("demo/far0") == 1
    monkeypatch.setattr(reach, "hub_answers", lambda: False)
    with pytest.raises(UnreachableError, match="acme/t5: it is no folder here"):
        check_each(names[:1], Path("acme/t5"))
    (report,) = check_each(names[:1])
    assert report.errors == 0
    assert "data set 'acme/rows' is not kept here, and the hub does not answer" in str(report.to_json()["unreachable"])

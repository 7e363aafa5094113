"""A batch job on Ray: what one process does, by replicas of which one is killed."""

from __future__ import annotations

import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from t2t.cli import main
from t2t.commands import ray_job
from t2t.commands.answer import Asked
from t2t.errors import InputError
from t2t.serving import batch_job
from t2t.tasks.record import RawRecord
from tests.serving.toy_jobs import Killed, begin, generate, model, small_chunks, whole, write_input

__all__ = ["model", "small_chunks", "whole"]  # fixtures


def test_what_ray_cannot_do_is_told_before_it_is_started(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_ray = ["generate", "--model", str(model), "--distributed", "ray", "--input"]
    assert main([*on_ray, "-", "--output", str(tmp_path / "out.jsonl")]) == 2
    assert "standard input is of one machine alone" in capsys.readouterr().err
    assert main([*on_ray, str(write_input(tmp_path / "in.jsonl"))]) == 2
    assert "there is no --output" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ray", None)
    assert generate(model, tmp_path / "in.jsonl", tmp_path / "out.jsonl", "--distributed", "ray") == 2
    assert "Ray is not installed; pip install 't2t[ray]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cores", "replicas", "each"),
    [([16], 1, 16), ([16], 3, 5), ([8, 8], 1, 8), ([8, 8], 3, 4), ([0, 4, 12], 4, 4), ([2], 9, 1)],
)
def test_each_replica_on_ray_fits_on_a_machine(cores: list[int], replicas: int, each: int) -> None:
    assert ray_job.cores_each(cores, replicas) == each


def test_a_file_in_an_archive_stays_one_on_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("a.jsonl", '{"text": "Ada"}\n')
    monkeypatch.chdir(tmp_path)
    asked = ray_job._absolute(Asked(model=Path("m"), task=None, inputs=["in.zip!a.jsonl"]))
    assert asked.inputs == [f"{tmp_path / 'in.zip'}!a.jsonl"]


def test_a_chunk_that_kills_whoever_answers_it_is_given_up(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from t2t.commands import ray_job

    records, job = [RawRecord("in.jsonl:1", "1", {"text": "x"})], batch_job.Job(tmp_path / "out.jsonl", {"model": "m"})
    asked = ray_job.Asked(model=model, task=None, inputs=["in.jsonl"])
    replica = ray_job._Replica(asked, job)
    row = {"number": 0, "records": 1, "chunk": pickle.dumps((records, []))}

    def killed(chunk: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(replica, "_answer", killed)
        for _ in range(4):
            with pytest.raises(Killed):
                replica(row)
        with pytest.raises(InputError, match=r"in\.jsonl:1 to in\.jsonl:1: 4 processes .* were killed"):
            replica(row)
    job.forget_tries()
    assert replica(row)["records"] == 1
    assert job.is_finished(0)


def test_two_replicas_on_a_local_ray_of_whom_one_is_killed(
    model: Path, tmp_path: Path, whole: tuple[bytes, bytes]
) -> None:
    pytest.importorskip("ray")
    once = f"if number == 3 and not os.path.exists({str(tmp_path / 'killed')!r}): " + (
        f"open({str(tmp_path / 'killed')!r}, 'w'), os.kill(os.getpid(), 9)"
    )
    source = tmp_path / "in.jsonl"
    process = begin(tmp_path, once, "--model", model, "--input", source, "--distributed", "ray", "--workers", "2")
    _, said = process.communicate(timeout=500)
    assert process.returncode == 0, said.decode()[-3000:]
    assert (tmp_path / "killed").exists()
    assert ((tmp_path / "out.jsonl").read_bytes(), (tmp_path / "out.jsonl.bad.jsonl").read_bytes()) == whole
    assert b"t2t: 2 records were set aside" in said
    assert not list(tmp_path.glob("*.parts*"))
    assert not list(tmp_path.glob("out.jsonl.parts*"))

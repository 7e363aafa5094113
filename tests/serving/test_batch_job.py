"""A batch job through kills, with workers, on several machines: every input once, and the same bytes as in one go."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t2t.cli import main
from t2t.errors import DataError, RunDirectoryError
from t2t.serving import batch_job
from t2t.serving.doubled_ids import SeenIds
from t2t.tasks.record import RawRecord
from tests.serving.toy_jobs import WORDS, Killed, begin, generate, model, small_chunks, whole, write_input

__all__ = ["model", "small_chunks", "whole"]  # fixtures


def test_each_input_stands_once_in_its_order(whole: tuple[bytes, bytes]) -> None:
    ids = [json.loads(line)["id"] for line in whole[0].splitlines()]
    assert ids == [f"r{n}" for n in range(40) if n not in (13, 27)]
    assert [json.loads(line)["where"].rpartition(":")[2] for line in whole[1].splitlines()] == ["14", "28"]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_killed_at_every_write_it_goes_on_to_the_same_bytes(
    model: Path, tmp_path: Path, whole: tuple[bytes, bytes], suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = tmp_path / f"expected.{suffix}"
    assert generate(model, tmp_path / "in.jsonl", expected) == 0
    out = tmp_path / f"out.{suffix}"
    finish, join, kills = batch_job.Job.finish, batch_job.Job.join, [0]

    def killed(before: int, real: Any) -> Any:
        def call(self: batch_job.Job, *given: Any) -> Any:
            kills[0] += 1
            if kills[0] % 2 == before:
                raise Killed
            result = real(self, *given)
            if kills[0] % 3 == 0:
                raise Killed
            return result

        return call

    monkeypatch.setattr(batch_job.Job, "finish", killed(0, finish))
    for _ in range(40):
        try:
            generate(model, tmp_path / "in.jsonl", out)
            break
        except Killed:
            assert not out.exists()
    assert kills[0] > 8
    assert out.read_bytes() == expected.read_bytes()
    assert out.with_name(f"{out.name}.bad.jsonl").read_bytes() == whole[1]
    assert join is batch_job.Job.join


def killed_before_the_join(monkeypatch: pytest.MonkeyPatch, job: Callable[[], object]) -> None:
    def stop(self: batch_job.Job, count: int) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(batch_job.Job, "join", stop)
        with pytest.raises(Killed):
            job()


def test_another_job_for_the_same_output_is_refused(
    model: Path, tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    out = tmp_path / "out.jsonl"

    killed_before_the_join(monkeypatch, lambda: generate(model, tmp_path / "in.jsonl", out))
    for more, differs in ((("--set", "generate.beams=2"), "settings"), (("--keep", "text"), "keep")):
        assert generate(model, tmp_path / "in.jsonl", out, *more) == 2
        assert f"it holds another job for this output (it differs in {differs})" in capsys.readouterr().err
    other = write_input(tmp_path / "other.jsonl", 41)
    assert generate(model, other, out) == 2
    assert "it differs in input" in capsys.readouterr().err
    assert generate(model, tmp_path / "in.jsonl", out) == 0
    assert out.read_bytes() == whole[0]


def test_a_job_of_which_nothing_came_keeps_no_other_from_its_output(model: Path, tmp_path: Path, capsys: Any) -> None:
    source, out = write_input(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    assert generate(model, source, out, "--task", "atlas/topik_en") == 2
    assert "no task 'atlas/topik_en'" in capsys.readouterr().err
    assert generate(model, source, out, "--task", "atlas/topic_en") == 0


def test_of_two_jobs_for_one_output_begun_at_once_one_is_refused(tmp_path: Path) -> None:
    """While the first loads its model nothing of it is there; their chunks are not mixed."""
    out = tmp_path / "out.jsonl"
    first, second = batch_job.Job(out, {"model": "m"}), batch_job.Job(out, {"model": "n"})
    with pytest.raises(RunDirectoryError, match=r"another job for this output \(it differs in model\)"):
        first.claimed(0).__enter__()
    with second.claimed(0), pytest.raises(RunDirectoryError, match="it differs in model"):
        batch_job.Job(out, {"model": "o"})
    finished(second, 0)
    with pytest.raises(RunDirectoryError, match="it differs in model"):
        first.join(1)
    assert second.join(1) is not None
    assert first.is_joined()


def test_who_comes_later_takes_the_chunks_that_nobody_has(
    model: Path, tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command twice, as on two machines: while one has a chunk the other does all the rest, waits for it, and
    takes it over when the first is gone."""
    out, finish, done = tmp_path / "out.jsonl", batch_job.Job.finish, list[int]()
    first = begin(tmp_path, "if number == 1: time.sleep(100)", "--model", str(model), "--input", tmp_path / "in.jsonl")
    try:
        while not (tmp_path / "out.jsonl.parts/000000001.claim").is_file():
            time.sleep(0.05)

        def seen(self: batch_job.Job, number: int, *more: Any) -> None:
            done.append(number)
            finish(self, number, *more)
            if number == 5:
                assert not self.is_free(1)
                threading.Timer(1.0, first.kill).start()

        monkeypatch.setattr(batch_job.Job, "finish", seen)
        assert generate(model, tmp_path / "in.jsonl", out) == 0
    finally:
        first.kill()
        first.wait()
    assert done == [2, 3, 4, 5, 1]
    assert (out.read_bytes(), out.with_name("out.jsonl.bad.jsonl").read_bytes()) == whole
    assert not list(tmp_path.glob("*.parts*"))


def test_a_chunk_that_was_only_looked_at_goes_to_one_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens the file of a claim while another looks whether the chunk is free has the claim that others see."""
    job, opened, looks = batch_job.Job(tmp_path / "out.jsonl", {"model": "m"}), os.open, list[int]()

    def while_looked_at(*given: Any) -> int:
        if looks:
            return opened(*given)
        looks.append(0)
        with job.claimed(0) as free:
            assert free
            return opened(*given)

    monkeypatch.setattr(os, "open", while_looked_at)
    with job.claimed(0) as mine, job.claimed(0) as also:
        assert (mine, also) == (True, False)


def test_who_joins_last_finds_nothing_and_leaves_no_lock(tmp_path: Path) -> None:
    """As a worker does that waited for the lock while another joined the chunks and removed them."""
    job = batch_job.Job(tmp_path / "out.jsonl", {"model": "m"})
    shutil.rmtree(job.folder)
    assert job.join(3) is None
    assert not list(tmp_path.iterdir())


def finished(job: batch_job.Job, *numbers: int, by: str = "m") -> batch_job.Job:
    for number in numbers:
        job.finish(number, [{"id": str(number), "value": by}], [])
    return job


def test_who_ends_a_chunk_after_the_others_have_joined_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a replica of another command does, or a machine that was cut off while its lock ended: before it writes, and
    while it does."""
    out, head = tmp_path / "out.jsonl", {"model": "m"}
    first, late, later = (batch_job.Job(out, head) for _ in range(3))
    real = batch_job.Job._bad

    def joined_meanwhile(self: batch_job.Job, number: int) -> Path:
        monkeypatch.setattr(batch_job.Job, "_bad", real)
        assert finished(first, 0, 1).join(2) is not None
        return real(self, number)

    monkeypatch.setattr(batch_job.Job, "_bad", joined_meanwhile)
    finished(late, 1, by="late")
    finished(later, 1, by="late")
    assert late.join(2) is None
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    assert "late" not in out.read_text()
    late.folder.mkdir()
    late._part(1).write_text("late")
    assert not batch_job.Job(out, {"model": "n"}).is_finished(1)


def test_who_begins_while_others_join_waits_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, remove, begun = tmp_path / "out.jsonl", shutil.rmtree, list[batch_job.Job]()
    first = finished(batch_job.Job(out, {"model": "m"}), 0)
    other = threading.Thread(target=lambda: begun.append(batch_job.Job(out, {"model": "m"})))

    def begin_and_remove(folder: Path, **how: Any) -> None:
        monkeypatch.setattr(shutil, "rmtree", remove)
        other.start()
        other.join(0.5)
        remove(folder, **how)

    monkeypatch.setattr(shutil, "rmtree", begin_and_remove)
    assert first.join(1) is not None
    other.join()
    assert not begun[0].is_joined()
    assert not (tmp_path / "out.jsonl.parts.joined").exists()


def test_a_chunk_is_one_file_where_nothing_of_it_is_bad_or_unsure(tmp_path: Path) -> None:
    """The time that a chunk takes to write grows with the files that are there."""
    job = batch_job.Job(tmp_path / "out.jsonl", {"model": "m"})
    job.finish(0, [{"id": "0"}], [DataError("in:1", "no JSON", "mend it")], [{"id": "unsure"}])
    job.finish(0, [{"id": "0"}], [])  # once more, as after a kill
    finished(job, 1)
    assert sorted(path.name for path in job.folder.glob("*.jsonl")) == ["000000000.jsonl", "000000001.jsonl"]
    assert job.join(2) == batch_job.JoinedOutput(2, 0, 0)


def test_standard_input_is_not_shared_out_by_a_launcher(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert generate(model, "-", tmp_path / "out.jsonl") == 2
    assert "write it to a file, or use --workers" in capsys.readouterr().err


def test_several_files_and_patterns_are_one_input(model: Path, tmp_path: Path, capsys: Any) -> None:
    for name, texts in (("b", WORDS[:2]), ("a", WORDS[2:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    out = tmp_path / "out.jsonl"
    assert generate(model, str(tmp_path / "?.jsonl"), out) == 0
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == [
        "a.jsonl:1", "a.jsonl:2", "b.jsonl:1", "b.jsonl:2"
    ]  # fmt: skip
    command = ["generate", "--model", str(model), "--output", str(out), "--input"]
    for inputs, told in (
        ([str(tmp_path / "none*")], "no file fits this pattern"),
        ([str(tmp_path / "a.jsonl"), str(tmp_path / "?.jsonl")], "is named twice"),
        ([str(tmp_path / "a.jsonl"), "-"], "standard input stands beside files"),
    ):
        assert main([*command, *inputs]) == 2
        assert told in capsys.readouterr().err


def test_two_workers_of_whom_one_is_killed(model: Path, tmp_path: Path, whole: tuple[bytes, bytes]) -> None:
    """The real command. The worker kills itself at its second chunk, the first time."""
    kill = "open('killed', 'w'), os.kill(os.getpid(), 9)"
    once = f"if number == 3: time.sleep(2) if os.path.exists('killed') else ({kill})"  # time to be started again in
    process = begin(tmp_path, once, "--model", str(model), "--input", "-", "--format", "jsonl", "--workers", "2")
    _, said = process.communicate((tmp_path / "in.jsonl").read_bytes(), timeout=200)
    assert process.returncode == 0, said.decode()[-3000:]
    assert b"was killed (signal 9); it is started again" in said
    assert (tmp_path / "out.jsonl").read_bytes() == whole[0]
    bad = [json.loads(line)["where"] for line in (tmp_path / "out.jsonl.bad.jsonl").read_text().splitlines()]
    assert bad == ["standard input:14", "standard input:28"]


def test_workers_end_with_the_command_that_started_them() -> None:
    from t2t.commands import workers

    out = [sys.executable, "-c", "import time; time.sleep(100)"]
    began = time.monotonic()
    try:
        workers._watch([[sys.executable, "-c", "import sys; sys.exit(2)"], out], Path(os.devnull))
    finally:
        assert time.monotonic() - began < 30
    assert workers._watch([[sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]], Path(os.devnull)) == 1
    killed = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    assert workers._watch([killed], Path(os.devnull), lambda: True) == 0  # the others had joined before


def test_what_goes_with_records_alone_is_told(capsys: Any) -> None:
    for more in (("--workers", "2"), ("--distributed", "ray"), ("--adapters", "a=b")):
        assert main(["generate", "--config", "run.yaml", *more]) == 2
        said = capsys.readouterr().err
        assert "--adapters, --top, --min-score, --unique-ids, --workers and --distributed go with --model" in said
    for more in (("--workers", "0"), ("--workers", "-1")):
        with pytest.raises(SystemExit):
            main(["generate", "--model", "m", "--input", "x", *more])
        assert "write 1" in capsys.readouterr().err


def doubled(path: Path) -> Path:
    ids = ["a", "b", 3, "a", "c", "b", "d", "a", "3", None, "e", "e"]
    rows = [{"text": f"{WORDS[n % 4]} {n}"} | ({} if one is None else {"id": one}) for n, one in enumerate(ids)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_ids_that_stand_twice_are_told_at_the_end_and_each_keeps_its_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, source = tmp_path / "out.jsonl", doubled(tmp_path / "in.jsonl")
    assert generate(model, source, out) == 0
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [one["id"] for one in found] == ["a", "b", "3", "a", "c", "b", "d", "a", "3", "10", "e", "e"]
    told = capsys.readouterr().err
    assert "t2t: 4 ids stand more than once, in 9 records: 'a' (at " in told
    assert f"'a' (at {source}:1 and {source}:8, 3 times in all), 'b' (at {source}:2 and {source}:6), '3' (" in told
    assert "), ...; each record has its line, in the order of the input (--unique-ids refuses" in told
    assert generate(model, source, out, "--set", "generate.limit=5") == 0
    assert "1 id stands more than once, in 2 records: 'a' (at" in capsys.readouterr().err


def test_an_input_with_ids_that_stand_twice_is_refused_where_that_is_asked_for(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: tuple[bytes, bytes]
) -> None:
    out, source = tmp_path / "out.jsonl", doubled(tmp_path / "twice.jsonl")
    assert generate(model, source, out, "--unique-ids") == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"t2t: {source}:8: 4 ids stand more than once, in 9 records: 'a'")
    assert "give each record an id of its own, or leave --unique-ids out" in told
    assert not list(tmp_path.glob("out.jsonl*"))
    assert generate(model, tmp_path / "in.jsonl", out, "--unique-ids") == 0
    assert "stand" not in capsys.readouterr().err
    assert out.read_bytes() == whole[0]
    assert main(["generate", "--model", str(model), "--input", str(source), "--unique-ids"]) == 2
    assert "--unique-ids: it needs --output" in capsys.readouterr().err


def test_workers_look_for_ids_that_stand_twice_once(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command does it before it starts them; one that comes when the others are through does nothing."""
    from t2t.commands import workers

    started = list[list[str]]()
    monkeypatch.setattr(workers, "_watch", lambda commands, *_: started.extend(commands) or 0)
    out, source = tmp_path / "out.jsonl", doubled(tmp_path / "twice.jsonl")
    assert generate(model, source, out, "--unique-ids", "--work", "2") == 2
    assert "4 ids stand more than once" in capsys.readouterr().err
    assert not started
    assert not list(tmp_path.glob("out.jsonl*"))
    fine = write_input(tmp_path / "in.jsonl")
    assert generate(model, fine, out, "--unique-ids", "--work", "2") == 0
    assert [one[-2:] for one in started] == [["--workers", "1"]] * 2
    assert (tmp_path / "out.jsonl.parts").is_dir()
    shutil.rmtree(tmp_path / "out.jsonl.parts")
    monkeypatch.setenv("T2T_WORKER", "1")
    monkeypatch.setattr("t2t.commands.answer.end_with_starters", lambda: None)
    assert main(started[1][3:]) == 0
    assert not out.exists()


def test_the_worker_that_tells_of_ids_tells_of_them_when_the_others_were_through_before_it_started(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("t2t.commands.answer.end_with_starters", lambda: None)
    source, out = doubled(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    for worker, told in (("1", False), ("0", True)):
        monkeypatch.setenv("T2T_WORKER", worker)
        assert generate(model, source, out) == 0
        assert ("4 ids stand more than once" in capsys.readouterr().err) is told
        assert not out.exists()


def test_of_several_workers_one_says_how_a_file_is_read(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes("text\nAda à Paris déjà vu\nBo à Lyon en été\n".encode("cp1252"))
    for rank, told in (("1", False), ("0", True)):
        monkeypatch.setenv("RANK", rank)
        assert generate(model, source, tmp_path / "out.jsonl") == 0
        assert ("is read as " in capsys.readouterr().err) is told


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = batch_job.Job(tmp_path / "out.jsonl", {})

    def none(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(batch_job.fcntl, "flock", none)
    with pytest.raises(RunDirectoryError, match=r"000000000\.claim: its file system gives no locks \(No locks avail"):
        job.claimed(0).__enter__()


def test_another_member_of_the_same_archive_is_another_job(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name in ("a", "b"):
            archive.writestr(f"{name}.jsonl", json.dumps({"text": name}))
    out = tmp_path / "out.jsonl"

    killed_before_the_join(monkeypatch, lambda: generate(model, Path(f"{tmp_path / 'in.zip'}!a.jsonl"), out))
    assert generate(model, Path(f"{tmp_path / 'in.zip'}!b.jsonl"), out) == 2
    assert "it differs in members" in capsys.readouterr().err


def test_a_job_ends_where_there_is_no_room_to_look_for_ids(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(self: SeenIds) -> None:
        new(self)
        self._seen.execute("PRAGMA max_page_count = 3")

    new = SeenIds.__init__
    monkeypatch.setattr(SeenIds, "__init__", small)
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [json.dumps({"text": "Ada", "id": f"{number:0400}"}) for number in range(40)]
    source.write_text("\n".join(rows))
    assert generate(model, source, out) == 0
    assert "t2t: ids: whether they stand twice is not known (database or disk is full)" in capsys.readouterr().err
    assert len(out.read_text().splitlines()) == 40
    assert generate(model, source, out, "--unique-ids") == 2
    assert "let SQLITE_TMPDIR name a folder with more room" in capsys.readouterr().err


def test_ids_are_compared_as_they_are_whatever_they_hold() -> None:
    seen = SeenIds()
    for number, one in enumerate(["\ud800", "?", "A", "a", "ä", "a\u0308", "x\0y", "x\0z", "\ud800", "a "]):
        seen.add([RawRecord(f"f\udcff:{number}", one, {})])
    found = seen.doubled()
    assert (found.ids, found.records) == (1, 2)
    assert [(one.id, one.times, one.first, one.last) for one in found.first] == [
        ("\ud800", 2, "f\\udcff:0", "f\\udcff:8")
    ]
    assert SeenIds().doubled().ids == 0

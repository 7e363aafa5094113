"""A batch job by the real command with two workers, killed again and again: every input once, in the same bytes."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import psutil

from tests.faults.rounds import only_long, rounds
from tests.faults.runs import BIN, begin, finish, kill, wait_until

KILLS, RECORDS = 30, 40_000
ANSWER = (str(BIN / "t2t"), "generate", "--input", "records.jsonl", "--output", "answers.jsonl", "--workers", "2")


def write_records(folder: Path, draw: random.Random) -> None:
    """Records of which a few cannot be used."""
    rows = [json.dumps({"id": f"r{n}", "thing": f"thing {draw.randint(0, 99)}"}) for n in range(RECORDS)]
    for place in draw.sample(range(RECORDS), 20):
        rows[place] = draw.choice(["{broken", json.dumps({"id": f"r{place}", "other": "x"})])
    (folder / "records.jsonl").write_text("\n".join(rows) + "\n")


def of_job(folder: Path) -> list[psutil.Process]:
    """The processes that work in a folder, the one that was started first."""
    found = []
    for process in psutil.process_iter(["cwd", "create_time"]):
        if process.info["cwd"] == str(folder.resolve()):
            found.append(process)
    return sorted(found, key=lambda one: one.info["create_time"])


def begin_anew(folder: Path) -> None:
    """Remove what a job has written that came to its end, so that all kills count."""
    for path in folder.glob("answers.jsonl*"):
        path.unlink()


@only_long
def test_thirty_kills_leave_every_input_once(reference: Path, tmp_path: Path) -> None:
    command = (*ANSWER, "--model", str(reference / "runs" / "toy" / "model"))
    for number, draw in enumerate(rounds("kills in batch jobs", 1, 0.1)):
        folder, whole = tmp_path / str(number), tmp_path / f"{number}-whole"
        for place in (folder, whole):
            place.mkdir()
            write_records(place, random.Random(number))
        began = time.monotonic()
        code, said = finish(whole, command)
        assert code == 0, said[-3000:]
        seconds, kills = time.monotonic() - began, 0
        while kills < KILLS:
            process = begin(folder, command)
            ended = wait_until(lambda: process.poll() is not None, draw.uniform(0.3, 1.0) * seconds)  # noqa: B023
            if ended:
                assert process.returncode == 0, (folder / "said.txt").read_text()[-3000:]
                begin_anew(folder)
                continue
            victims = of_job(folder)
            chosen = victims if draw.random() < 0.5 else [draw.choice(victims)]
            kill(chosen)
            kills += 1
            if process.pid in {one.pid for one in chosen}:
                assert wait_until(lambda: not of_job(folder), 60), f"workers outlive kill {kills}"  # noqa: B023
            else:  # a worker alone: it is started again, and the job goes on
                assert process.wait(seconds * 4 + 60) == 0, (folder / "said.txt").read_text()[-3000:]
                begin_anew(folder)
            process.wait()
        code, said = finish(folder, command)
        assert code == 0, said[-3000:]
        for name in ("answers.jsonl", "answers.jsonl.bad.jsonl"):
            assert (folder / name).read_bytes() == (whole / name).read_bytes(), (name, kills)
        assert not list(folder.glob("*.parts*"))

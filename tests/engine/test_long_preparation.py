"""The first rank prepares for longer than a collective may take; the others wait, and end when it does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from t2t.engine.distributed import free_port
from tests.places import PYTHONPATH

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import os, sys, time
from datetime import timedelta
from t2t.engine import distributed
from t2t.engine.peers import leave
from t2t.engine.preflight import on_first
from t2t.errors import DataError

distributed._LONGEST_SUM = timedelta(seconds=1)
distributed.start()
rank, how = distributed.rank(), sys.argv[1]

def prepare():
    if rank:
        if how == "mistake":
            raise DataError("a.jsonl:1", "no JSON", "correct it")
        return
    time.sleep(4)
    if how == "mistake":
        raise DataError("a.jsonl:1", "no JSON", "correct it")
    if how == "killed":
        os.kill(os.getpid(), 9)

try:
    on_first(prepare)
except DataError:
    leave(2)
print("prepared")
distributed.stop()
leave(0)
"""


@pytest.mark.parametrize(
    ("how", "codes"), [("well", (0, 0)), ("mistake", (2, 2)), ("killed", (-9, 1))], ids=["well", "mistake", "killed"]
)
def test_the_others_wait_for_the_first_rank_and_end_with_it(tmp_path: Path, how: str, codes: tuple[int, int]) -> None:
    common = {"WORLD_SIZE": "2", "LOCAL_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    common |= {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "PYTHONPATH": PYTHONPATH}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, how],
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        first = processes[0].communicate(timeout=120)
        ended = time.monotonic()
        second = processes[1].communicate(timeout=30)
        assert time.monotonic() - ended < 20
    finally:
        for process in processes:
            process.kill()
    assert tuple(process.returncode for process in processes) == codes, first[1] + second[1]
    assert (first[0], second[0]) == (("prepared\n",) * 2 if how == "well" else ("", ""))

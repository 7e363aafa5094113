"""Processes without the seconds that it takes to import torch, transformers and DeepSpeed.

A process that has imported them waits, and each run is a fork of it: with its own folder, environment, arguments and
output, like a Python that was just started. What is tried from outside, by signals and launchers, is started for real.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from t2t.engine.distributed import free_port
from tests.places import PYTHONPATH

_ENVIRONMENT = {"PYTHONPATH": PYTHONPATH, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
_WAITING = """\
import gc, json, os, runpy, sys, threading, traceback
import deepspeed, t2t.commands.launch, t2t.training.train  # what takes long
gc.freeze()  # DeepSpeed collects garbage at every start at ZeRO-3: not among what was imported

def run(asked):
    out = os.open(asked["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    given, *sys.argv[1:] = asked["words"]
    sys.argv[0], code = given, 0
    try:
        if given == "-c":
            exec(compile(sys.argv.pop(1), "<string>", "exec"), {"__name__": "__main__"})
        else:
            runpy.run_path(given, run_name="__main__")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    threading._shutdown()
    os._exit(code)

for line in sys.stdin:
    children = []
    for asked in json.loads(line):
        child = os.fork()
        if not child:
            run(asked)
        children.append(child)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in children]), flush=True)
"""


@cache
def _waiting() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _WAITING],
        env={**os.environ, **_ENVIRONMENT},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(process.kill)
    return process


def _run(asked: Sequence[Mapping[str, Any]]) -> list[int]:
    waiting = _waiting()
    assert waiting.stdin is not None
    assert waiting.stdout is not None
    waiting.stdin.write(json.dumps(asked) + "\n")
    waiting.stdin.flush()
    codes: list[int] = json.loads(waiting.stdout.readline())
    return codes


def _asked(words: Sequence[str], folder: Path, out: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    whole = {**os.environ, **_ENVIRONMENT, **environment}
    return {"words": list(words), "folder": str(folder), "out": str(out), "environment": whole}


def run_python(words: Sequence[str], folder: Path, out: Path) -> int:
    """The exit code of ``python WORDS`` (a script or ``-c CODE``, and its arguments) in ``folder``, as subprocess has
    it: -9 where it was killed. What it says is in ``out``."""
    return _run([_asked(words, folder, out, {})])[0]


def found_by_script(folder: Path) -> Any:
    """What ``script.py`` in ``folder`` prints as JSON behind FOUND; AssertionError if it prints none."""
    code = run_python(["script.py"], folder, folder / "printed.txt")
    printed = (folder / "printed.txt").read_text()
    assert "FOUND" in printed, f"exit code {code}: {printed[-6000:]}"
    return json.loads(printed.partition("FOUND")[2])


def run_ranks(world: int, words: Sequence[str], folder: Path, code: int = 0) -> str:
    """The same in ``world`` processes that train together: what the first prints. AssertionError, with what all print,
    where one does not end with ``code``."""
    codes, printed = codes_of_ranks(world, words, folder)
    assert codes == [code] * world, printed
    return (folder / f"said0of{world}.txt").read_text()


def codes_of_ranks(world: int, words: Sequence[str], folder: Path) -> tuple[list[int], str]:
    """The exit codes of ``world`` processes that train together, and what they print."""
    common = {"WORLD_SIZE": str(world), "LOCAL_SIZE": str(world), "MASTER_ADDR": "127.0.0.1"}
    common |= {"MASTER_PORT": str(free_port())}
    outs = [folder / f"said{rank}of{world}.txt" for rank in range(world)]
    ranks = [{**common, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(world)]
    codes = _run([_asked(words, folder, out, one) for out, one in zip(outs, ranks, strict=True)])
    return codes, "\n".join(out.read_text()[-2000:] for out in outs)

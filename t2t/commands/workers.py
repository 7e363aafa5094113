"""Several processes at one batch job: each does its chunks, one that dies is started again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from t2t.commands.answer import Asked, begin_job, refuse_doubled
from t2t.engine.distributed import has_gpu
from t2t.errors import RunFileError
from t2t.serving.batch_job import parts_of
from t2t.serving.inputs import files_of, read_files, read_spooled, spooled
from t2t.serving.model import reader_of

_STARTS = 4  # of one worker: what kills it again and again will not stop
_LOOK = 0.2  # seconds


def answer_with_workers(arguments: Sequence[str], asked: Asked, out: Path | None, workers: int) -> int:
    """Run the command ``arguments`` in so many processes; gives its exit code, that of the first that fails.

    The cores are shared out among them, and the GPUs one after the other. RunFileError without an output.
    """
    if out is None:
        raise RunFileError("--workers", "--workers needs --output", "name a file")
    with tempfile.TemporaryDirectory() as folder:
        none = Path(os.devnull)
        stdin = spooled(Path(folder)) if list(asked.inputs) == ["-"] else none
        if asked.unique_ids:
            read = partial(read_spooled, stdin) if stdin != none else partial(read_files, files_of(asked.inputs))
            refuse_doubled(asked, reader_of(asked.model, asked.task, asked.adapters), read)
        begin_job(asked, out, stdin)
        commands = [_command(arguments)] * workers
        return _watch(commands, stdin, lambda: out.is_file() and not parts_of(out).is_dir())


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "t2t", *arguments, "--workers", "1"]  # the last counts, however the first is written


def _watch(commands: Sequence[list[str]], stdin: Path, is_joined: Callable[[], bool] = lambda: False) -> int:
    started = [1] * len(commands)
    running = {number: _start(command, number, len(commands), stdin) for number, command in enumerate(commands)}
    try:
        while running:
            time.sleep(_LOOK)
            for number, process in list(running.items()):
                code = process.poll()
                if code is None:
                    continue
                del running[number]
                if code < 0 and is_joined():
                    continue  # it had nothing left to do
                if code < 0 and started[number] < _STARTS:
                    print(f"t2t: worker {number + 1} was killed (signal {-code}); it is started again", file=sys.stderr)
                    started[number] += 1
                    running[number] = _start(commands[number], number, len(commands), stdin)
                elif code < 0:
                    print(f"t2t: worker {number + 1} was killed {_STARTS} times; what is done stays", file=sys.stderr)
                    return 1
                elif code:
                    return code
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
    return 0


def _start(command: Sequence[str], number: int, workers: int, stdin: Path) -> subprocess.Popen[bytes]:
    threads = max(1, (os.cpu_count() or 1) // workers)
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ, "T2T_WORKER": str(number)}
    if has_gpu():
        import torch

        known = os.environ.get("CUDA_VISIBLE_DEVICES")
        devices = known.split(",") if known else [str(one) for one in range(torch.cuda.device_count())]
        environment["CUDA_VISIBLE_DEVICES"] = devices[number % len(devices)]
    with stdin.open("rb") as file:
        return subprocess.Popen(command, stdin=file, env=environment)

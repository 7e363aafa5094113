"""What every process that DeepSpeed starts runs: by launch.sh, or as a module where t2t is installed."""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from t2t.collector import at_rest
from t2t.terminal import show_controls, shown
from t2t.trust import trust_python

if TYPE_CHECKING:
    from t2t.config.run import ModelSettings, RunConfig, StageSettings, TokenizerSettings
    from t2t.engine.lifetime import Interrupted

CPU_PROCESSES = 2
AGAIN = 75  # exit code
MODULE = "t2t.commands.launch"
ALLOW_UNVERIFIED = "allow_unverified=true"
ALLOW_HELP = "also train on data sets of the hub whose revision is unverified"
_CHOOSES_PROCESSES = ("--num_gpus", "--num_accelerators", "--include", "-i", "--exclude", "-e", "--hostfile", "-H")
_CPU_SETTINGS = {
    # oneDNN builds a kernel for each shape of a product and forgets all but 1,024 of them, fewer than a run has. A
    # kernel takes some 300 KB.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "10000",
    # glibc gives large blocks back to the system again and again; kept, and in large pages, they cost no page faults.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 31),
    "MALLOC_TOP_PAD_": str(1 << 28),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
# Seconds that the first rank has to tell an error that all ranks found; one that came later would be told twice.
_PATIENCE = 2.0
_TO_BE_ENDED = 5.0  # seconds in which the thread that watches the others ends this process; it waits 2 itself
_CONSEQUENCE = 1.0  # seconds until a process knows that another is gone, which breaks its sums before


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; returns the exit code.

    0; 1: training failed, or was stopped with nothing saved; 2: a user's mistake; 3: a stage of continual learning
    forgot too much; AGAIN: memory ran out on one of several processes, and the same command goes on with smaller
    micro-batches; 143: stopped by a signal with a checkpoint from which the same command goes on.
    """
    show_controls()
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser("launch.sh", description="Train a run file with DeepSpeed.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the run file")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=c", help="override a setting of it")
    parser.add_argument(
        "--allow-unverified", dest="set", action="append_const", const=ALLOW_UNVERIFIED, help=ALLOW_HELP
    )
    parser.add_argument("--trust-python", action="store_true", help="run Python code that templates name")
    parser.add_argument("--local_rank", type=int, default=0, help=argparse.SUPPRESS)
    parsed = parser.parse_args(given)
    if parsed.trust_python:
        trust_python()
    from t2t.config.run import load_run
    from t2t.errors import InputError

    try:
        config = load_run(parsed.config, parsed.set)
        check_reach_of(config.model, config.tokenizer, config.where)
    except InputError as error:
        return _say(error, 2)
    if _wants_more_processes():  # after the checks: a second launcher takes seconds
        _start_cpu_processes(given)
    return _run(config)


def _wants_more_processes() -> bool:
    """True in the one process that `deepspeed launch.sh` starts on a machine without GPUs.

    DeepSpeed counts the memory nodes of a machine as its CPU devices: one on most. A number that was asked for, by an
    option of the launcher or by LOCAL_SIZE (which the launcher reads), stays as it is.
    """
    if os.environ.get("LOCAL_SIZE") != "1" or os.environ.get("WORLD_SIZE") != "1" or "T2T_STARTED" in os.environ:
        return False
    import psutil  # type: ignore[import-untyped]

    from t2t.engine.distributed import has_gpu

    launcher = [word.split("=")[0] for parent in psutil.Process().parents()[:2] for word in parent.cmdline()]
    return not has_gpu() and not any(option in launcher for option in _CHOOSES_PROCESSES)


def _start_cpu_processes(arguments: Sequence[str]) -> None:
    """Become DeepSpeed's launcher of CPU_PROCESSES processes on this machine."""
    from t2t.engine.distributed import free_port

    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "LOCAL_RANK")}
    environment = {**_CPU_SETTINGS, **environment, "DS_ACCELERATOR": "cpu", "T2T_STARTED": "1"}
    world = base64.urlsafe_b64encode(json.dumps({"localhost": list(range(CPU_PROCESSES))}).encode()).decode()
    command = [sys.executable, "-u", "-m", "deepspeed.launcher.launch", f"--world_info={world}"]
    command += ["--master_addr=127.0.0.1", f"--master_port={free_port()}", "--log_level=error", *_started()]
    rest = [word for word in arguments if not word.startswith("--local_rank")]
    os.execve(sys.executable, [*command, *rest], environment)


def _started() -> list[str]:
    """What this process runs, as DeepSpeed's launcher is told it: this module, or the file that calls it."""
    return ["--module", MODULE] if __name__ == "__main__" else [sys.argv[0]]


def _run(config: RunConfig) -> int:
    """Train, in a process of a group or alone; where training began the process ends here."""
    with at_rest():
        from t2t.engine import distributed, lifetime, peers

    lifetime.end_with_starters()
    lifetime.raise_on_signals()
    try:
        code = _train(config)
        if not code:
            distributed.stop()
    except BaseException:
        code = 1
        lifetime.ignore_signals()
        if peers.another_failed(_CONSEQUENCE):
            time.sleep(_TO_BE_ENDED)  # the other has said why, or a thread says that it is gone, and ends this process
        else:
            traceback.print_exc()
    return peers.leave(code)


def check_reach_of(model: ModelSettings, tokenizer: TokenizerSettings, where: Callable[[str], str]) -> None:
    """RunFileError where the run starts from what the hub, which is silent, would have to give."""
    from t2t.errors import RunFileError, UnreachableError
    from t2t.reach import check_reach

    revisions = {"model.from": model.revision, "tokenizer.from": None}
    for key, name in (("model.from", model.source), ("tokenizer.from", tokenizer.source)):
        try:
            check_reach(name or ".", revisions[key])
        except UnreachableError as error:
            raise RunFileError(where(key), f"{error.where}: {error.found}", error.todo) from error


def _train(config: RunConfig) -> int:
    with at_rest():
        from transformers.utils.logging import disable_progress_bar

        from t2t.engine import distributed
        from t2t.engine.halving import StartAgain
        from t2t.engine.lifetime import Interrupted
        from t2t.engine.loop import Terminated
        from t2t.errors import InputError, RefusedError, T2TError, sentence_of
        from t2t.training.folder import end_lines
        from t2t.training.train import train

    if not sys.stderr.isatty():
        disable_progress_bar()  # of transformers: lines without carriage returns

    try:
        device = distributed.start()
        if config.stages:
            from t2t.commands.stages import train_stages

            train_stages(config, device)
        else:
            train(config, device)
            if not distributed.rank():
                print(*end_lines(config.directory), sep="\n", flush=True)
    except Terminated as stopped:
        return _say(stopped, 143)
    except Interrupted as stopped:
        return _say(*_left_by(stopped, config.directory, config.stages))
    except InputError as error:
        return _say(error, 2)
    except RefusedError as error:
        return _say(error, 3)
    except StartAgain as error:
        return _say(error, AGAIN)
    except T2TError as error:
        return _say(error, 1)
    except OSError as error:
        return _say(sentence_of(error), 1)
    return 0


def _left_by(stopped: Interrupted, directory: Path, stages: Sequence[StageSettings]) -> tuple[str, int]:
    """What a signal outside the loop leaves, in words, and the exit code."""
    from t2t.engine.checkpoint import newest
    from t2t.training.stage_runs import stages_of

    folders = [stage.folder for stage in stages_of(directory, stages)]
    if begun := [folder for folder in folders if (folder / "model").is_dir() or newest(folder / "checkpoints")]:
        return f"{stopped} outside of training; the same command goes on from {begun[-1].name}", 143
    saved = newest(directory / "checkpoints")
    if saved is None:
        return f"{stopped} before anything was trained; nothing is lost, start it again", 1
    return f"{stopped} outside of training; the same command goes on from step {saved.position.step}", 143


def _say(message: object, code: int) -> int:
    """Print the message once. The launcher ends all processes when one fails: the others let the first one speak, and
    the first one is silent where another has told why, of which what it found is likely the consequence."""
    from t2t.engine.lifetime import heed_signals, ignore_signals
    from t2t.engine.peers import another_told

    first = os.environ.get("RANK", "0") == "0"
    if not first:
        heed_signals()
        time.sleep(_PATIENCE)
    ignore_signals()
    if not another_told(_CONSEQUENCE if first and code == 1 else 0):
        print(f"t2t: {shown(str(message))}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())

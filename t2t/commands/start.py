"""Start the processes that train: ``t2t train``, from anywhere, with nothing of a clone."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from t2t.commands.launch import AGAIN, MODULE, check_reach_of
from t2t.errors import T2TError


class TrainingFailed(T2TError):
    """The training processes ended with an exit code other than 0; they have said why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"training ended with exit code {code}")
        self.code = code


def start_training(config: Path, overrides: Sequence[str] = ()) -> Path:
    """Train a run file in the processes that DeepSpeed starts; gives the run's directory.

    TrainingFailed carries the exit code of the training. Mistakes in run file, DeepSpeed file and templates, as far as
    no data are needed to see them, are found before anything is started: InputError.
    """
    from t2t.config.run import load_run
    from t2t.engine.forwarding import run_and_forward
    from t2t.runs.run_tasks import load_tasks

    run = load_run(config, overrides)
    check_reach_of(run.model, run.tokenizer, run.where)
    from t2t.engine.deepspeed_file import read_deepspeed  # DeepSpeed takes seconds to import

    read_deepspeed(run.deepspeed, run)
    method = None
    if run.peft is not None:
        from t2t.model.peft import read_method

        method = read_method(run.peft, run.where)
    if run.stages:
        from t2t.continual.strategy import read_strategy

        read_strategy(run.continual, run.where, method, run.model.source)
    from t2t.engine.loggers import check_loggers

    check_loggers(run.log.to, run.where)
    tasks = load_tasks(run.tasks, run.where)
    if run.validate is not None:
        from t2t.training.validation import check_validation

        check_validation(run.validate, run.best, tasks, run.where)
    settings = [part for override in overrides for part in ("--set", override)]
    launcher = [sys.executable, "-m", "deepspeed.launcher.runner", "--module", MODULE]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # A module's processes would else find the files of the current folder before the packages of their names.
    environment = {**os.environ, "PATH": path, "PYTHONSAFEPATH": "1"}
    code = AGAIN
    while code == AGAIN:
        code = run_and_forward([*launcher, "--config", str(config), *settings], environment)
    if code:
        raise TrainingFailed(code)
    return run.directory

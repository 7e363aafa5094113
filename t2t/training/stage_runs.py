"""The stages of a run as runs of their own: RUN/stages/01-NAME, each started from the model of the one before."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path

from t2t.config.run import ModelSettings, RunConfig, StageSettings, TaskSettings, TokenizerSettings
from t2t.config.yaml_file import read_yaml
from t2t.continual.strategy import Stage, Trained
from t2t.engine.checkpoint import any_there
from t2t.engine.distributed import has_gpu
from t2t.errors import RunDirectoryError
from t2t.model.backbone import load_pretrained
from t2t.serving.model_calibration import CALIBRATION
from t2t.serving.trained_data import TRAINED_DATA
from t2t.tasks.kept import FILE as TASKS
from t2t.tasks.task import Task
from t2t.training.preparation import Prepared, trained_tokenizer, training_of
from t2t.whole_files import link_or_copy, write_text

FOLDER = "stages"


def stages_of(config: RunConfig) -> list[Stage]:
    """The stages of a run with their folders."""
    folders = [config.directory / FOLDER / stage_name(number, one) for number, one in enumerate(config.stages)]
    return [Stage(number, folder, tuple(folders[:number])) for number, folder in enumerate(folders)]


def stage_name(number: int, stage: StageSettings) -> str:
    """The name of a stage's folder."""
    return f"{number + 1:02d}-{stage.name}"


def tasks_so_far(config: RunConfig, number: int) -> list[TaskSettings]:
    """The tasks of a stage and of those before it, each as its newest stage has it."""
    found = {entry.task: entry for stage in config.stages[: number + 1] for entry in stage.tasks}
    return list(found.values())


def run_of_stage(
    config: RunConfig, number: int, source: Path | None, tokenizer: Path | None, gathers: bool
) -> RunConfig:
    """The run of one stage.

    ``source``: the model that it starts from; None: the run's own start, with ``tokenizer`` where that is trained here.
    ``gathers``: it trains on the data of all stages so far.
    """
    stage = config.stages[number]
    model, vocabulary = config.model, config.tokenizer
    if source is not None:
        scratch = config.model.from_scratch
        dropout = config.model.dropout if scratch is None else scratch.dropout
        model, vocabulary = ModelSettings(source=str(source), dropout=dropout), TokenizerSettings()
    elif tokenizer is not None:
        vocabulary = TokenizerSettings(source=str(tokenizer))
    return replace(
        config,
        run=f"{config.run}/{FOLDER}/{stage_name(number, stage)}",
        tasks=tuple(tasks_so_far(config, number)) if gathers else stage.tasks,
        schedule=stage.schedule or config.schedule,
        model=model,
        tokenizer=vocabulary,
        stages=(),
        continual=None,
        accept=None,
        where=_within(config.where, number),
    )


def _within(where: Callable[[str], str], number: int) -> Callable[[str], str]:
    """FILE:LINE of a stage's own keys, and of the others as the run has them."""
    own = ("tasks", "schedule")
    return lambda key: where(f"stages.{number}.{key}" if key.partition(".")[0] in own else key)


def tokenizer_of_all(config: RunConfig, tasks: Mapping[str, Task]) -> Path | None:
    """The tokenizer of a run that starts from random weights, trained on the tasks of all its stages, so that later
    ones can say what is theirs; None where the run, or its teacher, has one. The first rank calls it."""
    if config.model.source is not None or config.tokenizer.source is not None or config.tokenizer_of_teacher:
        return None
    kept = config.directory / "tokenizer"
    if not (kept / "tokenizer.json").is_file():
        entries = tasks_so_far(config, len(config.stages) - 1)
        given = [(tasks[entry.task], entry.limit) for entry in entries]
        made = trained_tokenizer(config.tokenizer, given, config.directory.parent / ".cache")
        kept.mkdir(parents=True, exist_ok=True)
        made.save_pretrained(kept)
    return kept


def check_stages(config: RunConfig) -> None:
    """RunDirectoryError where the folder holds a run of another start, or stages that have begun to train were changed,
    moved or taken out. Stages may be added behind them."""
    file = config.directory / "run.yaml"
    if not file.is_file():
        if (config.directory / "model").is_dir():
            found = "the folder holds a run without stages"
            raise RunDirectoryError(str(config.directory), found, "choose another name under run:")
        return
    old, new = read_yaml(file)[0], json.loads(json.dumps(config.as_data()))
    before, now = (one.get("stages") or [] for one in (old, new))
    for number, stage in enumerate(before):
        begun = config.directory / FOLDER / f"{number + 1:02d}-{stage['name']}"
        if not (any_there(begun / "checkpoints") or (begun / "model").is_dir()):
            continue
        if number >= len(now) or now[number] != stage:
            found = f"the stage {stage['name']!r}, which has been trained here, is not stage {number + 1} as it was"
            raise RunDirectoryError(str(config.directory), found, "put it back, or choose another name under run:")
        changed = [key for key in _FIXED if old.get(key) != new.get(key)]
        if changed:
            found = f"the folder holds another run (it differs in {', '.join(changed)})"
            raise RunDirectoryError(str(config.directory), found, "choose another name under run:")


_FIXED = (
    "seed", "mixture", "tokenizer", "model", "freeze", "peft", "lengths", "precision", "loss", "teacher",
    "continual",
)  # fmt: skip


def write_run_file(config: RunConfig) -> None:
    """run.yaml of a run of stages. The first rank calls it."""
    config.directory.mkdir(parents=True, exist_ok=True)
    write_text(config.directory / "run.yaml", config.to_yaml())


def trained(run: RunConfig, prepared: Prepared) -> Trained:
    """What a strategy looks at when a stage has been trained."""
    training = training_of(prepared)

    def write_base(folder: Path) -> None:
        source = str(run.model.source)
        load_pretrained(source, run.model.revision).save(prepared.tokenizer, folder, prepared.lengths.target)
        for name in (TASKS, CALIBRATION, TRAINED_DATA):
            if (Path(source) / name).is_file():
                link_or_copy(Path(source) / name, folder / name)

    return Trained(
        **{one.name: getattr(training, one.name) for one in fields(training)},
        model=lambda: load_pretrained(str(run.directory / "model")),
        device="cuda" if has_gpu() else "cpu",
        write_base=write_base,
    )

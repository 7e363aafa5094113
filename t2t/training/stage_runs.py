"""The stages of a run as runs of their own: RUN/stages/01-NAME, each started from the model of the one before."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
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
from t2t.structures import Json
from t2t.tasks.kept import FILE as TASKS
from t2t.tasks.task import Task
from t2t.training.preparation import Prepared, trained_tokenizer, training_of
from t2t.whole_files import link_or_copy

FOLDER = "stages"


def stages_of(directory: Path, stages: Sequence[StageSettings]) -> list[Stage]:
    """The stages of the run of ``directory`` with their folders."""
    folders = [directory / FOLDER / stage_name(number, one) for number, one in enumerate(stages)]
    return [Stage(number, folder, tuple(folders[:number])) for number, folder in enumerate(folders)]


def stage_name(number: int, stage: StageSettings) -> str:
    """The name of a stage's folder."""
    return f"{number + 1:02d}-{stage.name}"


def tasks_of(stages: Sequence[StageSettings]) -> list[TaskSettings]:
    """The tasks of stages, each as its newest stage has it."""
    found = {entry.task: entry for stage in stages for entry in stage.tasks}
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
        tasks=tuple(tasks_of(config.stages[: number + 1])) if gathers else stage.tasks,
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


def tokenizer_of_all(directory: Path, settings: TokenizerSettings, tasks: Sequence[tuple[Task, int | None]]) -> Path:
    """The tokenizer of the run of ``directory``, trained on the tasks of all its stages, each with its limit, so that
    later ones can say what is theirs. The first rank calls it."""
    kept = directory / "tokenizer"
    if not (kept / "tokenizer.json").is_file():
        made = trained_tokenizer(settings, tasks, directory.parent / ".cache")
        kept.mkdir(parents=True, exist_ok=True)
        made.save_pretrained(kept)
    return kept


def check_stages(directory: Path, run_file: Mapping[str, Json]) -> None:
    """RunDirectoryError where the folder holds a run of another start, or stages that have begun to train were changed,
    moved or taken out in what is now in ``run_file``. Stages may be added behind them."""
    file = directory / "run.yaml"
    if not file.is_file():
        if (directory / "model").is_dir():
            found = "the folder holds a run without stages"
            raise RunDirectoryError(str(directory), found, "choose another name under run:")
        return
    old, new = read_yaml(file)[0], json.loads(json.dumps(run_file))
    before, now = (one.get("stages") or [] for one in (old, new))
    for number, stage in enumerate(before):
        begun = directory / FOLDER / f"{number + 1:02d}-{stage['name']}"
        if not (any_there(begun / "checkpoints") or (begun / "model").is_dir()):
            continue
        if number >= len(now) or now[number] != stage:
            found = f"the stage {stage['name']!r}, which has been trained here, is not stage {number + 1} as it was"
            raise RunDirectoryError(str(directory), found, "put it back, or choose another name under run:")
        changed = [key for key in _FIXED if old.get(key) != new.get(key)]
        if changed:
            found = f"the folder holds another run (it differs in {', '.join(changed)})"
            raise RunDirectoryError(str(directory), found, "choose another name under run:")


_FIXED = (
    "seed", "mixture", "tokenizer", "model", "freeze", "peft", "lengths", "precision", "loss", "teacher",
    "continual",
)  # fmt: skip


def trained(directory: Path, start: ModelSettings, prepared: Prepared) -> Trained:
    """What a strategy looks at when a stage has been trained in ``directory``, from ``start``."""
    training = training_of(prepared)

    def write_base(folder: Path) -> None:
        source = str(start.source)
        load_pretrained(source, start.revision).save(prepared.tokenizer, folder, prepared.lengths.target)
        for name in (TASKS, CALIBRATION, TRAINED_DATA):
            if (Path(source) / name).is_file():
                link_or_copy(Path(source) / name, folder / name)

    return Trained(
        **{one.name: getattr(training, one.name) for one in fields(training)},
        model=lambda: load_pretrained(str(directory / "model")),
        device="cuda" if has_gpu() else "cpu",
        write_base=write_base,
    )

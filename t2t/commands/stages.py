"""Stage after stage: each is trained, its strategy keeps what later ones need, all tasks are scored, the gate asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from t2t.commands.generate import generate
from t2t.config.run import AcceptSettings, GenerateSettings, Lengths, RunConfig, StageSettings
from t2t.continual.matrix import Matrix
from t2t.continual.strategy import Stage, Strategy, read_strategy
from t2t.engine import distributed
from t2t.engine.disk import whole_folder
from t2t.errors import RefusedError, RunFileError
from t2t.evaluation.evaluate import evaluate, quality_metrics, share_of_best
from t2t.model.peft import read_method
from t2t.runs.run_files import read_json, write_json
from t2t.runs.run_tasks import load_tasks
from t2t.tasks.task import Task
from t2t.training.folder import end_lines, model_line
from t2t.training.preparation import prepare
from t2t.training.stage_runs import (
    check_stages,
    run_of_stage,
    stages_of,
    tasks_of,
    tokenizer_of_all,
    trained,
)
from t2t.training.train import check_tasks, train
from t2t.whole_files import link_or_copy, write_text

FILE = "continual.json"  # the matrix, in the run's folder
_SCORES = "after.json"  # of all tasks after a stage, in its folder


def train_stages(config: RunConfig, device: torch.device) -> Path:
    """Train the stages of a run, those that have ended left as they are; gives the run's directory. All ranks call it.

    Raises:
        InputError: a mistake, before anything is trained.
        RefusedError: by the gate.
        T2TError: as ``train`` does.
    """
    method = read_method(config.peft, config.where)
    strategy = read_strategy(config.continual, config.where, method, config.model.source)
    tasks = {task.name: task for task in load_tasks(config.tasks, config.where)}
    named = {entry.task: task for entry, task in zip(config.tasks, tasks.values(), strict=True)}
    check_tasks(list(tasks.values()), config.allow_unverified, config.where)
    asked = _scored_tasks(config.stages, named, config.generate.splits, config.where)
    if method is not None and not (method.merges or strategy.from_start) and len(config.stages) > 1:
        found = f"{method.method} does not merge, so a stage has no whole model that the next could start from"
        raise RunFileError(config.where("peft"), found, "use lora or ia3, no peft:, or continual: {strategy: adapters}")
    check_stages(config.directory, config.as_data())
    tokenizer = None
    if config.model.source is None and config.tokenizer.source is None and not config.tokenizer_of_teacher:
        given = [(named[entry.task], entry.limit) for entry in tasks_of(config.stages)]
        tokenizer = distributed.from_first(lambda: tokenizer_of_all(config.directory, config.tokenizer, given))
    distributed.from_first(lambda: write_text(config.directory / "run.yaml", config.to_yaml()))
    for stage in stages_of(config.directory, config.stages):
        source = None if strategy.from_start or not stage.earlier else strategy.model(stage.earlier[-1])
        run = run_of_stage(config, stage.number, source, tokenizer, strategy.gathers)
        run = replace(run, peft=strategy.peft(stage, config.peft))
        if source is not None and (teacher := strategy.teacher(source)) is not None:
            run = replace(run, teacher=teacher)
        _print_line(f"stage {stage.number + 1} of {len(config.stages)}: {stage.folder.name}")
        before = [] if strategy.from_start else tasks_of(config.stages[: stage.number + 1])
        known = [named[entry.task] for entry in before]
        train(run, device, lambda training, stage=stage: strategy.begin(stage, training), known)  # type: ignore[misc]
        _print_line(model_line(run.directory))
        distributed.from_first(lambda: _end(strategy, stage, run))  # noqa: B023 (called at once)
        matrix = distributed.from_first(lambda: _scored(config, strategy, stage, asked))  # noqa: B023
        _gate(config.accept, matrix, stage, config.directory / "model")
        distributed.from_first(lambda: _publish(strategy.model(stage.folder), config.directory))  # noqa: B023
    _print_line("\n".join(matrix.lines()))
    _print_line("\n".join(end_lines(config.directory)))
    return config.directory


def _end(strategy: Strategy, stage: Stage, run: RunConfig) -> None:
    done = stage.kept / "done"
    if not done.is_file():
        if type(strategy).end is not Strategy.end:  # else nothing is kept, and no data need be read again
            strategy.end(stage, trained(run.directory, run.model, prepare(run, load_tasks(run.tasks, run.where))))
        stage.kept.mkdir(parents=True, exist_ok=True)
        done.touch()


def _scored_tasks(
    stages: Sequence[StageSettings], named: Mapping[str, Task], splits: Sequence[str], where: Callable[[str], str]
) -> dict[str, tuple[Task, int]]:
    """The tasks that have outputs and a metric, by name, and the stage that each first comes in.

    ``named``: by their entries. RunFileError where one has none of the ``splits`` that are scored.
    """
    found: dict[str, tuple[Task, int]] = {}
    for number, stage in enumerate(stages):
        for task in (named[entry.task] for entry in stage.tasks):
            if task.token_task is None and quality_metrics(task):
                found.setdefault(task.name, (task, number))
    for task, _ in found.values():
        if not any(split in task.splits() for split in splits):
            has = ", ".join(task.splits())
            raise RunFileError(
                where("generate.splits"),
                f"{task.name} has none of the splits {', '.join(splits)} to be scored on",
                f"add one that it has: {has}",
            )
    return found


def _scored(config: RunConfig, strategy: Strategy, stage: Stage, asked: Mapping[str, tuple[Task, int]]) -> Matrix:
    """The matrix after a stage, with the scores of all tasks of the run by its model: those of later stages too."""
    start, tasks = None, [task for task, _ in asked.values()]
    scores = partial(_scores, tasks, config.generate, config.lengths)
    if config.model.source is not None and Path(config.model.source).is_dir():
        start = scores(Path(config.model.source), config.directory / "start")
    rows = [scores(strategy.model(folder), folder) for folder in (*stage.earlier, stage.folder)]
    matrix = Matrix(
        tuple(asked),
        tuple(one.name for one in config.stages),
        tuple(came for _, came in asked.values()),
        tuple(tuple(row[name] for name in asked) for row in rows),
        None if start is None else tuple(start[name] for name in asked),
    )
    write_json(config.directory / FILE, matrix.to_json())
    return matrix


def _scores(
    tasks: Sequence[Task], settings: GenerateSettings, lengths: Lengths, model: Path, folder: Path
) -> dict[str, float]:
    """The first metric of each task, as a share of its best, of the outputs of a model on the first of the splits that
    the task has; kept in the folder.

    Tasks that are not there yet are generated for, since a stage may have been added; all are where they were generated
    by other settings.
    """
    file = folder / _SCORES
    made_by = json.loads(json.dumps(asdict(settings)))
    kept = read_json(file) if file.is_file() else {}
    known: dict[str, float] = kept["scores"] if kept.get("generate") == made_by else {}
    wanted: dict[str, list[Task]] = {}
    for task in tasks:
        if task.name not in known:
            wanted.setdefault(next(split for split in settings.splits if split in task.splits()), []).append(task)
    for split, some in wanted.items():
        generate(model, some, replace(settings, splits=(split,)), lengths, out=folder / "after")
        rows = evaluate(folder / "after", some, [split], limit=settings.limit, decoding=settings.decoding)
        values = {(row.task, row.metric): row.value for row in rows}
        for task in some:
            metric = quality_metrics(task)[0]
            known[task.name] = share_of_best(metric, values[task.name, metric.name])
    if wanted:
        write_json(file, {"generate": made_by, "scores": known})
    return known


def _gate(accept: AcceptSettings | None, matrix: Matrix, stage: Stage, model: Path) -> None:
    """RefusedError where the stage has cost an earlier task more than the run accepts: ``model`` then stays."""
    if accept is None or not stage.number:
        return
    before, now = matrix.scores[stage.number - 1], matrix.scores[stage.number]
    for task, came in enumerate(matrix.came):
        lost = before[task] - now[task]
        if came < stage.number and lost > accept.forgetting:
            found = f"{matrix.tasks[task]} fell from {before[task]:.4f} to {now[task]:.4f} in {stage.folder.name}"
            limit = f"accept: forgetting: {accept.forgetting:g}"
            raise RefusedError(f"{found}, more than {limit}; {model} stays the model before it")


def _publish(model: Path, directory: Path) -> None:
    """Make the model of a stage that of the run. Weights are linked, not copied, where the disk can."""
    with whole_folder(directory / "model") as part:
        for file in sorted(path for path in model.rglob("*") if path.is_file()):
            link_or_copy(file, part / file.relative_to(model))


def _print_line(line: str) -> None:
    if not distributed.rank():
        print(line, flush=True)

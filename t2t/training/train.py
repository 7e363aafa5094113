"""Training, from a run file to a model directory. Read ``train`` from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from t2t.config.run import (
    BatchSettings,
    FreezeSettings,
    GenerateSettings,
    ModelSettings,
    Precision,
    RunConfig,
    ScheduleSettings,
    ValidateSettings,
)
from t2t.continual.strategy import Support, Training
from t2t.data.batch import Plan
from t2t.engine import checkpoint, distributed
from t2t.engine.anchoring import attach
from t2t.engine.checkpoint import Position
from t2t.engine.deepspeed import TrainingEngine
from t2t.engine.deepspeed_file import read_deepspeed
from t2t.engine.halving import halvings_noted
from t2t.engine.lifetime import one_owner
from t2t.engine.log import Log
from t2t.engine.loggers import Logger, check_loggers, open_loggers
from t2t.engine.loop import Loop
from t2t.engine.orthogonality import Orthogonality
from t2t.engine.preflight import check_directory, on_first, told_at
from t2t.engine.schedule import progress
from t2t.engine.terms import Term
from t2t.engine.trained_on import TrainedOn, check_rows, check_unchanged
from t2t.engine.watching import Thaw
from t2t.errors import InputError, RunFileError
from t2t.evaluation.evaluate import task_metrics
from t2t.generation.generator import Decoding, Generator
from t2t.generation.torch_engine import TorchEngine
from t2t.model.backbone import build_from_scratch, load_pretrained
from t2t.model.freezing import freeze_parts, thaw
from t2t.model.memory import free_memory
from t2t.model.peft import Method, adapted, check_no_adapter, counts, read_method, weights_hash
from t2t.model.peft.routes import check_one_model
from t2t.model.seq2seq import Seq2Seq, SpecialIds
from t2t.runs.run_tasks import load_tasks
from t2t.serving.answers import Decode
from t2t.serving.model_calibration import CALIBRATION, UNCALIBRATED, calibrate, read_calibration
from t2t.serving.trained_data import TRAINED_DATA, read_trained_data, trained_data
from t2t.structures import Json
from t2t.tasks.kept import target_tokens
from t2t.tasks.task import Task
from t2t.training.epochs import data_by_epoch
from t2t.training.folder import print_drawn, start_directory, write_facts, write_model
from t2t.training.preparation import Prepared, prepare, training_of
from t2t.training.teacher import teacher_hash, teacher_terms
from t2t.training.validation import BEST, Judge, Validated, Validation, check_validation, kept_best, validated

_FEW_STEPS = 100  # updates, after which a pretrained T5 has hardly moved


def train(
    config: RunConfig,
    device: torch.device,
    support: Callable[[Training], Support] = lambda training: Support(),
    known: Sequence[Task] = (),
) -> Path:
    """Train a run and give its directory. Every rank calls it.

    ``support``: what a strategy of continual learning brings, asked with what is trained on. ``known``: tasks
    that the model knows already.

    Raises:
        InputError: a mistake in run file, DeepSpeed file, templates or data, before anything is written.
        T2TError: training ended early (not finite, terminated).
    """
    settings = read_deepspeed(config.deepspeed, config)
    read_method(config.peft, config.where)
    tasks = load_tasks(config.tasks, config.where)
    check_tasks(tasks, config.allow_unverified, config.where)
    check_validation(config.validate, config.best, tasks, config.where)
    check_loggers(config.log.to, config.where)
    check_directory(config.directory, config.to_yaml())
    if (config.directory / "model").is_dir():
        return _finished(config.directory)
    with one_owner(config.directory, device):
        return _train(config, settings, tasks, device, support, known)


def check_tasks(tasks: Sequence[Task], allow_unverified: bool | None, where: Callable[[str], str]) -> None:
    """InputError for wrong metrics of the tasks of a run file, and for a data set of the hub that nobody has seen."""
    for index, task in enumerate(tasks):
        task_metrics(task)
        if task.template.unverified and not allow_unverified:
            found = f"{task.name} reads a data set of the hub whose revision is unverified"
            todo = "pin it by a commit in the template, or give --allow-unverified"
            raise RunFileError(where(f"tasks.{index}"), found, todo)


def _train(
    config: RunConfig,
    settings: dict[str, Any],
    tasks: list[Task],
    device: torch.device,
    support: Callable[[Training], Support],
    known: Sequence[Task],
) -> Path:
    method = read_method(config.peft, config.where)
    stage = int(settings["zero_optimization"]["stage"])
    check_unchanged(config.directory, stage, tasks)
    prepared = on_first(lambda: prepare(config, tasks))
    taught_by = distributed.from_first(lambda: teacher_hash(config.teacher))
    trained_on = TrainedOn.of(stage, prepared.tokenizer, tasks, prepared.mixture.sizes, taught_by)
    check_rows(config.directory, trained_on)
    supported = support(training_of(prepared))
    before = target_tokens(Path(config.model.source)) if known and config.model.source else {}
    prepared = prepared.with_more(supported.rows, supported.share).knowing(known, before)
    precision = known_precision(config.precision, device)
    terms = teacher_terms(config.teacher, device, config.where, autocast=precision != "fp32")
    on_first(lambda: start_directory(config.directory, config.to_yaml(), prepared, trained_on))
    config = replace(config, precision=precision, schedule=in_steps(config.schedule, config.batch, prepared))
    for line in warmup_lines(config.schedule):
        _print_line(line)
    data = _validated(config.validate, prepared, config.where)
    parts = _Parts(settings, prepared, method, supported, terms, data, device)
    done = _stretch(config, parts)
    while done.goes_on:
        del done  # its weights and the optimiser's make room
        free_memory()
        done = _stretch(config, parts)
    if done.orthogonality is not None:
        penalty = done.orthogonality.penalty()  # every rank has a part of it
        _print_line(f"to the LoRAs of earlier stages: ||A_earlier A^T||^2 is {penalty:.4g} at the end")
    best = distributed.from_first(lambda: _kept(config.directory, done.validation))
    # model/ comes last: it says that the run is finished
    on_first(lambda: write_facts(config.directory, precision, prepared, done.plan, done.model, done.end, best))
    print_drawn(prepared)
    source = config.model.source
    described: dict[str, Callable[[Seq2Seq], Json]] = {TRAINED_DATA: lambda _: _trained_data(source, prepared)}
    if data is not None and config.validate is not None and config.validate.calibrate:
        described[CALIBRATION] = _calibrator(source, config.generate, prepared, data, device)
    base = source, done.base
    write_model(config.directory, done.engine, done.model, prepared, method, base, best, described)
    return config.directory


@dataclass(frozen=True, slots=True)
class _Parts:
    """What training is put together from, beside the run file."""

    settings: Mapping[str, Any]
    prepared: Prepared
    method: Method | None
    supported: Support
    terms: Sequence[Term]
    data: Validated | None
    device: torch.device


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What was trained, up to the end or where DeepSpeed is set up anew, and by what. ``base``: a hash of the weights
    that a PEFT method stands on; ``goes_on``: training does, with more weights or smaller micro-batches."""

    engine: TrainingEngine
    model: Seq2Seq
    base: str | None
    plan: Plan
    validation: Validation | None
    orthogonality: Orthogonality | None
    end: Position
    goes_on: bool


def _stretch(config: RunConfig, parts: _Parts) -> _Stretch:
    """Train from the newest checkpoint to the end of the run, to the step at which frozen weights thaw, or to the one
    in which memory runs out."""
    prepared, supported, device = parts.prepared, parts.supported, parts.device
    folder, until = config.directory / "checkpoints", None if config.freeze is None else config.freeze.until
    saved = checkpoint.newest(folder)
    frozen = until is None or saved is None or saved.position.step < until
    model = build_model(config.model, prepared.tokenizer, config.seed, config.where, config.freeze)
    late, thawed_at = ([], None) if frozen else (thaw(model), until)
    if not frozen:
        _print_line(f"all weights are trained from step {until} on")
    base = None if parts.method is None else weights_hash(model)
    adapt(model, parts.method, config.seed + supported.draw, config.where)
    with torch.no_grad():
        for name, value in supported.held.items():
            model.parameters()[name].copy_(value)
    shares, batch = list(prepared.mixture.shares), config.batch
    halvings = max(halvings_noted(config.directory), 0 if saved is None else saved.position.halvings)
    config = replace(config, batch=replace(batch, tokens=max(1, batch.tokens >> halvings)))
    engine = TrainingEngine(model, config, parts.settings, shares, device, parts.terms, late)
    found = checkpoint.load_latest(engine.engine, folder, config.seed, thawed_at=thawed_at)
    start = replace(found or Position(), halvings=halvings)
    if supported.anchor is not None:
        attach(engine, supported.anchor)
    orthogonality = None if supported.orthogonal is None else Orthogonality(engine, supported.orthogonal)
    data_of = data_by_epoch(prepared)
    plan = Plan(data_of, prepared.mixture, batch.tokens, batch.micro_batches, batch.window, halvings)
    on_rank = [] if distributed.rank() else open_loggers(config.log.to, config.directory, start.step)
    data, validation = parts.data, None
    if data is not None:
        validation = _validation(config, engine, prepared, parts.method, data, on_rank)
    log = Log(
        config.directory / "metrics.csv",
        config.log.every,
        config.optimizer.learning_rate,
        config.schedule.length,
        device,
        on_rank,
        config.schedule.minutes,
    )
    thawing = [Thaw(until)] if until is not None and frozen else []
    watchers = [*([] if validation is None else [validation]), *thawing, log]
    end = Loop(engine, plan, config.schedule, config.checkpoint, config.directory, watchers).run(start)
    ended = progress(config.schedule, end.step, end.elapsed / 60.0) >= 1.0
    goes_on = end.halvings > halvings or (bool(thawing) and end.step == until and not ended)
    return _Stretch(engine, model, base, plan, validation, orthogonality, end, goes_on)


def _validated(settings: ValidateSettings | None, prepared: Prepared, where: Callable[[str], str]) -> Validated | None:
    """What is validated on, if the run file wants it."""
    return None if settings is None else on_first(lambda: validated(prepared, settings.examples, where))


def _trained_data(source: str | None, prepared: Prepared) -> Json:
    """What the tasks were trained on, here and by the model ``source`` that the run starts from."""
    try:
        before = read_trained_data(Path(source)) if source else {}
        found = {task.name: before[task.name] for task in prepared.known_and_new if task.name in before}
        for index, task in enumerate(prepared.tasks):
            if task.token_task is None:
                now = trained_data(task, prepared.data[index], prepared.limit(index), prepared.new_encoder())
                found[task.name] = found[task.name] + now if task.name in found else now
    except InputError as error:  # what was trained is worth keeping without it
        _print_line(f"what was trained on is not kept for t2t drift: {error}")
        return None
    return {"tasks": {name: one.to_json() for name, one in found.items()}}


def _calibrator(
    source: str | None, settings: GenerateSettings, prepared: Prepared, data: Validated, device: torch.device
) -> Callable[[Seq2Seq], Json]:
    """What calibrates the trained model on what was validated on; of tasks that it knew before, it keeps what the model
    ``source`` that it starts from was calibrated by."""
    longest, usual = prepared.lengths.target, prepared.target_tokens

    def calibrated(model: Seq2Seq) -> Json:
        generator = Generator(TorchEngine(model, device), prepared.tokenizer)

        def decode(task: Task) -> Decode:
            decoding = replace(Decoding.of(settings, longest, usual.get(task.name)).once(), logs=True)
            return partial(generator.generate, decoding=decoding)

        examples = [(task, data.examples(place), decode(task)) for place, task in enumerate(data.tasks)]
        _print_line(f"confidence is calibrated on {sum(map(len, data.rows)):,} examples")
        try:
            found = calibrate(examples, prepared.new_encoder(), settings.constrain)
        except InputError as error:  # what was trained is worth keeping without it
            _print_line(f"confidence is not calibrated: {error}")
            return None
        before = read_calibration(Path(source)) if source else UNCALIBRATED
        kept = {task.name for task in prepared.known_and_new} & before.tasks.keys() - found["tasks"].keys()
        found["tasks"] |= {name: before.to_json(name) for name in sorted(kept)}
        return found

    return calibrated


def _validation(
    config: RunConfig,
    engine: TrainingEngine,
    prepared: Prepared,
    method: Method | None,
    data: Validated,
    loggers: Sequence[Logger],
) -> Validation:
    """The watcher that validates."""
    settings = config.validate or ValidateSettings()
    judge = Judge.of(config.best, settings.by == "generation", data.tasks, config.where, settings.metrics)
    return Validation(
        engine,
        prepared,
        method,
        data,
        judge,
        settings,
        config.early_stopping,
        config.schedule,
        config.directory,
        tokens=config.batch.tokens,
        generated_tokens=config.generate.tokens,
        loggers=loggers,
    )


def _kept(directory: Path, validation: Validation | None) -> dict[str, Json] | None:
    """The best validation, if its weights are there; else the model has the last ones, and that is reported."""
    if validation is None or validation.best is None:
        return None
    kept = kept_best(directory)
    if kept is None or kept["step"] != validation.best["step"]:
        message = f"the weights of step {validation.best['step']}, the best, are not in {directory / BEST}"
        print(f"{message}: model/ has the last ones", flush=True)
        return None
    return validation.best


def known_precision(precision: Precision, device: torch.device) -> Precision:
    """``precision``, with "auto" decided for the hardware of all ranks."""
    if precision != "auto":
        return precision
    fast = distributed.all_agree(distributed.multiplies_bf16(device), device)
    return "autocast_bf16" if fast else "fp32"


def in_steps(schedule: ScheduleSettings, batch: BatchSettings, prepared: Prepared) -> ScheduleSettings:
    """``schedule`` with epochs as steps: a function of the prepared rows, so that a run that goes on has as many.

    What varies by epoch is counted as the prepared rows are.
    """
    if schedule.epochs is None:
        return schedule
    plan = Plan(lambda _: prepared.groups, prepared.mixture, batch.tokens, batch.micro_batches, batch.window)
    steps = plan.count(schedule.epochs)
    if not distributed.rank():
        few = "; few: raise schedule: epochs, or lower batch: tokens and micro_batches" if steps < _FEW_STEPS else ""
        print(f"{schedule.epochs:g} epochs are {steps} steps{few}", flush=True)
    return replace(schedule, steps=steps)


def warmup_lines(schedule: ScheduleSettings) -> Iterator[str]:
    """What is to be told of a warm-up that no update comes after."""
    if schedule.warmup >= schedule.length:
        yield f"the warm-up of {schedule.warmup} updates is as long as the run: the full rate is never reached"


def _finished(directory: Path) -> Path:
    if not distributed.rank():
        print(f"{directory}: the run is finished; give it another name under run: to train again", flush=True)
    return directory


def build_model(
    settings: ModelSettings,
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    where: Callable[[str], str],
    freeze: FreezeSettings | None = None,
) -> Seq2Seq:
    """The model as training starts with it, what is frozen frozen."""
    torch.manual_seed(seed)
    if settings.source is not None:
        with told_at(where, "model.from"):
            check_no_adapter(settings.source)
            check_one_model(settings.source)
            model = load_pretrained(settings.source, settings.revision, dropout=settings.dropout)
    else:
        model = build_from_scratch(settings.shape, len(tokenizer), seed, SpecialIds.of(tokenizer))
    if freeze is not None:
        freeze_parts(model, freeze, where)
        _print_counts("freeze", model)
    return model


def adapt(model: Seq2Seq, method: Method | None, seed: int, where: Callable[[str], str]) -> None:
    """Add what ``peft:`` says to a model, in place."""
    torch.manual_seed(seed)
    with told_at(where, "peft"):
        adapted(model, method)
    if method is not None:
        _print_counts(method.method, model)


def _print_counts(name: str, model: Seq2Seq) -> None:
    trained, whole = counts(model)
    _print_line(f"{name}: {trained:,} of {whole:,} parameters are trained ({trained / whole:.2%})")


def _print_line(line: str) -> None:
    if not distributed.rank():
        print(line, flush=True)

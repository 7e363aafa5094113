"""A run without training: everything is checked and prepared, and what training would do is reported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from t2t.config.run import BatchSettings, Precision, RunConfig, ScheduleSettings
from t2t.data.batch import GRID, Plan
from t2t.data.encode import Encoded
from t2t.engine.deepspeed_file import read_deepspeed
from t2t.engine.loggers import check_loggers
from t2t.engine.preflight import check_directory
from t2t.evaluation.evaluate import task_metrics
from t2t.model.peft import counts, read_method
from t2t.model.tokenizer import decode_text
from t2t.runs.run_tasks import load_tasks
from t2t.table import table
from t2t.training.epochs import data_by_epoch
from t2t.training.folder import data_lines
from t2t.training.preparation import Prepared, prepare
from t2t.training.train import adapt, build_model, in_steps, warmup_lines
from t2t.training.validation import check_validation

_STEPS = 50  # of which tokens and padding are counted
_SHOWN = 3  # examples of each task
_LONGEST = 300  # characters of a text that is shown
_PROCESSES = (1, 2, 4, 8)


def dry_run(config: RunConfig) -> Iterator[str]:
    """The lines of the report, as they are found. InputError for whatever training would be refused for.

    Nothing is written but what is kept for training: tokenizer and encoded data in ``runs/.cache``.
    """
    settings = read_deepspeed(config.deepspeed, config)
    method = read_method(config.peft, config.where)
    tasks = load_tasks(config.tasks, config.where)
    for task in tasks:
        task_metrics(task)
    check_validation(config.validate, config.best, tasks, config.where)
    check_loggers(config.log.to, config.where)
    check_directory(config.directory, config.to_yaml())
    if config.stages:
        yield f"a run of {len(config.stages)} stages; what follows is of all their tasks together"
    prepared = prepare(config, tasks)
    yield from data_lines(prepared)
    schedule = in_steps(config.schedule, config.batch, prepared)
    yield from _batches(schedule, config.batch, prepared)
    model = build_model(config.model, prepared.tokenizer, config.seed, config.where, config.freeze)
    adapt(model, method, config.seed, config.where)
    trained, whole = counts(model)
    stage = int(settings["zero_optimization"]["stage"])
    yield from _memory(whole, trained, stage, config.precision, config.optimizer.name)
    for task, rows in zip(tasks, prepared.data, strict=True):
        yield from _examples(task.name, rows, prepared)


def _batches(schedule: ScheduleSettings, batch: BatchSettings, prepared: Prepared) -> Iterator[str]:
    plan = Plan(data_by_epoch(prepared), prepared.mixture, batch.tokens, batch.micro_batches, batch.window)
    steps = list(islice(plan.steps(0), _STEPS))
    tokens, examples = sum(step.tokens for step in steps), sum(step.examples for step in steps)
    positions = sum(_positions(rows) for step in steps for rows in step.micro_batches)
    limit = "" if schedule.minutes is None else f", at most {schedule.minutes:g} minutes"
    yield f"{schedule.length:,} updates{limit}; an update has {examples / len(steps):,.0f} examples and " \
        f"{tokens / len(steps):,.0f} tokens, {1 - tokens / positions:.0%} of its positions are padding"  # fmt: skip
    yield from warmup_lines(schedule)


def _positions(rows: Sequence[Encoded]) -> int:
    longest = (max(len(row.input_ids) for row in rows), max(len(row.labels) for row in rows))
    return len(rows) * sum(-(-size // GRID) * GRID for size in longest)


@dataclass(frozen=True, slots=True)
class BytesEach:
    """Bytes of a number on the device: ``weight`` of all parameters; ``gradient`` and ``state`` of those trained."""

    weight: int
    gradient: int
    state: int


# Numbers of the optimiser for each parameter, 4 bytes each.
_STATES = {"adamw": 2, "sgd": 1, "adafactor": 0}


def share_of(precision: Precision, optimizer: str) -> BytesEach:
    """In bf16 weights and gradients have 2 bytes and there is an fp32 master; elsewhere they have 4."""
    state = 4 * _STATES.get(optimizer, 2)
    return BytesEach(2, 2, state + 4) if precision == "bf16" else BytesEach(4, 4, state)


def bytes_of(whole: int, trained: int, stage: int, processes: int, share: BytesEach) -> float:
    """What a process holds at a ZeRO stage: 1 cuts the state, 2 the gradients too, 3 the weights too."""
    weight = whole * share.weight / (processes if stage == 3 else 1)
    gradient = trained * share.gradient / (processes if stage >= 2 else 1)
    return weight + gradient + trained * share.state / (processes if stage >= 1 else 1)


def _memory(whole: int, trained: int, stage: int, precision: Precision, optimizer: str) -> Iterator[str]:
    share = share_of(precision, optimizer)
    cells = [f"{bytes_of(whole, trained, stage, n, share) / 1e9:,.2f} GB" for n in _PROCESSES]
    yield f"{whole:,} parameters, {trained:,} trained; at ZeRO stage {stage} a process holds, activations aside:"
    yield from table([["processes", *map(str, _PROCESSES)], ["memory", *cells]])


def _examples(name: str, rows: Sequence[Encoded], prepared: Prepared) -> Iterator[str]:
    yield ""
    for place in sorted({0, len(rows) // 2, len(rows) - 1})[:_SHOWN]:
        row = rows[place]
        prompt, target = (decode_text(prepared.tokenizer, ids.tolist()) for ids in (row.input_ids, row.labels))
        yield f"{name} {row.id}: {len(row.input_ids)} + {len(row.labels)} tokens"
        yield f"  prompt  {_short(prompt)}"
        yield f"  target  {_short(target)}"


def _short(text: str) -> str:
    plain = text.replace("\n", "\\n")
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]} ..."

"""Training, from a run file to a model directory. Read ``train`` from top to bottom."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import deepspeed as deepspeed_library
import torch
import transformers
from transformers import PreTrainedTokenizerFast, T5ForConditionalGeneration

from t2t import __version__
from t2t.config.run import RunConfig
from t2t.data.batch import Plan
from t2t.data.cache import encode_split
from t2t.data.counts import Counts
from t2t.data.encode import Encoded, Encoder
from t2t.engine import checkpoint, distributed
from t2t.engine.checkpoint import Position
from t2t.engine.deepspeed import Engine
from t2t.engine.deepspeed_file import read_deepspeed
from t2t.engine.disk import whole_folder
from t2t.engine.lifetime import one_owner
from t2t.engine.loop import Loop
from t2t.engine.preflight import check_directory, check_resume, check_targets, check_vocabulary, on_first
from t2t.engine.trained_on import TrainedOn, check_rows, kept_tokenizer
from t2t.errors import DataError, InputError, RunFileError, TemplateError
from t2t.evaluation.evaluate import task_metrics
from t2t.model.backbone import build_from_scratch, copy_with, load_pretrained, save_model
from t2t.model.pretrained import check_ids, read_config
from t2t.model.sayable import Vocabulary, said_of
from t2t.model.tokenizer import load_tokenizer, train_tokenizer
from t2t.runs.rejects import count_bad
from t2t.runs.run_files import write_json
from t2t.runs.run_tasks import load_tasks
from t2t.structures import Json
from t2t.tasks.kept import FILE, Lengths, keep
from t2t.tasks.mixture import Mixture, log_rate, relative
from t2t.tasks.task import Task

_FEW_STEPS = 100  # updates, after which a pretrained T5 has hardly moved


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the loop needs: model, tokenizer, encoded data and how they are mixed.

    ``bad``: bad records by task, filled on the first rank. ``drawn``: of what varies by epoch, how many rows were
    encoded beside those of ``data`` and what was cut of them, by task, since this process began: each other wording
    once, what epochs draw once an epoch.
    """

    tasks: list[Task]
    tokenizer: PreTrainedTokenizerFast
    encoder: Encoder
    data: list[list[Encoded]]
    mixture: Mixture
    bad: dict[str, int] = field(default_factory=dict)
    drawn: dict[str, Counts] = field(default_factory=dict)


def train(config: RunConfig, device: torch.device) -> Path:
    """Train a run and give its directory. Every rank calls it.

    Raises:
        InputError: a mistake in run file, DeepSpeed file, templates or data, before anything is written.
        T2TError: training ended early (not finite, terminated).
    """
    settings = read_deepspeed(config.deepspeed, config)
    tasks = load_tasks(config)
    for task, entry in zip(tasks, config.tasks, strict=True):
        task_metrics(task)
        if task.template.unverified and not config.allow_unverified:
            found = f"{task.name} reads a data set of the hub whose revision is unverified"
            raise RunFileError(entry.where, found, "pin it by a commit in the template, or give --allow-unverified")
    check_directory(config)
    if (config.directory / "model").is_dir():
        return _finished(config)
    with one_owner(config.directory, device):
        return _train(config, settings, tasks, device)


def _train(config: RunConfig, settings: dict[str, Any], tasks: list[Task], device: torch.device) -> Path:
    stage = int(settings["zero_optimization"]["stage"])
    check_resume(config, stage, tasks)
    prepared = on_first(lambda: prepare(config, tasks))
    trained_on = TrainedOn.of(stage, prepared.tokenizer, tasks, prepared.mixture.sizes)
    check_rows(config.directory, trained_on)
    model = _build_model(config, prepared.tokenizer)
    on_first(lambda: _start_directory(config, prepared, trained_on))
    config = with_steps(with_precision(config, device), prepared)
    engine = Engine(model, config, settings, list(prepared.mixture.shares), device)
    start = checkpoint.load_latest(engine.engine, config.directory / "checkpoints", config.seed) or Position()
    batch = config.batch
    plan = Plan(_data_by_epoch(config, prepared), prepared.mixture, batch.tokens, batch.units, batch.window)
    end = Loop(engine, plan, config, config.directory).run(start)
    # model/ comes last: it says that the run is finished
    on_first(lambda: _write_facts(config, prepared, plan, model, end))
    _print_drawn(prepared)
    _save_model(config, engine, model, prepared)
    return config.directory


def with_precision(config: RunConfig, device: torch.device) -> RunConfig:
    """``config`` with "auto" decided for the hardware of all ranks."""
    if config.precision != "auto":
        return config
    fast = distributed.all_agree(distributed.multiplies_bf16(device), device)
    return replace(config, precision="autocast_bf16" if fast else "fp32")


def with_steps(config: RunConfig, prepared: Prepared) -> RunConfig:
    """``config`` with epochs as steps: a function of the prepared rows, so that a run that goes on has as many.

    What varies by epoch is counted as the prepared rows are.
    """
    schedule, batch = config.schedule, config.batch
    if schedule.epochs is None:
        return config
    plan = Plan(lambda _: prepared.data, prepared.mixture, batch.tokens, batch.units, batch.window)
    steps = plan.count(schedule.epochs)
    if not distributed.rank():
        few = "; few: raise schedule: epochs, or lower batch: tokens and units" if steps < _FEW_STEPS else ""
        print(f"{schedule.epochs:g} epochs are {steps} steps{few}", flush=True)
    return replace(config, schedule=replace(schedule, steps=steps))


def prepare(config: RunConfig, tasks: Sequence[Task]) -> Prepared:
    """Tokenizer and encoded training data of all tasks.

    InputError for a model or tokenizer that cannot be trained here, VocabularyError for what cannot be said.
    """
    folder, source = _cache(config), config.model.source
    with _told_at(config, "model.from"):
        pretrained = None if source is None else read_config(source, config.model.revision)
    tokenizer = _tokenizer(config, tasks, folder, None if pretrained is None else pretrained.vocab_size)
    check_ids(source or config.tokenizer.source or str(folder), tokenizer, pretrained)
    vocabulary = Vocabulary(tokenizer)
    check_vocabulary(tasks, vocabulary)
    encoder = Encoder(tokenizer, config.lengths.prompt, config.lengths.target, vocabulary)
    data = [
        encode_split(encoder, task, "train", task_index=index, seed=config.seed, limit=entry.limit, folder=folder)
        for index, (task, entry) in enumerate(zip(tasks, config.tasks, strict=True))
    ]
    for task, rows in zip(tasks, data, strict=True):
        if not rows:
            raise DataError(task.name, "the split 'train' has no example", "correct source: in the template")
    check_targets(config, tasks, encoder.counts)
    sizes = [len(rows) for rows in data]
    return Prepared(list(tasks), tokenizer, encoder, data, Mixture(sizes, mixing_rates(config, sizes), config.seed))


def mixing_rates(config: RunConfig, sizes: Sequence[int]) -> list[float]:
    """The rates of the tasks, the highest as 1. RunFileError where a task would never be drawn."""
    settings = config.mixture
    rates = relative(
        [
            log_rate(size, settings.scale, settings.maximum, settings.temperature)
            if entry.weight is None
            else math.log(entry.weight)
            for entry, size in zip(config.tasks, sizes, strict=True)
        ]
    )
    for entry, rate in zip(config.tasks, rates, strict=True):
        if not rate > 0:
            found = f"the temperature {settings.temperature:g} leaves nothing to the task {entry.task!r}"
            raise RunFileError(config.where("mixture.temperature"), found, "raise it, or give the tasks weights")
    return rates


def _cache(config: RunConfig) -> Path:
    return config.directory.parent / ".cache"


def _finished(config: RunConfig) -> Path:
    if not distributed.rank():
        print(f"{config.directory}: the run is finished; give it another name under run: to train again", flush=True)
    return config.directory


def _data_by_epoch(config: RunConfig, prepared: Prepared) -> Callable[[int], list[list[Encoded]]]:
    """The encoded examples of an epoch: what varies by epoch is a function of (seed, epoch, id).

    Wordings are encoded once each and drawn for an epoch; tasks where more varies are encoded anew. Where bad records
    are skipped and a wording or a draw does not fit, the prepared row stands in its place; one set aside stays so.
    """
    encoder = Encoder(prepared.tokenizer, config.lengths.prompt, config.lengths.target)
    encoder.counts = prepared.drawn

    @cache
    def wordings(index: int) -> list[list[Encoded]]:
        limit = config.tasks[index].limit
        others = prepared.tasks[index].in_each_wording()[1:]
        first = prepared.data[index]
        more = [
            _in_place(first, encode_split(encoder, task, "train", task_index=index, limit=limit, folder=_cache(config)))
            for task in others
        ]
        return [first, *more] if others else []

    def rows(index: int, epoch: int) -> list[Encoded]:
        task = prepared.tasks[index]
        if not task.prompts_vary:
            return prepared.data[index]
        if variants := wordings(index):
            drawn = (task.wording(config.seed, epoch, row.id) for row in prepared.data[index])
            return [variants[wording][place] for place, wording in enumerate(drawn)]
        limit = config.tasks[index].limit
        anew = encode_split(encoder, task, "train", task_index=index, seed=config.seed, epoch=epoch, limit=limit)
        return _in_place(prepared.data[index], anew)

    held: dict[int, list[list[Encoded]]] = {}

    def data(epoch: int) -> list[list[Encoded]]:
        if epoch not in held:
            held.clear()  # one epoch at a time in memory
            held[epoch] = [rows(index, epoch) for index in range(len(prepared.tasks))]
        return held[epoch]

    return data


def _in_place(rows: Sequence[Encoded], others: Sequence[Encoded]) -> list[Encoded]:
    """For each of ``rows`` the one of ``others`` with its id, itself where there is none."""
    waiting: dict[str, deque[Encoded]] = {}
    for other in others:
        waiting.setdefault(other.id, deque()).append(other)
    return [waiting[row.id].popleft() if waiting.get(row.id) else row for row in rows]


def _tokenizer(config: RunConfig, tasks: Sequence[Task], folder: Path, rows: int | None) -> PreTrainedTokenizerFast:
    """The tokenizer of the run. ``rows``: of a pretrained model's embedding, which generation goes by too."""
    if config.tokenizer.source is not None:
        with _told_at(config, "tokenizer.from"):
            return load_tokenizer(config.tokenizer.source, rows)
    if config.model.source is not None:
        with _told_at(config, "model.from"):
            return load_tokenizer(config.model.source, rows, config.model.revision)
    if kept := kept_tokenizer(config.directory / "checkpoints"):
        return load_tokenizer(kept)
    content = json.dumps(
        [__version__, config.tokenizer.vocab_size, config.tokenizer.sample]
        + [[task.fingerprint, entry.limit] for task, entry in zip(tasks, config.tasks, strict=True)]
    )
    saved = folder / f"tokenizer-{hashlib.sha256(content.encode()).hexdigest()[:32]}"
    if not (saved / "tokenizer.json").is_file():
        part = saved.with_suffix(f".{os.getpid()}.part")
        with _told_at(config, "tokenizer.vocab_size"):
            made = train_tokenizer(_training_texts(config, tasks), config.tokenizer.vocab_size)
        made.save_pretrained(part)
        shutil.rmtree(saved, ignore_errors=True)
        part.rename(saved)
    return load_tokenizer(saved)


@contextmanager
def _told_at(config: RunConfig, key: str) -> Iterator[None]:
    """Tell the mistakes of what the run file names under ``key`` with its line, too."""
    try:
        yield
    except InputError as error:
        if isinstance(error, DataError | TemplateError | RunFileError):
            raise
        raise RunFileError(config.where(key), f"{error.where}: {error.found}", error.todo) from error


def _training_texts(config: RunConfig, tasks: Sequence[Task]) -> Iterator[str]:
    """Prompts and targets of the training splits: of the first ``sample`` examples of each task."""
    for task, entry in zip(tasks, config.tasks, strict=True):
        limits = [limit for limit in (entry.limit, config.tokenizer.sample) if limit is not None]
        for example in islice(task.examples("train"), min(limits, default=None)):
            yield task.prompt(example)
            if task.token_task is None:
                yield task.target_text(example)


def _start_directory(config: RunConfig, prepared: Prepared, trained_on: TrainedOn) -> None:
    """Write what the run is: run.yaml, what it trains on, and the records that it leaves out."""
    if distributed.rank():
        return
    folder = config.directory
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "model.tmp", ignore_errors=True)  # of a process that was killed
    part = folder / "run.yaml.tmp"
    part.write_text(config.to_yaml(), encoding="utf-8")
    part.replace(folder / "run.yaml")
    trained_on.write(folder / "checkpoints", prepared.tokenizer)
    used = [(task, entry.limit) for task, entry in zip(prepared.tasks, config.tasks, strict=True)]
    prepared.bad.update(count_bad(folder, used, prepared.encoder.bad))
    _print_data(prepared)


def _print_data(prepared: Prepared) -> None:
    everything = sum(map(len, prepared.data))
    for task, rows, share in zip(prepared.tasks, prepared.data, prepared.mixture.shares, strict=True):
        counts = prepared.encoder.counts[task.name]
        cuts = [f"{counts.prompts_cut} prompts cut"] if counts.prompts_cut else []
        cuts += [f"{counts.targets_cut} targets cut"] if counts.targets_cut else []
        cuts += [said_of(counts.targets, counts.characters)] if counts.targets_changed else []
        cuts += [f"{prepared.bad[task.name]} bad records set aside"] if prepared.bad.get(task.name) else []
        taken = share * everything
        cuts += [f"an epoch takes only about {taken:.1g} examples"] if taken < len(rows) / 100 else []
        print(f"{task.name:<28} {len(rows):>8} examples  {share:6.1%}  {', '.join(cuts)}".rstrip(), flush=True)


def _print_drawn(prepared: Prepared) -> None:
    for name, counts in prepared.drawn.items():
        if not distributed.rank() and (counts.prompts_cut or counts.targets_cut):
            cut = f"{counts.prompts_cut} prompts and {counts.targets_cut} targets cut"
            print(f"{name}: of {counts.n} rows encoded for what varies by epoch {cut}", flush=True)


def _build_model(config: RunConfig, tokenizer: PreTrainedTokenizerFast) -> T5ForConditionalGeneration:
    torch.manual_seed(config.seed)
    if config.model.source is not None:
        with _told_at(config, "model.from"):
            return load_pretrained(config.model.source, config.model.revision, dropout=config.model.dropout)
    return build_from_scratch(config.model.from_scratch or {}, len(tokenizer), config.seed)


def _save_model(config: RunConfig, engine: Engine, model: T5ForConditionalGeneration, prepared: Prepared) -> None:
    """Write model/ with its tasks, whole and on disk, or not at all."""
    weights = engine.weights_for_use()
    if weights is None:
        distributed.barrier()
        return
    fresh = copy_with(model.config, weights)
    with whole_folder(config.directory / "model") as folder:
        save_model(fresh, prepared.tokenizer, folder, config.lengths.target)
        lengths = Lengths(config.lengths.prompt, config.lengths.target)
        (folder / FILE).write_text(keep(prepared.tasks, lengths, __version__), encoding="utf-8")
    distributed.barrier()


def _write_facts(
    config: RunConfig, prepared: Prepared, plan: Plan, model: T5ForConditionalGeneration, end: Position
) -> None:
    """data.json: sizes, cuts, shares asked for and seen in training. facts.json: on what the run was made."""
    if distributed.rank():
        return
    write_json(config.directory / "data.json", _task_facts(prepared, plan, end))
    versions = {"t2t": __version__, "torch": torch.__version__, "transformers": transformers.__version__}
    facts = {
        "parameters": sum(getattr(p, "ds_numel", p.numel()) for p in model.parameters()),
        "vocabulary": len(prepared.tokenizer),
        "steps": end.step,
        "tokens": end.tokens,
        "processes": distributed.world_size(),
        "precision": config.precision,
        "device": distributed.device_name(),
        "finished": time.strftime("%Y-%m-%d %H:%M"),
        "versions": versions | {"deepspeed": deepspeed_library.__version__},
    }
    write_json(config.directory / "facts.json", facts)


def _task_facts(prepared: Prepared, plan: Plan, end: Position) -> dict[str, dict[str, Json]]:
    before, last = prepared.mixture.drawn_before(end.epoch), plan.taken(end.epoch, end.step_in_epoch)
    drawn = [int(count) + last[task] for task, count in enumerate(before)]
    facts: dict[str, dict[str, Json]] = {}
    for index, task in enumerate(prepared.tasks):
        found = prepared.encoder.counts[task.name]
        counts = found.to_json()
        shares = {"requested": float(prepared.mixture.shares[index]), "realised": drawn[index] / max(1, sum(drawn))}
        bad = {"bad_records": prepared.bad.get(task.name, 0)}
        facts[task.name] = {"version": task.version, "fingerprint": task.fingerprint, **counts, **bad, **shares}
        if found.targets_changed:
            facts[task.name]["unsayable"] = said_of(found.targets, found.characters)
        if task.name in prepared.drawn:
            drawn_counts = prepared.drawn[task.name].to_json()
            facts[task.name] |= {f"drawn_{name}": count for name, count in drawn_counts.items()}
    return facts

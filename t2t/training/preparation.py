"""What training needs before its first step: tokenizer, encoded data, and how tasks are mixed."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerFast

from t2t import __version__
from t2t.config.run import (
    Lengths,
    MixtureSettings,
    ModelSettings,
    RunConfig,
    TaskSettings,
    TeacherSettings,
    TokenizerSettings,
    ValidateSettings,
)
from t2t.continual.strategy import Training
from t2t.data.cache import encode_split
from t2t.data.counts import Counts
from t2t.data.encode import Encoded, Encoder, Ids
from t2t.draws import chance_of
from t2t.engine.disk import room_at
from t2t.engine.preflight import check_targets, check_vocabulary, told_at
from t2t.engine.trained_on import TrainedOn, kept_tokenizer
from t2t.errors import DataError, RunFileError
from t2t.model.pretrained import check_ids, describe
from t2t.model.sayable import Vocabulary
from t2t.model.tokenizer import encode_texts, load_tokenizer, train_tokenizer
from t2t.tasks.kept import usual_length
from t2t.tasks.mixture import Mixture, log_rate, relative
from t2t.tasks.task import Task
from t2t.training.teacher import check_teacher, teacher_tokenizer, with_its_targets, writes_targets
from t2t.whole_files import remove_stale_parts

VALID = "valid"  # the split that is validated on


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the loop needs: tokenizer, encoded data and how they are mixed, and by what they were encoded.

    ``limits``: of the examples of each task, none by default. ``folder``: where encoded data are kept for other runs.
    ``more``: rows beside those of the tasks, which the mixture has as a last task of its own. ``known``: tasks that the
    model knows already.
    ``bad``: bad records by task, filled on the first rank. ``drawn``: of what varies by epoch, how many rows were
    encoded beside those of ``data`` and what was cut of them, by task, since this process began: each other wording
    once, what epochs draw once an epoch. ``taught``: the tasks, by index, whose targets a teacher wrote. ``held_out``:
    rows of training splits, by the index of their task, that are validated on and not in ``data``. ``target_tokens``:
    of tasks by name, what nearly all of their targets have at most.
    """

    tasks: list[Task]
    tokenizer: PreTrainedTokenizerFast
    encoder: Encoder
    data: list[list[Encoded]]
    mixture: Mixture
    lengths: Lengths = Lengths()  # noqa: RUF009 (frozen)
    seed: int = 0
    limits: Sequence[int | None] = ()
    folder: Path | None = None
    more: Sequence[Encoded] = ()
    known: Sequence[Task] = ()
    bad: dict[str, int] = field(default_factory=dict)
    drawn: dict[str, Counts] = field(default_factory=dict)
    taught: frozenset[int] = frozenset()
    held_out: Mapping[int, Sequence[Encoded]] = field(default_factory=dict)
    target_tokens: Mapping[str, int] = field(default_factory=dict)

    def knowing(self, tasks: Sequence[Task], before: Mapping[str, int]) -> Prepared:
        """The same for a model that knows ``tasks`` already, of which the one that it starts from keeps ``before``."""
        longest = {task.name: before[task.name] for task in tasks if task.name in before}
        for name, tokens in self.target_tokens.items():  # answers as long as before are still asked for
            longest[name] = max(tokens, longest.get(name, 0))
        return replace(self, known=tasks, target_tokens=longest)

    @property
    def known_and_new(self) -> list[Task]:
        """The tasks that the trained model knows, each once, as it is now."""
        new = {task.name for task in self.tasks}
        return [*(task for task in self.known if task.name not in new), *self.tasks]

    def limit(self, task: int) -> int | None:
        """The most examples of the training split of the ``task``-th task."""
        return self.limits[task] if self.limits else None

    @property
    def groups(self) -> list[Sequence[Encoded]]:
        """The rows that the mixture draws from, as they were prepared."""
        return [*self.data, *([self.more] if self.more else [])]

    def with_more(self, rows: Sequence[Encoded], share: float | None) -> Prepared:
        """The same with rows beside those of the tasks. ``share``: of all draws; None: as they are of all rows."""
        if not rows:
            return self
        share = len(rows) / (len(rows) + sum(map(len, self.data))) if share is None else share
        rates = [*((1 - share) * one for one in self.mixture.shares), share]
        mixture = Mixture([*self.mixture.sizes, len(rows)], rates, self.seed)
        index = len(self.tasks)
        return replace(self, mixture=mixture, more=[replace(row, task_index=index) for row in rows])

    def new_encoder(self) -> Encoder:
        """One with the same limits, that counts for itself."""
        return Encoder(self.tokenizer, self.lengths.prompt, self.lengths.target)


def prepare(config: RunConfig, tasks: Sequence[Task]) -> Prepared:
    """Tokenizer and encoded training data of all tasks.

    InputError for a model or tokenizer that cannot be trained here, VocabularyError for what cannot be said.
    """
    folder, source = cache_folder(config.directory), config.model.source
    remove_stale_parts(folder)
    with told_at(config.where, "model.from"):
        pretrained = None if source is None else describe(source, config.model.revision)
    rows_of_model = None if pretrained is None else pretrained.vocabulary
    teacher, begun = config.teacher if config.tokenizer_of_teacher else None, config.directory / "checkpoints"
    tokenizer = _given_tokenizer(config.model, config.tokenizer.source, teacher, begun, rows_of_model, config.where)
    if tokenizer is None:
        with told_at(config.where, "tokenizer.vocab_size"):
            limits = [entry.limit for entry in config.tasks]
            tokenizer = trained_tokenizer(config.tokenizer, list(zip(tasks, limits, strict=True)), folder)
    check_ids(source or config.tokenizer.source or str(folder), tokenizer, pretrained)
    check_teacher(config.teacher, tokenizer, config.where)
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
    places = [config.where(f"tasks.{index}") for index in range(len(tasks))]
    check_targets(dict(zip(places, tasks, strict=True)), encoder.counts, config.unsayable, config.unsayable_share)
    taught = [index for index, task in enumerate(tasks) if writes_targets(config.teacher, task)]
    for index in taught:
        assert config.teacher is not None
        limit = config.tasks[index].limit
        data[index] = with_its_targets(config.teacher, tasks[index], data[index], encoder, limit, folder)
    held_out: dict[int, list[Encoded]] = {}
    for index, task in enumerate(tasks):
        if is_held_out(task, config.validate):
            assert config.validate is not None
            data[index], held_out[index] = parted(task, data[index], config.validate)
    lengths = [[len(row.labels) for row in (*rows, *held_out.get(index, ()))] for index, rows in enumerate(data)]
    sizes = [len(rows) for rows in data]
    return Prepared(
        list(tasks),
        tokenizer,
        encoder,
        data,
        Mixture(sizes, mixing_rates(config.mixture, config.tasks, sizes, config.where), config.seed),
        config.lengths,
        config.seed,
        [entry.limit for entry in config.tasks],
        folder,
        taught=frozenset(taught),
        held_out=held_out,
        target_tokens={task.name: usual_length(own) for task, own in zip(tasks, lengths, strict=True)},
    )


def training_of(prepared: Prepared) -> Training:
    """What a strategy of continual learning looks at of a run."""
    rows = {task.name: own for task, own in zip(prepared.tasks, prepared.data, strict=True)}
    vocabulary = TrainedOn.of(0, prepared.tokenizer, [], []).vocabulary

    def ids(text: str) -> Ids:
        return np.asarray(encode_texts(prepared.tokenizer, [text])[0], dtype=np.int32)

    return Training(rows=rows, vocabulary=vocabulary, ids=ids, seed=prepared.seed)


def is_held_out(task: Task, settings: ValidateSettings | None) -> bool:
    """True if a share of a task's training examples is held out to validate on: it has no split for that."""
    return settings is not None and settings.held_out > 0 and task.token_task is None and VALID not in task.splits()


def parted(task: Task, rows: Sequence[Encoded], settings: ValidateSettings) -> tuple[list[Encoded], list[Encoded]]:
    """The rows that are trained on, and those that are held out: the same in every run, by the ids of the examples.

    All windows of an example stand on one side.
    """
    ids = sorted(
        dict.fromkeys(example_id(task, row.id) for row in rows), key=lambda one: (chance_of(VALID, task.name, one), one)
    )
    count = min(settings.examples, max(1, round(settings.held_out * len(ids))), len(ids) - 1)
    held = set(ids[:count])
    sides: tuple[list[Encoded], list[Encoded]] = [], []
    for row in rows:
        sides[example_id(task, row.id) in held].append(row)
    return sides


def example_id(task: Task, row: str) -> str:
    """The id of the example that a row, which may be a window of it, comes from."""
    return row.rpartition("@")[0] if task.template.window is not None and "@" in row else row


def mixing_rates(
    settings: MixtureSettings, entries: Sequence[TaskSettings], sizes: Sequence[int], where: Callable[[str], str]
) -> list[float]:
    """The rates of the tasks, the highest as 1. RunFileError where a task would never be drawn."""
    rates = relative(
        [
            log_rate(size, settings.scale, settings.maximum, settings.temperature)
            if entry.weight is None
            else math.log(entry.weight)
            for entry, size in zip(entries, sizes, strict=True)
        ]
    )
    for entry, rate in zip(entries, rates, strict=True):
        if not rate > 0:
            found = f"the temperature {settings.temperature:g} leaves nothing to the task {entry.task!r}"
            raise RunFileError(where("mixture.temperature"), found, "raise it, or give the tasks weights")
    return rates


def cache_folder(run: Path) -> Path:
    """What runs beside each other share, for the directory of one of them."""
    return run.parent / ".cache"


def _given_tokenizer(
    model: ModelSettings,
    named: str | None,
    teacher: TeacherSettings | None,
    begun: Path,
    rows: int | None,
    where: Callable[[str], str],
) -> PreTrainedTokenizerFast | None:
    """The tokenizer that the run file names, the model brings, a teacher has, or the run has begun with; None: it is to
    be trained.

    ``named``: its directory or name on the hub; ``teacher``: one whose tokenizer it is; ``begun``: the checkpoints of
    the run; ``rows``: of a pretrained model's embedding, which generation goes by too.
    """
    if named is not None:
        with told_at(where, "tokenizer.from"):
            return load_tokenizer(named, rows)
    if model.source is not None:
        with told_at(where, "model.from"):
            return load_tokenizer(model.source, rows, model.revision)
    if teacher is not None:
        return teacher_tokenizer(teacher, where)
    if kept := kept_tokenizer(begun):
        return load_tokenizer(kept)
    return None


def trained_tokenizer(
    settings: TokenizerSettings, tasks: Sequence[tuple[Task, int | None]], folder: Path
) -> PreTrainedTokenizerFast:
    """The tokenizer trained on the prompts and targets of tasks, each with its limit; kept in ``folder``, and trained
    once."""
    content = json.dumps(
        [__version__, settings.size, settings.sample] + [[task.fingerprint, limit] for task, limit in tasks]
    )
    saved = folder / f"tokenizer-{hashlib.sha256(content.encode()).hexdigest()[:32]}"
    if not (saved / "tokenizer.json").is_file():
        part = saved.with_suffix(f".{os.getpid()}.part")
        made = train_tokenizer(_training_texts(tasks, settings.sample), settings.size)
        with room_at(part):
            made.save_pretrained(part)
        shutil.rmtree(saved, ignore_errors=True)
        part.rename(saved)
    return load_tokenizer(saved)


def _training_texts(tasks: Sequence[tuple[Task, int | None]], sample: int | None) -> Iterator[str]:
    """Prompts and targets of the training splits: of the first ``sample`` examples of each task."""
    for task, own in tasks:
        limits = [limit for limit in (own, sample) if limit is not None]
        for example in islice(task.examples("train"), min(limits, default=None)):
            yield task.prompt(example)
            if task.token_task is None:
                yield task.target_text(example)

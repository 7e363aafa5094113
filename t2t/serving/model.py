"""A model that knows its tasks: ``t2t.load``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from t2t.config.run import GenerateSettings
from t2t.config.run_file import generation_of
from t2t.data.bounded import bounded, length
from t2t.data.encode import Encoder
from t2t.errors import DataError, InputError
from t2t.generation.generator import Decoding, Generator
from t2t.linear.parsed import Issue, to_json
from t2t.model.peft.routes import Routes, adapter_of, read_routes
from t2t.registry import did_you_mean
from t2t.serving.answers import WINDOW, Answered, answer
from t2t.serving.inputs import MixedReader, Reader, SharedReader, as_examples, given_records, names_of
from t2t.serving.item_scores import item_totals
from t2t.serving.loading import adapter_folder, load_generator, load_with_adapters, model_folder
from t2t.serving.model_calibration import UNCALIBRATED, Calibration, read_calibration
from t2t.serving.routing import together
from t2t.structures import Example, Json, Value
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.kept import FILE, Answerer, KeptTasks
from t2t.tasks.record import RawRecord
from t2t.tasks.task import Task


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said of one input.

    ``value``: the structure of the task's target: a label, a text, a number, a ``structures.Span`` with offsets into
    the input, a list of items or a mapping of fields. ``issues``: what was not as it should be. ``score``: the mean
    log-probability of the output's tokens in nats. ``confidence``: the probability (0 to 1) that all of the output is
    right, as validation calibrated it; the model's own where it did not; 0 of an output that was cut. ``text``: the
    output as it was generated. ``constrained``: it was decoded again inside the target language. ``top``: of a closed
    set the likeliest values with their probabilities, as many as were asked for. ``samples``: where several outputs
    were drawn, what each says; the first is this answer. ``confidences``: of each item of a list, in its order (None
    where the output does not tell it apart), or by field; None where they were not asked for. ``task``: where several
    were asked of each record.
    """

    id: str
    value: Value
    issues: tuple[Issue, ...]
    score: float
    text: str
    constrained: bool
    confidence: float
    top: tuple[tuple[Value, float], ...] = ()
    samples: tuple[Answer, ...] = ()
    confidences: Json = None
    task: str | None = None

    def to_json(self) -> dict[str, Json]:
        """As a line of the command's output: id, value with offsets, issues, score, confidence, at need task, top or
        samples, each of which has what a line has but for the id."""
        issues = [{"kind": one.kind, "path": one.path, "text": one.text} for one in self.issues]
        top = [{"value": to_json(value), "probability": share} for value, share in self.top]
        samples = [{key: own for key, own in one.to_json().items() if key != "id"} for one in self.samples]
        return {
            "id": self.id,
            **({} if self.task is None else {"task": self.task}),
            "value": to_json(self.value),
            "issues": issues,
            "score": self.score,
            "confidence": self.confidence,
            **({"top": top} if top else {}),
            **({"samples": samples} if samples else {}),
            **({} if self.confidences is None else {"confidences": self.confidences}),
        }


class Model:
    """A trained model with its tasks, on one device. ``t2t.load`` makes it.

    ``model("atlas/ner_en", ["Ada moved to Oslo"])`` gives an Answer for each input, in their order.
    """

    def __init__(
        self,
        generator: Generator,
        tasks: KeptTasks,
        settings: GenerateSettings,
        *,
        constrain: bool = True,
        calibration: Calibration = UNCALIBRATED,
        rank: bool = False,
        top: int = 0,
    ) -> None:
        self.generator = generator
        self._kept = tasks
        self._constrain, self.calibration = constrain, calibration
        self._rank, self._top, self._items = rank or top > 0, top, settings.items
        self.encoder = Encoder(generator.tokenizer, tasks.lengths.prompt, tasks.lengths.target)
        self._settings = settings

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks that the model knows."""
        return self._kept.names

    @property
    def folder(self) -> Path:
        """Where the tasks, and what was kept of their data, stand."""
        return self._kept.path.parent

    def __call__(self, task: str | None, inputs: Iterable[str | Mapping[str, Json]]) -> list[Answer]:
        """The answers for texts, or for records with the fields that the task's prompt and answers need.

        ``task``: one of ``tasks``; None where there is only one. Gold is neither read nor asked for.

        Raises:
            InputError: the model has no such task, or ``inputs`` is no list of texts and records.
            DataError: an input lacks a field, or does not fit.
        """
        answerer = self._kept.get(task)
        examples = as_examples(given_records(inputs, answerer), answerer, {}, BadRecords())
        return [found for found, _ in self.answers(answerer, examples, BadRecords())]

    def answerer(self, task: str | None) -> Answerer:
        """How a task reads records. InputError for one that the model does not know."""
        return self._kept.get(task)

    def model_of(self, task: str | None) -> Model:
        """Who answers a task."""
        return self

    def reader(self, task: str | None) -> Reader:
        """How records are read. ``task``: several, separated by commas, where each is asked of all records; None where
        there is only one, or where each record says its own."""
        return _reader(self._kept.names, self._kept.get, task)

    def answer_records(
        self, task: str | None, records: Iterable[RawRecord], fields: Mapping[str, str], bad: BadRecords
    ) -> Iterator[tuple[Answer, dict[str, Json]]]:
        """The answer and the data of each record, in their order; what cannot be used goes to ``bad``.

        ``task``: see ``reader``; of several each record has an answer for each, in their order. ``fields``: those of
        the tasks and the columns that they are.
        """
        if len(names := names_of(task)) > 1:
            return answer_each(self.model_of, names, records, fields, bad)
        if task is None and len(self.tasks) > 1:
            return answer_mixed(self.model_of, self.tasks, records, fields, bad)
        answerer = self._kept.get(task)
        return self.answers(answerer, as_examples(records, answerer, fields, bad), bad)

    def answers(
        self, answerer: Answerer, examples: Iterator[tuple[Example, dict[str, Json]]], bad: BadRecords
    ) -> Iterator[tuple[Answer, dict[str, Json]]]:
        """The answer and the data of each example, in their order."""
        for found, data in self.answered(answerer, examples, bad):
            yield self._answer(answerer.task, found), data

    def answered(
        self, answerer: Answerer, examples: Iterator[tuple[Example, dict[str, Json]]], bad: BadRecords
    ) -> Iterator[tuple[Answered, dict[str, Json]]]:
        """The same as it was generated: the prompts and the outputs, window by window."""
        waiting: deque[tuple[Example, dict[str, Json]]] = deque()

        def remembered() -> Iterator[Example]:
            for example, data in examples:
                waiting.append((example, data))
                yield example

        task = answerer.task
        if self._top and not task.target.root.closed_set:
            message = f"the answers of {task.name} are of no closed set, of which several could be given"
            raise InputError("top", message, "leave it out for tasks whose target is no label and no choice")
        constrain = self._constrain and task.constrainable
        longest, usual = self._kept.lengths.target, self._kept.target_tokens.get(task.name)
        decode = partial(self.generator.generate, decoding=Decoding.of(self._settings, longest, usual))
        for found in answer(task, remembered(), self.encoder, decode, constrain, bad, self._rank):
            while waiting[0][0] is not found.example:  # it was bad
                waiting.popleft()
            yield found, waiting.popleft()[1]

    def _answer(self, task: Task, found: Answered) -> Answer:
        said = found.parsed(task)
        sure = self.calibration.confidence(task.name, found.total)
        top, samples = found.top(task, self._top), tuple(self._answer(task, one) for one in found.samples)
        totals = item_totals(task, found, said.value, self.generator.tokenizer) if self._items else None
        items = self.calibration.item_confidences(task.name, totals)
        about = (said.value, said.issues, found.score, found.text, found.constrained, sure, top, samples, items)
        return Answer(found.example.id, *about)


class AdaptedModel:
    """One base with several adapters: each task is answered by the adapter that knows it, or by the base."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        """``models``: by task."""
        self._models = dict(models)

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks that the base and its adapters know."""
        return list(self._models)

    def __call__(self, task: str | None, inputs: Iterable[str | Mapping[str, Json]]) -> list[Answer]:
        """See Model."""
        model = self.model_of(task)
        return model(task if task is not None else self.tasks[0], inputs)

    def answerer(self, task: str | None) -> Answerer:
        """See Model."""
        return self.model_of(task).answerer(task or self.tasks[0])

    def reader(self, task: str | None) -> Reader:
        """See Model."""
        return _reader(self.tasks, self.answerer, task)

    def answer_records(
        self, task: str | None, records: Iterable[RawRecord], fields: Mapping[str, str], bad: BadRecords
    ) -> Iterator[tuple[Answer, dict[str, Json]]]:
        """See Model."""
        if len(names := names_of(task)) > 1:
            return answer_each(self.model_of, names, records, fields, bad)
        if task is None and len(self.tasks) > 1:
            return answer_mixed(self.model_of, self.tasks, records, fields, bad)
        return self.model_of(task).answer_records(task or self.tasks[0], records, fields, bad)

    def model_of(self, task: str | None) -> Model:
        """Who answers a task. InputError where nobody does, and for None where there are several."""
        if task is None and len(self._models) == 1:
            return next(iter(self._models.values()))
        if task is None:
            raise InputError("task", "there are several tasks", f"name one: {', '.join(self.tasks)}")
        if task not in self._models:
            found = f"neither the base nor an adapter has a task {task!r}"
            raise InputError("task", found, did_you_mean(task, self.tasks))
        return self._models[task]


def answer_each(
    model_of: Callable[[str], Model],
    tasks: Sequence[str],
    records: Iterable[RawRecord],
    fields: Mapping[str, str],
    bad: BadRecords,
) -> Iterator[tuple[Answer, dict[str, Json]]]:
    """The answers of all ``tasks`` for each record, in the order of the records, of each in that of the tasks; what one
    task cannot use is bad for that one."""
    for window in _windows(records):
        wanted = [(task, raw) for raw in window for task in tasks]
        for task, one, data in _by_task(model_of, wanted, fields, bad):
            yield replace(one, task=task), data


def answer_mixed(
    model_of: Callable[[str], Model],
    tasks: Sequence[str],
    records: Iterable[RawRecord],
    fields: Mapping[str, str],
    bad: BadRecords,
) -> Iterator[tuple[Answer, dict[str, Json]]]:
    """The answers for records that each say their task under ``task``, in the order of the records."""
    for window in _windows(records):
        wanted = list(bad.each(window, partial(_task_of, tasks=tasks)))
        for _, one, data in _by_task(model_of, wanted, fields, bad):
            yield one, data


def _windows(records: Iterable[RawRecord]) -> Iterator[list[RawRecord]]:
    return bounded(records, WINDOW, lambda raw: length(raw.data))


def _by_task(
    model_of: Callable[[str], Model],
    wanted: Sequence[tuple[str, RawRecord]],
    fields: Mapping[str, str],
    bad: BadRecords,
) -> Iterator[tuple[str, Answer, dict[str, Json]]]:
    """Answers of a window in the order in which they are ``wanted``, each task's at once; none for what is bad."""
    asked: dict[str, list[RawRecord]] = {}
    for task, raw in wanted:
        asked.setdefault(task, []).append(raw)
    found: dict[tuple[str, int], tuple[Answer, dict[str, Json]]] = {}
    for task, several in asked.items():
        model = model_of(task)
        answerer = model.answerer(task)
        for one, data in model.answers(answerer, as_examples(several, answerer, fields, bad), bad):
            found[task, id(data)] = one, data
    for task, raw in wanted:
        if (task, id(raw.data)) in found:
            yield task, *found[task, id(raw.data)]


def _task_of(raw: RawRecord, tasks: Sequence[str]) -> tuple[str, RawRecord]:
    task = raw.data.get("task")
    if not isinstance(task, str) or task not in tasks:
        found = "it has no field 'task'" if task is None else f"its task is {task!r}, which is not known"
        raise DataError(raw.where, found, f"{did_you_mean(str(task), tasks)}, or give --task NAME for all records")
    return task, raw


def _reader(known: Sequence[str], answerer: Callable[[str | None], Answerer], task: str | None) -> Reader:
    if task is None and len(known) > 1:
        return MixedReader(tuple(known))
    names = names_of(task)
    return SharedReader(tuple(map(answerer, names))) if len(names) > 1 else answerer(task)


def reader_of(folder: Path, task: str | None, adapters: Mapping[str, Path] | None = None) -> Reader:
    """How records are read for what ``load`` gives, by the tasks that are kept, without the weights where there are no
    adapters. InputError as ``load``, and for a task that is not known."""
    if adapters or read_routes(model_folder(folder)) is not None:
        return load(folder, adapters=adapters, device="cpu").reader(task)
    kept = KeptTasks(model_folder(folder))
    return _reader(kept.names, kept.get, task)


def load(
    folder: str | Path,
    *,
    adapters: Mapping[str, str | Path] | None = None,
    device: str | None = None,
    precision: str = "fp32",
    engine: str = "torch",
    num_beams: int = 1,
    constrain: bool = True,
    batch_tokens: int | None = None,
    mode: Literal["search", "rank"] = "search",
    top: int = 0,
    items: bool = False,
    sample: Mapping[str, float] | None = None,
    no_repeat_ngram: int | None = None,
    max_tokens: int | None = None,
    length_penalty: float = 1.0,
) -> Model | AdaptedModel:
    """A model that answers what it was trained for: ``model/`` of a run, or the run's directory.

    Args:
        folder: as ``t2t train`` left it; it need hold nothing else, and nothing of the training data is read.
        adapters: folders of adapters that were trained on these weights (``adapter/`` of a run with ``peft:``), by
            names of yours. Each answers the tasks that it was trained on; where it knows none, the task of its name.
            By default those that are in the folder (a run of ``continual: {strategy: adapters}``), if any do.
        device: "cpu", "cuda", "cuda:1", ...; by default a GPU where there is one.
        precision: "fp32", "bf16", or "auto": bf16 where the device multiplies it in hardware; with
            ctranslate2 "int8" too.
        engine: "torch", "ctranslate2", or "auto": ctranslate2 on a CPU where it is installed and knows the model.
        num_beams: beams of the search; 1 is greedy.
        constrain: outputs outside the target language are decoded again inside it.
        batch_tokens: of a batch, at most: its rows times the longest prompt and output; by default 16,384 on a CPU
            and 32,768 on a GPU.
        mode: "search" finds an output token by token; "rank" weighs every one of a closed set (labels, the options of a
            choice) where an answer is of one.
        top: rank, and give so many of the likeliest values with their probabilities.
        items: say how sure each item of an answer is, which takes one more pass over it.
        sample: draw outputs in place of searching, ``{"temperature": 0.8, "top_k": 50, "top_p": 0.95, "n": 3}``; each
            has a default (1.0, all, 1.0, 1). The same prompt has the same draws until ``seed`` is another.
        no_repeat_ngram: no sequence of so many tokens is said twice in an output.
        length_penalty: beams are compared by their log-probability over the number of their tokens, end counted, to
            this power: above 1 longer ones win more often, below 1 shorter ones; 1 is the mean, 0 the sum.
        max_tokens: of an output, end counted; by default what the targets give that the task was trained on.

    Raises:
        RunDirectoryError: there is no model. InputError: it cannot be used, or keeps no tasks.
    """
    search = {"beams": num_beams, "no_repeat_ngram": no_repeat_ngram, "max_tokens": max_tokens}
    more = {"items": items, "tokens": batch_tokens, "length_penalty": length_penalty}
    settings = generation_of(sample, engine=engine, mode=mode, top=top, **search, **more)
    how: dict[str, Any] = {"constrain": constrain, "rank": settings.ranks, "top": top}
    routes = None if adapters else read_routes(model_folder(Path(folder)))
    if adapters or routes:
        found = {name: Path(one) for name, one in (adapters or {}).items()}
        if routes:
            found = {name: adapter_of(model_folder(Path(folder)), name) for name in routes.tasks}
        if settings.engines == "ctranslate2":
            raise InputError("engine", "adapters are put on by the engine torch", "use engine: torch, or merged models")
        base, others = load_with_adapters(Path(folder), found, device, precision)
        return _adapted(Path(folder), found, base, others, settings, how, routes)
    tasks = KeptTasks(model_folder(Path(folder)))
    generator = load_generator(Path(folder), device, precision, settings.engines)
    calibration = read_calibration(model_folder(Path(folder)))
    return Model(generator, tasks, settings, calibration=calibration, **how)


def _adapted(
    folder: Path,
    adapters: Mapping[str, Path],
    base: Generator,
    others: Mapping[str, Generator],
    settings: GenerateSettings,
    how: Mapping[str, Any],
    routes: Routes | None,
) -> AdaptedModel:
    """Who answers which task. InputError where two adapters know one and no ``routes`` say which of them is asked, or
    an adapter's tasks are not known at all."""

    def model(generator: Generator, tasks: KeptTasks, place: Path) -> Model:
        return Model(generator, tasks, settings, calibration=read_calibration(place), **how)

    own = model_folder(folder)
    kept = KeptTasks(own) if (own / FILE).is_file() else None
    known = {} if kept is None else dict.fromkeys(kept.names, model(base, kept, own))
    claimed: dict[str, str] = {}
    for name, place in adapters.items():
        where = adapter_folder(place)
        tasks = KeptTasks(where) if (where / FILE).is_file() else kept
        if tasks is None or (tasks is kept and name not in kept.names):
            found = f"the adapter {name} keeps no tasks ({FILE}), and {name!r} is no task of the base"
            raise InputError(str(place), found, "train it again with this version, or give it the name of a task")
        for task in [name] if tasks is kept else tasks.names:
            if task in claimed and routes is None:
                found = f"the adapters {claimed[task]} and {name} both know the task {task}"
                raise InputError(str(place), found, "name one of them")
            claimed[task] = name
            asked = (routes.of(task) if routes else ()) or (name,)
            known[task] = model(together([others[one] for one in asked]), tasks, where)
    return AdaptedModel(known)

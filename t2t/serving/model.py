"""A model that knows its tasks: ``t2t.load``."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from t2t.data.encode import Encoder
from t2t.generation.generator import Decoding, Generator
from t2t.linear.parsed import Issue, to_json
from t2t.serving.answers import answer
from t2t.serving.inputs import as_examples, given_records, read_records
from t2t.serving.loading import load_generator, model_folder
from t2t.structures import Example, Json, Value
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.kept import Answerer, KeptTasks


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said of one input.

    ``value``: the structure of the task's target: a label, a text, a number, a ``structures.Span`` with offsets into
    the input, a list of items or a mapping of fields. ``issues``: what was not as it should be. ``score``: the mean
    log-probability of the output's tokens in nats. ``text``: the output as it was generated. ``constrained``: it was
    decoded again inside the target language.
    """

    id: str
    value: Value
    issues: tuple[Issue, ...]
    score: float
    text: str
    constrained: bool

    def to_json(self) -> dict[str, Json]:
        """As a line of the command's output: id, value with offsets, issues, score."""
        issues = [{"kind": one.kind, "path": one.path, "text": one.text} for one in self.issues]
        return {"id": self.id, "value": to_json(self.value), "issues": issues, "score": self.score}


class Model:
    """A trained model with its tasks, on one device. ``t2t.load`` makes it.

    ``model("atlas/ner_en", ["Ada moved to Oslo"])`` gives an Answer for each input, in their order.
    """

    def __init__(self, generator: Generator, tasks: KeptTasks, decoding: Decoding, *, constrain: bool = True) -> None:
        self.generator = generator
        self._kept = tasks
        self._constrain = constrain
        self._encoder = Encoder(generator.tokenizer, tasks.lengths.prompt, tasks.lengths.target)
        self._decode = partial(generator.generate, decoding=decoding)

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks that the model knows."""
        return self._kept.names

    def __call__(self, task: str | None, inputs: Iterable[str | Mapping[str, Json]]) -> list[Answer]:
        """The answers for texts, or for records with the fields that the task's prompt and answers need.

        ``task``: one of ``tasks``; None where there is only one. Gold is neither read nor asked for.

        Raises:
            InputError: the model has no such task, or ``inputs`` is no list of texts and records.
            DataError: an input lacks a field, or does not fit.
        """
        answerer = self._kept.get(task)
        examples = as_examples(given_records(inputs, answerer), answerer, {}, BadRecords())
        return [found for found, _ in self._answers(answerer, examples, BadRecords())]

    def answer_file(
        self, task: str | None, name: str, fields: Mapping[str, str], bad: BadRecords, form: str | None = None
    ) -> Iterator[tuple[Answer, dict[str, Json]]]:
        """The answer and the data of each record of a file (or ``-``), streamed; what cannot be used goes to ``bad``.

        ``fields``: columns and the fields that they are. ``form``: of the file (inputs.FORMATS), by default by its
        ending.
        """
        answerer = self._kept.get(task)
        records = read_records(name, answerer, bad, form)
        return self._answers(answerer, as_examples(records, answerer, fields, bad), bad)

    def _answers(
        self, answerer: Answerer, examples: Iterator[tuple[Example, dict[str, Json]]], bad: BadRecords
    ) -> Iterator[tuple[Answer, dict[str, Json]]]:
        waiting: deque[tuple[Example, dict[str, Json]]] = deque()

        def remembered() -> Iterator[Example]:
            for example, data in examples:
                waiting.append((example, data))
                yield example

        task = answerer.task
        constrain = self._constrain and task.constrainable
        for found in answer(task, remembered(), self._encoder, self._decode, constrain, bad):
            while waiting[0][0] is not found.example:  # it was bad
                waiting.popleft()
            said = found.parsed(answerer.task)
            one = Answer(found.example.id, said.value, said.issues, found.score, found.text, found.constrained)
            yield one, waiting.popleft()[1]


def load(
    folder: str | Path,
    *,
    device: str | None = None,
    precision: str = "fp32",
    engine: str = "torch",
    num_beams: int = 1,
    constrain: bool = True,
    batch_tokens: int = 32768,
) -> Model:
    """A model that answers what it was trained for: ``model/`` of a run, or the run's directory.

    Args:
        folder: as ``t2t train`` left it; it need hold nothing else, and nothing of the training data is read.
        device: "cpu", "cuda", "cuda:1", ...; by default a GPU where there is one.
        precision: "fp32", "bf16", or "auto": bf16 where the device multiplies it in hardware; with
            ctranslate2 "int8" too.
        engine: "torch", "ctranslate2", or "auto": ctranslate2 on a CPU where it is installed and knows the model.
        num_beams: beams of the search; 1 is greedy.
        constrain: outputs outside the target language are decoded again inside it.
        batch_tokens: of a batch, at most: its rows times the longest prompt and output.

    Raises:
        RunDirectoryError: there is no model. InputError: it cannot be used, or keeps no tasks.
    """
    tasks = KeptTasks(model_folder(Path(folder)))
    generator = load_generator(Path(folder), device, precision, engine)
    decoding = Decoding(tasks.lengths.target, batch_tokens, num_beams)
    return Model(generator, tasks, decoding, constrain=constrain)

"""What a model folder keeps of the data that its tasks were trained on, so that new data can be compared with them.

``trained_data.json`` holds, for each task, the lengths of prompts (tokens) and the characters that the vocabulary
cannot say, both of a sample of the training examples, and how often each label was a target. What was trained on stage
after stage is added up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from t2t.data.bounded import windows
from t2t.data.encode import Encoded, Encoder
from t2t.errors import DataError, InputError
from t2t.model.sayable import Vocabulary
from t2t.model.tokenizer import decode_texts
from t2t.runs.run_files import read_json
from t2t.structures import Example, Json
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.task import Task

TRAINED_DATA = "trained_data.json"
_SAMPLE = 1000  # examples of a task whose prompts are looked at
_READ = 100_000  # of the first so many
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Prompts:
    """``tokens``: how many prompts have each length. ``characters``: how many there are of each that the vocabulary
    cannot say, of ``said`` in all."""

    tokens: Mapping[int, int]
    said: int
    characters: Mapping[str, int]

    def __add__(self, other: Prompts) -> Prompts:
        tokens, characters = Counter(self.tokens), Counter(self.characters)
        return Prompts(tokens + Counter(other.tokens), self.said + other.said, characters + Counter(other.characters))

    @property
    def unsayable(self) -> float:
        """The share of characters that the vocabulary cannot say."""
        return sum(self.characters.values()) / max(1, self.said)


@dataclass(frozen=True, slots=True)
class TrainedData:
    """``examples``: that a task was trained on. ``labels``: how often the words of each label were a target, of a task
    whose whole target is labels; else empty."""

    examples: int
    prompts: Prompts
    labels: Mapping[str, int]

    def __add__(self, other: TrainedData) -> TrainedData:
        labels = Counter(self.labels) + Counter(other.labels)
        return TrainedData(self.examples + other.examples, self.prompts + other.prompts, labels)

    def to_json(self) -> dict[str, Json]:
        """As ``trained_data.json`` has it."""
        return {
            "examples": self.examples,
            "prompt_tokens": {str(length): self.prompts.tokens[length] for length in sorted(self.prompts.tokens)},
            "characters": self.prompts.said,
            "unsayable": dict(sorted(self.prompts.characters.items())),
            "labels": dict(sorted(self.labels.items())),
        }


def prompts_of(task: Task, examples: Iterable[Example], encoder: Encoder, vocabulary: Vocabulary) -> Prompts:
    """What the prompts of examples, as evaluation asks them, are like; those that do not fit, with nothing left to
    shorten, count as one token longer than the limit."""
    tokens, characters, said = Counter[int](), Counter[str](), 0
    for batch in windows(task.windowed(examples), _BATCH):
        prompts = encoder.prompts(task, batch)
        asked = [one for one in prompts if not isinstance(one, DataError)]
        tokens.update(len(ids) for _, ids in asked)
        tokens.update([encoder.prompt_limit + 1] * (len(prompts) - len(asked)))
        for told in vocabulary.hear([text for text, _ in asked], [ids.tolist() for _, ids in asked]):
            said += len(told.text)
            characters.update(vocabulary.lost_in(told))
    return Prompts(tokens, said, characters)


def trained_data(task: Task, rows: Sequence[Encoded], limit: int | None, encoder: Encoder) -> TrainedData:
    """What is kept of the training examples of a task, of which ``rows`` were encoded and the first ``limit`` are
    trained on."""
    most = min(_READ, len(rows) if limit is None else limit)
    examples = islice(task.examples("train", BadRecords("skip")), 0, most, max(1, most // _SAMPLE))
    prompts = prompts_of(task, examples, encoder, Vocabulary(encoder.tokenizer))
    return TrainedData(len(rows), prompts, _labels(task, rows, encoder))


def _labels(task: Task, rows: Sequence[Encoded], encoder: Encoder) -> dict[str, int]:
    known = set(task.target.root.labels().values())
    if not known:
        return {}
    counts = Counter(row.labels.tobytes() for row in rows)
    first = {row.labels.tobytes(): row.labels.tolist() for row in rows}
    found = Counter[str]()
    for text, count in zip(decode_texts(encoder.tokenizer, list(first.values())), counts.values(), strict=True):
        found.update({word: count for word in _words(task, text) if word in known})
    return dict(found)


def _words(task: Task, text: str) -> Iterator[str]:
    yield from (text[part.start : part.end] for part in task.parts(text))


def read_trained_data(folder: Path) -> dict[str, TrainedData]:
    """What a model folder keeps, by task; nothing where it keeps none. InputError for a file that cannot be read."""
    path = folder / TRAINED_DATA
    if not path.is_file():
        return {}
    try:
        return {str(name): _read(one) for name, one in read_json(path)["tasks"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        found = f"it does not say what the model was trained on ({error})"
        raise InputError(str(path), found, "put it back, or train again") from None


def _read(one: Mapping[str, Json]) -> TrainedData:
    tokens = {int(length): int(count) for length, count in one["prompt_tokens"].items()}
    characters = {str(char): int(count) for char, count in one["unsayable"].items()}
    labels = {str(words): int(count) for words, count in one["labels"].items()}
    return TrainedData(int(one["examples"]), Prompts(tokens, int(one["characters"]), characters), labels)

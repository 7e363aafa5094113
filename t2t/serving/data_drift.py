"""How far new records are from the data that a model was trained on, and whether an update is due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from t2t.errors import InputError
from t2t.metrics.distance import Counts, bound_by_chance, distance, mean
from t2t.model.sayable import Vocabulary
from t2t.serving.model import Model
from t2t.serving.model_calibration import histogram
from t2t.serving.trained_data import TRAINED_DATA, Prompts, TrainedData, prompts_of, read_trained_data
from t2t.structures import Example, Json
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.kept import Answerer
from t2t.text import scalar_text

MORE_UNSAYABLE = 0.01  # of all characters, beyond the share that training had
UNSEEN = 0.01  # of the gold labels
FAR = 0.2  # between two distributions, from 0 to 1; more where records are few
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One number of the training data and of the new ones. An update is due where ``distance`` is above ``bound``.

    ``training`` and ``new``: shares, or means of a distribution; None where training had none, and no ``new``.
    """

    name: str
    training: float | None
    new: float
    distance: float
    bound: float
    why: str

    @property
    def drifted(self) -> bool:
        return self.distance > self.bound

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "training": self.training,
            "new": self.new,
            "distance": self.distance,
            "bound": self.bound,
            "drifted": self.drifted,
        }


@dataclass(frozen=True, slots=True)
class Drift:
    """What was found. ``unsayable``: characters that the vocabulary cannot say, ``unseen``: labels that training never
    had, each with how often. ``unknown``: what could not be compared, and why."""

    task: str
    records: int
    examples: int
    checks: tuple[Check, ...]
    unsayable: Mapping[str, int]
    unseen: Mapping[str, int]
    unknown: tuple[str, ...]

    @property
    def due(self) -> bool:
        """Whether an update is due."""
        return any(check.drifted for check in self.checks)

    @property
    def verdict(self) -> str:
        """Whether an update is due and why, in a sentence."""
        if self.due:
            return f"an update is due: {'; '.join(check.why for check in self.checks if check.drifted)}"
        return f"no update is due: {self.records:,} records are like the {self.examples:,} examples of training"

    def to_json(self) -> dict[str, Json]:
        return {
            "task": self.task,
            "records": self.records,
            "training_examples": self.examples,
            "update_due": self.due,
            "verdict": self.verdict,
            "checks": [check.to_json() for check in self.checks],
            "unsayable_characters": dict(_ranked(self.unsayable)),
            "unseen_labels": dict(_ranked(self.unseen)),
            "not_compared": list(self.unknown),
        }


def drift(
    model: Model, answerer: Answerer, examples: Sequence[Example], labels: Sequence[Json], bad: BadRecords
) -> Drift:
    """Compare new examples with what the ``model`` was trained on. ``labels``: the gold of those that have any.

    InputError where the model folder does not say what the task was trained on.
    """
    kept = read_trained_data(model.folder).get(answerer.name)
    if kept is None or not kept.prompts.tokens:
        found = f"the model does not keep what {answerer.name} was trained on"
        raise InputError(str(model.folder / TRAINED_DATA), found, "train with this version of t2t, which keeps it")
    prompts = prompts_of(answerer.task, examples, model.encoder, Vocabulary(model.generator.tokenizer))
    unseen = _unseen(answerer, kept, labels)
    checks = [
        _unsayable(kept.prompts.unsayable, prompts.unsayable, prompts.characters),
        *_labels(unseen, len(labels)),
        _far("prompt tokens", _lengths(kept.prompts), _lengths(prompts), "prompts are of other lengths"),
    ]
    unknown = [] if labels else ["labels: the records have no gold of labels"]
    before = model.calibration.confidences.get(answerer.name, ())
    if any(before):
        answers = model.answers(answerer, iter([(one, {}) for one in examples]), bad)
        now = histogram(answer.confidence for answer, _ in answers)
        if any(now):
            checks.append(_far("confidence", _middles(before), _middles(now), "the model is less sure", below=True))
        else:
            unknown.append("confidence: no record could be answered")
    else:
        unknown.append("confidence: the model was not calibrated (validate: in its run file)")
    characters = prompts.characters
    return Drift(answerer.name, len(examples), kept.examples, tuple(checks), characters, unseen, tuple(unknown))


def _unsayable(training: float, new: float, characters: Mapping[str, int]) -> Check:
    why = f"the vocabulary cannot say {new:.1%} of the characters ({_named(characters)}), of training {training:.1%}"
    return Check("unsayable characters", training, new, max(0.0, new - training), MORE_UNSAYABLE, why)


def _labels(unseen: Mapping[str, int], count: int) -> Iterator[Check]:
    if count:
        share = sum(unseen.values()) / count
        yield Check(
            "unseen labels", None, share, share, UNSEEN, f"{share:.1%} of the labels are new ({_named(unseen)})"
        )


def _unseen(answerer: Answerer, kept: TrainedData, labels: Iterable[Json]) -> dict[str, int]:
    """The gold labels that training never had, with how often."""
    words = {scalar_text(value): said for value, said in answerer.task.target.root.labels().items()}
    found = Counter(scalar_text(value) for value in labels)
    return {label: count for label, count in found.items() if words.get(label) not in kept.labels}


def _far(name: str, training: Counts, new: Counts, why: str, below: bool = False) -> Check:
    """How far a distribution is from that of training; ``below``: how far it has fallen."""
    before, now = mean(training), mean(new)
    bound = max(FAR, bound_by_chance(sum(training.values()), sum(new.values())))
    reason = f"{why} (mean {now:.3g}, in training {before:.3g})"
    return Check(name, before, now, distance(training, new, below=below), bound, reason)


def _lengths(prompts: Prompts) -> dict[float, int]:
    return {float(length): count for length, count in prompts.tokens.items()}


def _middles(counts: Sequence[int]) -> dict[float, int]:
    """A histogram over 0 to 1, by the middles of its parts."""
    return {(place + 0.5) / len(counts): count for place, count in enumerate(counts) if count}


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _named(counts: Mapping[str, int]) -> str:
    ranked = [repr(name) for name, _ in _ranked(counts)[:_SHOWN]]
    return ", ".join(ranked) + (", ..." if len(counts) > _SHOWN else "")

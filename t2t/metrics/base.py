"""What a metric is: statistics of one example that add up, and a total over their sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from t2t.errors import TemplateError
from t2t.linear.parsed import Parsed
from t2t.registry import Registry, did_you_mean
from t2t.structures import Json, Value

Stats: TypeAlias = npt.NDArray[np.float64]

RESAMPLES = 1000
SEED = 20170817
_CHUNK = 4_000_000  # resampled indices held at once: 32 MB


class Metric(Protocol):
    """A measure of one task.

    ``best`` is the value that gold fed back as prediction reaches; ``detail`` is what a library adds to the signature.
    """

    @property
    def name(self) -> str: ...

    @property
    def best(self) -> float: ...

    @property
    def detail(self) -> str: ...

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        """The additive statistics of one example, float64 of shape (k,), against one or more references."""

    def total(self, stats: Stats) -> float:
        """The value for the summed statistics of any number of examples."""


@dataclass(frozen=True, slots=True)
class Score:
    """A value with its 95% bootstrap interval over ``n`` examples, and the signature that says how it was made."""

    name: str
    value: float
    low: float
    high: float
    n: int
    signature: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a template gives a metric: the name to report it by, arguments, where they stand, the task's language."""

    name: str
    given: Mapping[str, Json]
    where: str
    language: str

    def only(self, *known: str) -> None:
        """TemplateError if an argument is not one of ``known``."""
        for key in self.given:
            if key not in known:
                todo = did_you_mean(str(key), known) if known else "leave it out"
                raise TemplateError(self.where, f"metric {self.name} has no argument {key!r}", todo)

    def word(self, key: str, default: str | None = None) -> str:
        """A text argument; TemplateError if it is none, or left out where there is no default."""
        value = self.given.get(key, default)
        if value is None:
            raise TemplateError(self.where, f"metric {self.name} wants {key!r}", f"add {key}: NAME to the metric")
        if not isinstance(value, str):
            raise TemplateError(self.where, f"metric {self.name}: {key} is {value!r}", "give it a name, as text")
        return value

    def optional(self, key: str) -> str | None:
        """A text argument, None if left out."""
        return self.word(key) if self.given.get(key) is not None else None


Factory: TypeAlias = Callable[[Arguments], Metric]
METRICS: Registry[Factory] = Registry("metric")


def build_metrics(specs: Iterable[Json], where: str, language: str) -> list[Metric]:
    """The metrics of a template's ``metrics:`` list.

    A spec is a name, or a mapping of one name to its arguments. A metric used twice is told apart by its path:
    ``accuracy:intent``. TemplateError (at ``where``) for an unknown metric or argument, or the same metric twice.
    """
    named = [_split(spec, where) for spec in specs]
    uses = Counter(name for name, _ in named)
    metrics = []
    for name, given in named:
        path = given.get("of", given.get("over", ""))
        label = f"{name}:{path}" if uses[name] > 1 and path else name
        metrics.append(METRICS.get(name, where, TemplateError)(Arguments(label, given, where, language)))
    for label, count in Counter(metric.name for metric in metrics).items():
        if count > 1:
            raise TemplateError(where, f"metric {label} stands there {count} times", "keep one of them")
    return metrics


def _split(spec: Json, where: str) -> tuple[str, Mapping[str, Json]]:
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Mapping) and len(spec) == 1:
        ((name, given),) = spec.items()
        if isinstance(name, str) and (given is None or isinstance(given, Mapping)):
            return name, given or {}
    todo = "write a name, or one name with its arguments: {accuracy: {of: KEY}}"
    raise TemplateError(where, f"a metric is {spec!r}", todo)


def segments(metric: Metric, pairs: Iterable[tuple[Sequence[Value], Parsed]]) -> Stats:
    """The statistics of many (references, parsed) pairs, shape (n, k); rows that are shorter than k end in zeros."""
    rows = [metric.segment(references, parsed) for references, parsed in pairs]
    stats = np.zeros((len(rows), max((len(row) for row in rows), default=0)))
    for index, row in enumerate(rows):
        stats[index, : len(row)] = row
    return stats


def score(metric: Metric, stats: Stats, n: int, signature: str) -> Score:
    """The value of ``n`` examples whose statistics are the rows of ``stats``, shape (n, k).

    The interval is the 2.5th to 97.5th percentile of 1000 resamples of the examples with replacement (Efron 1979),
    by a fixed seed: the same statistics give the same interval. Without examples all three numbers are 0.
    """
    if n == 0:
        return Score(metric.name, 0.0, 0.0, 0.0, 0, signature)
    values = np.array([metric.total(row) for row in resampled(stats)])
    low, high = np.percentile(values, [2.5, 97.5])
    return Score(metric.name, metric.total(stats.sum(axis=0)), float(low), float(high), n, signature)


def resampled(stats: Stats, resamples: int = RESAMPLES, seed: int = SEED) -> Stats:
    """Summed statistics of bootstrap resamples, shape (resamples, k): how often each row was drawn, times the rows."""
    rng = np.random.default_rng(seed)
    n, chunk = len(stats), max(1, _CHUNK // len(stats))
    sums = []
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = rng.integers(0, n, size=(rows, n)) + np.arange(rows)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        sums.append(counts.astype(np.float64) @ stats)
    return np.concatenate(sums)

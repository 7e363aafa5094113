"""What a metric is: statistics of one example that add up, and a total over their sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from t2t.errors import TemplateError
from t2t.linear.parsed import Parsed
from t2t.registry import Registry, did_you_mean
from t2t.structures import Json, Value

Stats: TypeAlias = npt.NDArray[np.float64]

RESAMPLES = 1000
SEED = 20170817
_TELLING = ("of", "over", "only", "n", "tokenize", "load", "key", "mentions")
_CHUNK = 4_000_000  # resampled indices held at once: 32 MB
_REPEATS = 10  # rows of a kind, on average, from which on kinds are drawn instead of rows


class Measure(Protocol):
    """What every measure of a task has.

    ``best`` is the value that gold fed back as prediction reaches, or cannot pass (see t2t.metrics.ceiling); ``detail``
    is what a library or an argument adds to the signature.
    """

    @property
    def name(self) -> str: ...

    @property
    def best(self) -> float: ...

    @property
    def detail(self) -> str: ...

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        """The statistics of one example, float64 of shape (k,), against one or more references."""


class Additive(Measure, Protocol):
    """A measure that is a function of summed statistics: nearly all of them."""

    def total(self, stats: Stats) -> float:
        """The value for the summed statistics of any number of examples."""


@runtime_checkable
class Columnar(Measure, Protocol):
    """A measure that wants the rows of all examples at once: ranks, distinct n-grams, a library's own computation."""

    @property
    def resamples(self) -> int:
        """How many resamples the interval takes; 0 for a value without one."""

    def bind(self, stats: Stats) -> Callable[[Stats], float]:
        """The value of rows of shape (n, k), as a function of how often each row counts, shape (n,)."""


Metric: TypeAlias = Additive | Columnar


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
class MetricArguments:
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

    def words(self, key: str) -> tuple[str, ...]:
        """A text argument or a list of them; nothing if left out."""
        value = self.given.get(key)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(item, str) for item in values):
            raise TemplateError(self.where, f"metric {self.name}: {key} is {value!r}", "give it names, as texts")
        return tuple(values)

    def number(self, key: str, default: float) -> float:
        """A number argument; TemplateError if it is none."""
        value = self.given.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TemplateError(self.where, f"metric {self.name}: {key} is {value!r}", "give it a number")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """An argument that is true or false; TemplateError if it is neither."""
        value = self.given.get(key, default)
        if not isinstance(value, bool):
            raise TemplateError(self.where, f"metric {self.name}: {key} is {value!r}", "write true or false")
        return value

    def one_of(self, key: str, known: Sequence[str]) -> str:
        """A word of ``known``, by default the first; TemplateError with a hint for another."""
        word = self.word(key, known[0])
        if word not in known:
            raise TemplateError(self.where, f"metric {self.name}: {key} is {word!r}", did_you_mean(word, known))
        return word

    def optional(self, key: str) -> str | None:
        """A text argument, None if left out."""
        return self.word(key) if self.given.get(key) is not None else None


Factory: TypeAlias = Callable[[MetricArguments], Metric]
METRICS: Registry[Factory] = Registry("metric", "t2t.metrics")


def build_metrics(specs: Iterable[Json], where: str, language: str) -> list[Metric]:
    """The metrics of a template's ``metrics:`` list.

    A spec is a name, or a mapping of one name to its arguments, or ``{evaluate: NAME}``. A metric used twice is told
    apart by its path and what it is restricted to: ``accuracy:intent``. TemplateError (at ``where``) for an unknown
    metric or argument, or the same metric twice.
    """
    named = [_split(spec, where) for spec in specs]
    uses = Counter(name for name, _ in named)
    metrics = []
    for name, given in named:
        parts = [name, *(str(given[key]) for key in _TELLING if given.get(key))] if uses[name] > 1 else [name]
        arguments = MetricArguments(":".join(parts), given, where, language)
        metrics.append(METRICS.get(name, where, TemplateError)(arguments))
    for label, count in Counter(metric.name for metric in metrics).items():
        if count > 1:
            raise TemplateError(where, f"metric {label} stands there {count} times", "keep one of them")
    return metrics


def _split(spec: Json, where: str) -> tuple[str, Mapping[str, Json]]:
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Mapping) and len(spec) == 1:
        ((name, given),) = spec.items()
        if name == "evaluate" and isinstance(given, str):
            given = {"load": given}
        if isinstance(name, str) and (given is None or isinstance(given, Mapping)):
            return name, given or {}
    todo = "write a name, or one name with its arguments: {accuracy: {of: KEY}}"
    raise TemplateError(where, f"a metric is {spec!r}", todo)


def segments(metric: Measure, pairs: Iterable[tuple[Sequence[Value], Parsed]]) -> Stats:
    """The statistics of many (references, parsed) pairs, shape (n, k)."""
    return stacked([metric.segment(references, parsed) for references, parsed in pairs])


def stacked(rows: Sequence[Stats]) -> Stats:
    """The statistics of single examples as one array, shape (n, k); rows that are shorter than k end in zeros."""
    if len({len(row) for row in rows}) == 1:
        return np.array(rows)
    stats = np.zeros((len(rows), max((len(row) for row in rows), default=0)))
    for index, row in enumerate(rows):
        stats[index, : len(row)] = row
    return stats


def value(metric: Metric, stats: Stats) -> float:
    """The value of examples, at least one, whose statistics are the rows of ``stats``, shape (n, k)."""
    if isinstance(metric, Columnar):
        return metric.bind(stats)(np.ones(len(stats)))
    return metric.total(stats.sum(axis=0))


def score(metric: Metric, stats: Stats, n: int, signature: str) -> Score:
    """The value of ``n`` examples whose statistics are the rows of ``stats``, shape (n, k).

    The interval is the 2.5th to 97.5th percentile of 1000 resamples of the examples with replacement (Efron 1979),
    by a fixed seed: the same statistics give the same interval. A columnar metric says how many resamples it takes;
    with none, low and high are the value. Without examples all three numbers are 0.
    """
    if n == 0:
        return Score(metric.name, 0.0, 0.0, 0.0, 0, signature)
    found = value(metric, stats)
    if isinstance(metric, Columnar):
        value_of = metric.bind(stats)
        values = [value_of(counts) for chunk in draws(n, metric.resamples) for counts in chunk]
    else:
        values = [metric.total(row) for row in resampled(stats)]
    low, high = np.percentile(values or [found], [2.5, 97.5])
    return Score(metric.name, found, float(low), float(high), n, signature)


def draws(n: int, resamples: int, seed: int = SEED) -> Iterator[Stats]:
    """How often each of ``n`` examples is drawn by each bootstrap resample, in chunks of shape (some, n)."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // n)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = rng.integers(0, n, size=(rows, n)) + np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def resampled(stats: Stats, resamples: int = RESAMPLES, seed: int = SEED) -> Stats:
    """Summed statistics of bootstrap resamples, shape (resamples, k): how often each row was drawn, times the rows.

    Where few rows differ, how often each kind is drawn comes from the multinomial distribution of the kinds, which is
    the same and takes no time.
    """
    kinds, counts, _ = _kinds(stats)
    if len(kinds) <= len(stats) // _REPEATS:
        drawn = np.random.default_rng(seed).multinomial(len(stats), counts / len(stats), size=resamples)
        return np.asarray(drawn @ kinds, dtype=np.float64)
    return np.concatenate([chunk @ stats for chunk in draws(len(stats), resamples, seed)])


def each_alone(metric: Additive, stats: Stats) -> Stats:
    """The value of every single row of ``stats``, shape (n,)."""
    kinds, _, place = _kinds(stats)
    return np.array([metric.total(row) for row in kinds])[place]


_Indices: TypeAlias = npt.NDArray[np.intp]


def _kinds(stats: Stats) -> tuple[Stats, _Indices, _Indices]:
    """The rows of ``stats`` that differ, how often each is there, and for each row which of them it is."""
    rows = np.ascontiguousarray(stats)
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, place, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return rows[first], counts, place

"""How many different things a model says: distinct-n."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from t2t.errors import TemplateError
from t2t.linear.parsed import Parsed
from t2t.metrics.metric import METRICS, RESAMPLES, Metric, MetricArguments, Stats
from t2t.metrics.tokens import character_tokens, without_spaces
from t2t.metrics.values import parsed_at, text_of
from t2t.structures import Value

_Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DistinctN:
    """Different n-grams of all outputs over all their n-grams (Li et al. 2016); 0 where no output is that long.

    Falls as outputs grow in number, so values compare for the same n only. A resample repeats outputs and would lose
    n-grams by that alone; so the interval counts those n-grams as they are drawn that are in one output only, and
    those that several share as always there: the variance of the jackknife, which is not too small (Efron and Stein
    1981). Statistics: the place of the output among those that this metric has seen.
    """

    name: str
    path: str
    n: int
    tokens: Callable[[str], list[str]]
    detail: str
    best: float = 1.0
    resamples: int = RESAMPLES
    ids: dict[tuple[str, ...], int] = field(default_factory=dict)
    seen: list[_Ids] = field(default_factory=list)

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        words = self.tokens(text_of(parsed_at(parsed, self.path)))
        ngrams = zip(*(words[start:] for start in range(self.n)), strict=False)
        self.seen.append(np.array([self.ids.setdefault(ngram, len(self.ids)) for ngram in ngrams], dtype=np.int64))
        return np.array([len(self.seen) - 1.0])

    def bind(self, stats: Stats) -> Callable[[Stats], float]:
        outputs = [np.unique(self.seen[int(place)]) for place in stats[:, 0]]
        totals = np.array([len(self.seen[int(place)]) for place in stats[:, 0]], dtype=np.float64)
        held_by = np.bincount(np.concatenate(outputs), minlength=1)
        own = np.array([np.count_nonzero(held_by[output] == 1) for output in outputs], dtype=np.float64)
        shared = float(np.count_nonzero(held_by > 1))

        def value_of(counts: Stats) -> float:
            total = float(counts @ totals)
            return (shared + float(counts @ own)) / total if total else 0.0

        return value_of


@METRICS.register("distinct_n")
def distinct_n(arguments: MetricArguments) -> Metric:
    """``distinct_n: {of: PATH, n: 2}``: the share of n-grams that differ; of characters in Chinese and Japanese.

    Elsewhere tokens are what white space separates.
    """
    arguments.only("of", "n")
    n = arguments.number("n", 2)
    if not isinstance(n, int) or not 1 <= n <= 9:
        raise TemplateError(arguments.where, f"metric {arguments.name}: n is {n!r}", "give it a whole number, 1 to 9")
    characters = without_spaces(arguments.language)
    detail = f"n:{n}|tok:{'char' if characters else 'space'}"
    tokens = character_tokens if characters else str.split
    return DistinctN(arguments.name, arguments.word("of", ""), n, tokens, detail)

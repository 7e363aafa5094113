"""SQuAD exact match and F1, with the normalisation of the official evaluate-v2.0.py, and by characters."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from t2t.linear.parsed import Parsed
from t2t.metrics.labels import Share
from t2t.metrics.metric import METRICS, Metric, MetricArguments, Stats
from t2t.metrics.tokens import character_tokens, without_spaces
from t2t.metrics.values import MISSING, parsed_at, text_of, texts
from t2t.structures import Value

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad_tokens(text: str) -> list[str]:
    """Lower-cased words without ASCII punctuation and without the articles a, an, the."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def token_f1(gold: list[str], found: list[str]) -> float:
    """F1 of two bags of tokens; 1 if both are empty (no answer, and none given), 0 if one is."""
    if not gold or not found:
        return float(gold == found)
    same = (Counter(gold) & Counter(found)).total()
    return 2 * same / (len(gold) + len(found))


def exact(gold: list[str], found: list[str]) -> float:
    """1 if the normalised answers are equal, else 0."""
    return float(gold == found)


@dataclass(frozen=True, slots=True)
class Squad(Share):
    """Mean over examples of the best comparison with a reference. An output that could not be read scores 0.

    As in the official script, references that normalise to nothing count only if all of them do.
    """

    tokens: Callable[[str], list[str]] = squad_tokens
    compare: Callable[[list[str], list[str]], float] = token_f1
    only: str = "all"

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        golds = [self.tokens(text) for text in texts(references, self.path, self.where)]
        answers = [gold for gold in golds if gold]
        if self.only == ("unanswerable" if answers else "answerable"):
            return np.array([0.0, 0.0])
        value = parsed_at(parsed, self.path)
        if value is MISSING:
            return np.array([0.0, 1.0])
        found = self.tokens(text_of(value))
        return np.array([max(self.compare(gold, found) for gold in answers or [[]]), 1.0])


def _squad(arguments: MetricArguments, compare: Callable[[list[str], list[str]], float]) -> Metric:
    arguments.only("of", "only")
    only = arguments.one_of("only", ("all", "answerable", "unanswerable"))
    tokens = character_tokens if without_spaces(arguments.language) else squad_tokens
    detail = "" if only == "all" else f"only:{only}"
    path = arguments.word("of", "")
    return Squad(arguments.name, path, arguments.where, detail=detail, tokens=tokens, compare=compare, only=only)


@METRICS.register("squad_f1")
def squad_f1(arguments: MetricArguments) -> Metric:
    """``squad_f1: {of: PATH, only: answerable}``: F1 over bags of words; of characters in Chinese and Japanese.

    ``only`` restricts it to the questions that have an answer, or to the ``unanswerable`` ones.
    """
    return _squad(arguments, token_f1)


@METRICS.register("squad_em")
def squad_em(arguments: MetricArguments) -> Metric:
    """``squad_em: {of: PATH, only: answerable}``: the normalised answer equals a normalised reference."""
    return _squad(arguments, exact)

"""Overlap with reference texts: ROUGE by rouge-score; BLEU, chrF and TER by sacrebleu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from t2t.errors import TemplateError
from t2t.linear.parsed import Parsed
from t2t.metrics.labels import Share
from t2t.metrics.metric import METRICS, Metric, MetricArguments, Stats
from t2t.metrics.tokens import CharacterTokenizer, is_chinese, is_english, is_japanese, without_spaces
from t2t.metrics.values import parsed_at, text_of, texts
from t2t.registry import did_you_mean
from t2t.structures import Value


@dataclass(frozen=True, slots=True)
class Rouge(Share):
    """Mean F-measure of rouge-score, the best reference of each example, without stemming; 0 to 1.

    English is cut as rouge-score cuts it, which knows ASCII letters alone and is what papers report; any other language
    by ``character_tokens``. A reference without a single letter or digit scores 0 whatever the prediction, as in
    rouge-score.
    """

    kind: str = "rougeL"
    scorer: Any = None

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        found = text_of(parsed_at(parsed, self.path))
        golds = texts(references, self.path, self.where)
        return np.array([max(self.scorer.score(gold, found)[self.kind].fmeasure for gold in golds), 1.0])


def _register_rouge(kind: str) -> None:
    @METRICS.register(kind)
    def rouge(arguments: MetricArguments) -> Metric:
        from rouge_score.rouge_scorer import RougeScorer

        arguments.only("of")
        english = is_english(arguments.language)
        scorer = RougeScorer([kind], use_stemmer=False, tokenizer=None if english else CharacterTokenizer())
        detail = "" if english else "tokenize:any script"
        path = arguments.word("of", "")
        return Rouge(arguments.name, path, arguments.where, detail=detail, kind=kind, scorer=scorer)


for _kind in ("rouge1", "rouge2", "rougeL", "rougeLsum"):
    _register_rouge(_kind)


@dataclass(frozen=True, slots=True)
class SacreBleu:
    """A corpus metric of sacrebleu, from its own segment statistics: their sum gives sacrebleu's corpus score exactly.

    0 to 100. An output that could not be read is the empty text.
    """

    name: str
    path: str
    where: str
    scorer: Any
    best: float
    reference_counts: set[int] = field(default_factory=set)

    @property
    def detail(self) -> str:
        """sacrebleu's own signature, with the number of references seen so far."""
        self.scorer.num_refs = min(self.reference_counts) if len(self.reference_counts) == 1 else -1
        return str(self.scorer.get_signature())

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        found = text_of(parsed_at(parsed, self.path))
        streams = [[gold] for gold in texts(references, self.path, self.where)]
        self.reference_counts.add(len(streams))
        (stats,) = self.scorer._extract_corpus_statistics([found], streams)
        return np.array(stats, dtype=np.float64)

    def total(self, stats: Stats) -> float:
        return float(self.scorer._compute_score_from_stats(stats.tolist()).score)


def _sacrebleu(arguments: MetricArguments, scorer: Any, best: float) -> Metric:
    return SacreBleu(arguments.name, arguments.word("of", ""), arguments.where, scorer, best)


@METRICS.register("bleu")
def bleu(arguments: MetricArguments) -> Metric:
    """``bleu: {of: PATH, tokenize: NAME}``: corpus BLEU.

    The tokenizer is 13a, zh where the language is Chinese, ja-mecab where it is Japanese.
    """
    from sacrebleu.metrics import BLEU

    arguments.only("of", "tokenize")
    own = "zh" if is_chinese(arguments.language) else "ja-mecab" if is_japanese(arguments.language) else "13a"
    tokenize = arguments.word("tokenize", own)
    if tokenize not in BLEU.TOKENIZERS:
        raise TemplateError(arguments.where, f"unknown tokenizer {tokenize!r}", did_you_mean(tokenize, BLEU.TOKENIZERS))
    try:
        scorer = BLEU(tokenize=tokenize)
    except (RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        todo = "pip install 'sacrebleu[ja]' (or [ko]), or use tokenize: char"
        raise TemplateError(arguments.where, f"tokenizer {tokenize!r} cannot be loaded ({reason})", todo) from None
    return _sacrebleu(arguments, scorer, 100.0)


@METRICS.register("chrf")
def chrf(arguments: MetricArguments) -> Metric:
    """``chrf: {of: PATH}``: corpus chrF2."""
    from sacrebleu.metrics import CHRF

    arguments.only("of")
    return _sacrebleu(arguments, CHRF(), 100.0)


@METRICS.register("ter")
def ter(arguments: MetricArguments) -> Metric:
    """``ter: {of: PATH}``: translation edit rate, 0 is best; characters are words in Chinese and Japanese."""
    from sacrebleu.metrics import TER

    arguments.only("of")
    characters = without_spaces(arguments.language)
    return _sacrebleu(arguments, TER(normalized=characters, asian_support=characters), 0.0)

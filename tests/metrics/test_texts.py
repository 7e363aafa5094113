"""SQuAD, ROUGE and sacrebleu metrics on small texts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from t2t.linear.parsed import Issue, Parsed
from t2t.metrics import build_metrics, segments
from t2t.metrics.squad import squad_tokens
from t2t.metrics.tokens import character_tokens, is_chinese
from t2t.structures import Span

ValueOf = Callable[..., float]
UNREAD = Parsed(None, (Issue("unknown_label", "", "?"),))


def test_squad_normalisation() -> None:
    assert squad_tokens("The  U.S.A.'s a-b, an Ant!") == ["usas", "ab", "ant"]
    assert squad_tokens("theatre") == ["theatre"]


def test_squad_takes_the_best_reference_and_knows_no_answer(value_of: ValueOf) -> None:
    f1, em = build_metrics(["squad_f1", "squad_em"], "x", "en")
    found = Parsed(Span("the quick fox"))
    assert f1.segment(["slow fox", "quick brown fox"], found).tolist() == [pytest.approx(0.8), 1]
    assert em.segment(["fox", "quick fox!"], found).tolist() == [1, 1]
    assert value_of("squad_f1", [(None, ""), ("", None), (None, "x"), ("x", None)]) == 0.5
    assert f1.segment(["", "fox"], Parsed("")).tolist() == [0, 1]


def test_chinese_answers_are_compared_by_character(value_of: ValueOf) -> None:
    assert character_tokens("《红楼梦》，Tom 3.5岁！，。") == ["红", "楼", "梦", "tom", "3.5", "岁"]
    assert value_of("squad_f1", [("红楼梦", "红楼")], "zh") == pytest.approx(0.8)
    assert value_of("squad_f1", [("红楼梦", "红楼")], "en") == 0.0
    assert value_of("squad_em", [("《红楼梦》。", "红楼梦")], "zh") == 1.0


@pytest.mark.parametrize(("language", "expected"), [("zh", 1), ("en,zh", 1), ("zh_Hant", 1), ("en", 0), ("zha", 0)])
def test_is_chinese(language: str, expected: int) -> None:
    assert is_chinese(language) == expected


def test_rouge(value_of: ValueOf) -> None:
    assert value_of("rouge1", [("a b c d", "a b x")]) == pytest.approx(2 * 2 / 7)
    assert value_of("rouge2", [("a b c d", "a b x")]) == pytest.approx(2 * 1 / 5)
    assert value_of("rougeL", [("北京大学在北京", "北京在大学")], "zh") == pytest.approx(2 * 4 / 12)
    assert value_of("rougeL", [("a b", UNREAD)]) == 0.0
    (metric,) = build_metrics(["rougeL"], "x", "en")
    assert metric.segment(["x", "a b"], Parsed("a b")).tolist() == [1, 1]


HYPOTHESES = ["The cat sat on the mat today.", "A dog barks loudly at night!", "", "Nothing in common here at all"]
REFERENCES = [
    ["The cat sat on a mat.", "The cat was sitting on the mat today."],
    ["A dog barked loudly at night.", "Dogs bark at night!"],
    ["Some text is missing here.", "There is no text."],
    ["Rain falls on the old town.", "It rains."],
]


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter"])
@pytest.mark.parametrize("many", [False, True])
def test_summed_statistics_give_the_corpus_score(name: str, many: bool) -> None:
    import sacrebleu

    references = [row[: 2 if many else 1] for row in REFERENCES]
    (metric,) = build_metrics([name], "x", "en")
    pairs = [(row, Parsed(text) if text else UNREAD) for row, text in zip(references, HYPOTHESES, strict=True)]
    stats = segments(metric, pairs)
    streams = [list(stream) for stream in zip(*references, strict=True)]
    expected = getattr(sacrebleu, f"corpus_{name}")(HYPOTHESES, streams)
    assert metric.total(stats.sum(axis=0)) == pytest.approx(expected.score, abs=1e-9)
    assert metric.detail.startswith(f"nrefs:{2 if many else 1}|")


def test_chinese_bleu_and_ter_cut_characters(value_of: ValueOf) -> None:
    import sacrebleu

    gold, found = "北京是中国的首都。", "北京是中国首都。"
    (metric,) = build_metrics(["bleu"], "x", "zh")
    stats = metric.segment([gold], Parsed(found))
    assert metric.total(stats) == pytest.approx(sacrebleu.corpus_bleu([found], [[gold]], tokenize="zh").score)
    assert "tok:zh" in metric.detail
    assert value_of("ter", [(gold, found)], "zh") == pytest.approx(100 / 9)


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter", "rouge1", "rouge2", "rougeL", "rougeLsum", "squad_f1"])
def test_gold_fed_back_reaches_the_best(name: str) -> None:
    text = "The storm closed the old port for two days."
    (metric,) = build_metrics([name], "x", "en")
    assert metric.total(metric.segment([text], Parsed(text))) == pytest.approx(metric.best)

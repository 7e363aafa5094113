"""Classes, ranks, diversity, confidence, code, and the ceiling of each."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2t.errors import DataError, TemplateError
from t2t.linear.parsed import Issue, Parsed
from t2t.metrics import build_metrics, score, segments, value
from t2t.metrics.ceiling import SCORED, Ceiling, missed
from t2t.structures import Json, Span, Value

ValueOf = Callable[..., float]
UNREAD = Parsed(None, (Issue("unknown_label", "", "?"),))
PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=30)


def columnar(spec: Json, pairs: list[tuple[Value, Value | Parsed]], language: str = "en") -> float:
    (metric,) = build_metrics([spec], "t.yaml:1", language)
    rows = [([gold], found if isinstance(found, Parsed) else Parsed(found)) for gold, found in pairs]
    return value(metric, segments(metric, rows))


def test_matthews_of_two_classes_is_the_formula_of_the_textbook(value_of: ValueOf) -> None:
    pairs = [(1, 1)] * 6 + [(1, 0)] * 2 + [(0, 1)] * 1 + [(0, 0)] * 3
    expected = (6 * 3 - 1 * 2) / math.sqrt((6 + 1) * (6 + 2) * (3 + 1) * (3 + 2))
    assert value_of("mcc", pairs) == pytest.approx(expected)
    assert value_of("mcc", [(1, 1), (0, 0), (2, 2)]) == pytest.approx(1.0)
    assert value_of("mcc", [(1, 1), (1, 1)]) == 0.0


@settings(deadline=None)
@given(PAIRS)
def test_matthews_of_many_classes_is_a_correlation_of_indicators(
    value_of: ValueOf, pairs: list[tuple[str, str]]
) -> None:
    gold, found = (
        np.array([[side == label for label in "abc"] for side in sides], float) for sides in zip(*pairs, strict=True)
    )
    gold, found = gold - gold.mean(axis=0), found - found.mean(axis=0)
    spread = math.sqrt((gold * gold).sum() * (found * found).sum())
    assert value_of("mcc", pairs) == pytest.approx((gold * found).sum() / spread if spread > 1e-9 else 0.0, abs=1e-9)


def test_an_unread_output_is_a_class_of_its_own_for_matthews(value_of: ValueOf) -> None:
    pairs = [("a", "a"), ("b", "b"), ("a", UNREAD), ("b", "b")]
    assert value_of("mcc", pairs) == pytest.approx(value_of("mcc", [*pairs[:2], ("a", "other"), pairs[3]]))


@settings(deadline=None)
@given(PAIRS)
def test_micro_f1_of_one_label_an_example_is_accuracy(value_of: ValueOf, pairs: list[tuple[str, str]]) -> None:
    assert value_of("micro_f1", pairs) == pytest.approx(value_of("accuracy", pairs))


def test_label_sets_and_classes_that_do_not_count(value_of: ValueOf) -> None:
    pairs = [(["joy", "fear"], ["fear"]), (["joy"], ["joy", "rage"]), ([], [])]
    assert value_of("micro_f1", pairs) == pytest.approx(2 * 2 / (3 + 3))
    assert value_of("macro_f1", pairs) == pytest.approx((2 / 3 + 1 + 0) / 3)
    ignoring: Json = {"micro_f1": {"ignore": "none"}}
    pairs = [("none", "none"), ("cause", "none"), ("cause", "cause"), ("none", "cause")]
    assert value_of(ignoring, pairs) == pytest.approx(2 * 1 / (2 + 2))
    (metric,) = build_metrics([ignoring], "x", "en")
    assert metric.detail == "ignore:none"


def ranks(values: list[float]) -> list[float]:
    return [sum(other < one for other in values) + (sum(other == one for other in values) + 1) / 2 for one in values]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=20))
def test_spearman_is_pearson_of_mean_ranks(value_of: ValueOf, pairs: list[tuple[int, int]]) -> None:
    gold, found = ([float(x) for x in side] for side in zip(*pairs, strict=True))
    expected = value_of("pearson", zip(ranks(gold), ranks(found), strict=True))
    assert columnar("spearman", list(zip(gold, found, strict=True))) == pytest.approx(expected)


def test_a_resample_of_spearman_ranks_what_it_drew() -> None:
    rng = np.random.default_rng(1)
    gold, found = rng.integers(0, 6, 40), rng.integers(0, 6, 40)
    (metric,) = build_metrics(["spearman"], "x", "en")
    stats = segments(metric, [([int(g)], Parsed(int(f))) for g, f in zip(gold, found, strict=True)])
    drawn = rng.integers(0, 40, 40)
    by_counts = metric.bind(stats)(np.bincount(drawn, minlength=40).astype(float))
    assert by_counts == pytest.approx(value(metric, stats[drawn]))
    assert value(metric, stats[drawn]) != pytest.approx(value(metric, stats))


def test_unread_numbers_lower_correlations_by_their_share() -> None:
    pairs: list[tuple[Value, Value | Parsed]] = [(1, 1), (2, 3), (3, UNREAD), (4, UNREAD)]
    assert columnar("spearman", pairs) == pytest.approx(0.5)
    assert columnar("pearson", [(1, 3.8), (2, 3.8), (3, 3.8)]) == 0.0


def test_distinct_n_grams_of_all_outputs() -> None:
    pairs: list[tuple[Value, Value | Parsed]] = [("x", "a b a b"), ("x", "a b c"), ("x", UNREAD)]
    assert columnar({"distinct_n": {"n": 1}}, pairs) == pytest.approx(3 / 7)
    assert columnar("distinct_n", pairs) == pytest.approx(3 / 5)
    assert columnar({"distinct_n": {"n": 1}}, [("x", "北京北京")], "zh") == pytest.approx(2 / 4)
    assert columnar({"distinct_n": {"n": 3}}, [("x", "a b")]) == 0.0


def test_the_interval_of_distinct_n_holds_its_value() -> None:
    (metric,) = build_metrics(["distinct_n"], "x", "en")
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(list("abcdefghij"), 6)) + f" w{i}" * (i % 3) for i in range(200)]
    stats = segments(metric, [([""], Parsed(text)) for text in texts])
    found = score(metric, stats, 200, "s")
    assert found.low < found.value < found.high
    assert found.high - found.low < 0.1


def test_perplexity_comes_from_the_scores_of_the_lines() -> None:
    (metric,) = build_metrics(["perplexity"], "t.yaml:7", "en")
    stats = segments(metric, [([""], Parsed("x", score=-1.0)), ([""], Parsed("y", score=-3.0))])
    assert value(metric, stats) == pytest.approx(math.exp(2.0))
    with pytest.raises(DataError, match=r"^t\.yaml:7: metric perplexity: a prediction has no score"):
        metric.segment([""], Parsed("x"))


CODE = [
    ("def f():\n    return 1\n", True), ("x = (1", False), ("print 'x'", False), ("", True), ("a\x00b", False),
    ("(" * 50_000, False), ("-" * 50_000 + "1", False), ("x = '\ud800'", False), ("1 +" * 60_000 + "1", False),
]  # fmt: skip


def test_python_syntax_is_told_in_bounded_time_whatever_comes(value_of: ValueOf) -> None:
    (metric,) = build_metrics(["python_syntax"], "x", "en")
    for code, expected in [*CODE, CODE[0]]:  # after all of them the parser still works
        assert metric.segment([""], Parsed(code)).tolist() == [expected, 1], code[:20]
    assert value_of("python_syntax", [("", UNREAD)]) == 0.0
    body = "    return x + 1\n"
    assert value_of("python_syntax", [("", body)]) == 0.0
    assert value_of({"python_syntax": {"body": True}}, [("", body)]) == 1.0


def test_events_by_offset_and_arguments_without_their_trigger(value_of: ValueOf) -> None:
    def event(trigger: Span, role: Span) -> list[dict[str, Value]]:
        return [{"type": "die", "trigger": trigger, "args": [{"role": "who", "text": role}]}]

    gold, moved = event(Span("died", 4, 8), Span("Ada", 0, 3)), event(Span("died", 20, 24), Span("Ada", 0, 3))
    other = event(Span("gone", 30, 34), Span("Ada", 0, 3))
    assert value_of("event_trigger_f1", [(gold, moved)]) == 1.0
    assert value_of("event_trigger_f1_offset", [(gold, moved)]) == 0.0
    assert value_of("event_argument_f1_offset", [(gold, moved)]) == 1.0
    assert value_of("event_argument_f1", [(gold, other)]) == 1.0
    assert value_of("event_f1", [(gold, other)]) == 0.0


def test_the_signature_says_which_relation_score_it_is() -> None:
    strict: Json = {"relation_f1": {"head_type": "ht", "tail_type": "tt"}}
    assert [build_metrics([spec], "x", "en")[0].detail for spec in (strict, "relation_f1_offset")] == [
        "strict",
        "boundary",
    ]


@pytest.mark.parametrize(
    ("spec", "golds"),
    [
        ("mcc", ["a", "b", "a"]), ("micro_f1", ["a", "b"]), ("spearman", [1, 2.5, 2.5]), ("pearson", [1, 2, 4]),
        ("perplexity", ["a", "b"]), ("python_syntax", ["x = 1"]), ({"distinct_n": {"n": 1}}, ["a b", "c d"]),
        ("squad_em", ["", "the Rome"]), ({"squad_f1": {"only": "unanswerable"}}, ["", ""]),
        ({"mae": {"worst": 5}}, [1]),
    ],
)  # fmt: skip
def test_gold_fed_back_reaches_the_best(spec: Json, golds: list[Value]) -> None:
    metrics = build_metrics([spec], "x", "en")
    ceiling = Ceiling(metrics)
    for gold in golds:
        ceiling.add([gold], Parsed(gold))
    assert missed(metrics, ceiling.values()) == []


def test_a_ceiling_below_the_best_is_told() -> None:
    metrics = build_metrics(["bleu", {"distinct_n": {"n": 1}}, "accuracy"], "x", "en")
    ceiling = Ceiling(metrics)
    for _ in range(SCORED + 5):
        ceiling.add(["word"], Parsed("word"))
    assert not ceiling.full
    assert missed(metrics, ceiling.values()) == [
        ("bleu", 0.0, 100.0), ("distinct_n", pytest.approx(1 / (SCORED + 5)), 1.0),
    ]  # fmt: skip
    assert Ceiling(metrics).values() == {"bleu": 100.0, "distinct_n": 1.0, "accuracy": 1.0}


def test_japanese_is_cut_by_mecab() -> None:
    pytest.importorskip("MeCab", reason="mecab-python3 is not installed (pip install 'sacrebleu[ja]')")
    text = "東京に行きたいです。"
    (metric,) = build_metrics(["bleu"], "x.yaml:2", "ja")
    assert metric.total(metric.segment([text], Parsed(text))) == pytest.approx(100)
    assert "tok:ja-mecab" in metric.detail


def test_a_tokenizer_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "MeCab", None)
    monkeypatch.delitem(sys.modules, "sacrebleu.tokenizers.tokenizer_ja_mecab", raising=False)
    with pytest.raises(TemplateError, match=r"^x\.yaml:2: tokenizer 'ja-mecab' cannot be loaded .*sacrebleu\[ja\]"):
        build_metrics(["bleu"], "x.yaml:2", "ja")


def test_rouge_compares_characters_in_japanese() -> None:
    assert columnar("rougeL", [("東京に行く", "東京へ行く")], "ja") == pytest.approx(0.8)

"""Registry, arguments, bootstrap."""

from __future__ import annotations

import time

import numpy as np
import pytest

from t2t.errors import TemplateError
from t2t.linear.parsed import Parsed
from t2t.metrics import METRICS, build_metrics, score, segments
from t2t.metrics.metric import resampled


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("acuracy", "unknown metric 'acuracy'; did you mean 'accuracy'?"),
        ({"span_f1": {"over": "m", "spam": "text"}}, "no argument 'spam'; did you mean 'span'?"),
        ({"accuracy": {"of": 3}}, "of is 3"),
        ({"accuracy": {}, "bleu": {}}, "write a name, or one name"),
        ({"bleu": {"tokenize": "intll"}}, "unknown tokenizer 'intll'; did you mean 'intl'?"),
        ("mae", "add worst: NUMBER"),
        (None, "a metric is None"),
    ],
)
def test_mistakes_are_told_in_one_sentence(spec: object, hint: str) -> None:
    with pytest.raises(TemplateError) as caught:
        build_metrics([spec], "x.yaml:7", "en")
    assert str(caught.value).startswith("x.yaml:7: ")
    assert hint in str(caught.value)


def test_a_metric_used_twice_is_told_apart_by_its_path() -> None:
    specs = [{"accuracy": {"of": "intent"}}, {"accuracy": {"of": "topic"}}, "exact_match"]
    assert [m.name for m in build_metrics(specs, "x", "en")] == ["accuracy:intent", "accuracy:topic", "exact_match"]
    with pytest.raises(TemplateError, match="2 times"):
        build_metrics(["accuracy", "accuracy"], "x", "en")


def test_a_path_that_the_gold_does_not_have_is_refused() -> None:
    (metric,) = build_metrics([{"accuracy": {"of": "intnt"}}], "x.yaml:3", "en")
    with pytest.raises(TemplateError, match=r"x\.yaml:3: the metric reads 'intnt', but .* has intent, slots"):
        metric.segment([{"intent": "a", "slots": []}], Parsed({"intent": "a"}))


def test_bootstrap_counts_are_multinomial() -> None:
    rows = np.eye(5)
    sums = resampled(rows, resamples=20_000)
    assert sums.shape == (20_000, 5)
    assert np.array_equal(sums.sum(axis=1), np.full(20_000, 5.0))
    assert np.allclose(sums.mean(axis=0), 1.0, atol=0.02)
    assert np.allclose(sums.var(axis=0), 0.8, atol=0.03)


def test_interval_of_a_proportion_matches_the_normal_approximation() -> None:
    (metric,) = build_metrics(["accuracy"], "x", "en")
    stats = np.ones((2000, 2))
    stats[:600, 0] = 0
    result = score(metric, stats, 2000, "s")
    half = 1.96 * (0.7 * 0.3 / 2000) ** 0.5
    assert result.value == pytest.approx(0.7)
    assert (result.low, result.high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.003)
    assert result == score(metric, stats, 2000, "s")


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(30.0).reshape(10, 3)
    whole = resampled(rows)
    monkeypatch.setattr("t2t.metrics.metric._CHUNK", 70)
    assert np.array_equal(resampled(rows), whole)


def test_a_hundred_thousand_examples_take_seconds() -> None:
    start = time.perf_counter()
    resampled(np.ones((100_000, 3)), resamples=200)
    assert time.perf_counter() - start < 5


def test_few_kinds_of_rows_are_drawn_as_the_rows_are() -> None:
    stats = np.array([[1.0, 1.0]] * 700 + [[0.0, 1.0]] * 300)
    apart = stats + np.stack([np.zeros(1000), np.arange(1000) * 1e-9], axis=1)  # no two rows alike
    kinds, rows = resampled(stats, 4000)[:, 0], resampled(apart, 4000)[:, 0]
    assert (kinds.mean(), rows.mean()) == pytest.approx((700, 700), abs=2)
    assert (kinds.var(), rows.var()) == pytest.approx((210, 210), rel=0.1)
    assert (resampled(stats)[:, 1] == 1000).all()


def test_no_examples_score_nothing() -> None:
    (metric,) = build_metrics(["accuracy"], "x", "en")
    assert score(metric, segments(metric, []), 0, "s").value == 0.0


def test_names() -> None:
    assert METRICS.names() == [
        "accuracy", "bleu", "chrf", "distinct_n", "evaluate", "event_argument_f1", "event_argument_f1_offset",
        "event_f1", "event_trigger_f1", "event_trigger_f1_offset", "exact_match", "item_f1", "joint_accuracy",
        "macro_f1", "mae", "mcc", "micro_f1", "pearson", "perplexity", "python_syntax", "relation_f1",
        "relation_f1_offset", "rouge1",
        "rouge2", "rougeL", "rougeLsum", "span_f1", "span_f1_string", "spearman", "squad_em", "squad_f1", "ter",
        "ungrounded", "unparseable",
    ]  # fmt: skip

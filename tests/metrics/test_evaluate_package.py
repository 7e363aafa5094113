"""Metrics of the ``evaluate`` package by local path, and ours in its form."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from t2t.errors import TemplateError
from t2t.linear.parsed import Issue, Parsed
from t2t.metrics import as_evaluate, build_metrics, score, segments, value
from t2t.trust import VARIABLE

SCRIPT = """\
import datasets
import evaluate


class Hits(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("TYPE"), "references": datasets.Value("TYPE")})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references, scale=1.0):
        hits = sum(found == gold for found, gold in zip(predictions, references))
        return {"hits": scale * hits / len(predictions), "lowest": min(map(len, map(str, predictions)))}
"""
UNREAD = Parsed(None, (Issue("unknown_label", "", "?"),))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setenv(VARIABLE, "1")
    for name, dtype in (("labels", "int32"), ("texts", "string")):
        (tmp_path / f"{name}.py").write_text(SCRIPT.replace("TYPE", dtype).replace("Hits", name.title()))
    return tmp_path


def test_a_metric_by_its_path_is_one_of_ours(folder: Path) -> None:
    (metric,) = build_metrics([{"evaluate": {"load": "labels.py", "key": "hits"}}], f"{folder}/t.yaml:9", "en")
    assert metric.name == "evaluate:labels:hits"
    pairs = [(["red"], Parsed("red")), (["blue"], Parsed("red")), (["red"], UNREAD), (["blue"], Parsed("blue"))]
    stats = segments(metric, pairs)
    assert value(metric, stats) == 0.5
    found = score(metric, stats, 4, metric.detail)
    assert found.low <= 0.5 <= found.high
    assert found.low < found.high
    assert found.signature.startswith("evaluate:")
    assert "labels.py" in found.signature


def test_the_code_of_a_metric_is_run_only_if_it_is_trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    (folder / "trap.py").write_text("raise SystemExit('run')")
    with pytest.raises(TemplateError, match=r"t\.yaml:9: evaluate: 'trap.py' runs code of its author"):
        build_metrics([{"evaluate": "trap.py"}], f"{folder}/t.yaml:9", "en")


def test_options_reach_compute_and_texts_stay_texts(folder: Path) -> None:
    spec = {"evaluate": {"load": "texts.py", "key": "hits", "options": {"scale": 100.0}, "resamples": 0, "of": "a"}}
    (metric,) = build_metrics([spec], f"{folder}/t.yaml:9", "en")
    stats = segments(metric, [([{"a": "x"}], Parsed({"a": "x"})), ([{"a": "y"}], UNREAD)])
    assert score(metric, stats, 2, "").value == 50.0
    assert score(metric, stats, 2, "").low == score(metric, stats, 2, "").high == 50.0


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"evaluate": "missing_metric.py"}, "evaluate cannot load 'missing_metric.py'"),
        ({"evaluate": {"key": "hits"}}, "wants 'load'"),
        ({"evaluate": {"load": "texts.py", "options": 3}}, "options is 3"),
        ({"accuracy": "intent"}, "write a name, or one name"),
    ],
)
def test_mistakes_are_told_with_their_line(
    folder: Path, spec: object, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(TemplateError) as caught:
        build_metrics([spec], f"{folder}/t.yaml:9", "en")
    assert words in str(caught.value)
    assert "t.yaml:9: " in str(caught.value)


def test_a_result_of_several_numbers_wants_a_key(folder: Path) -> None:
    (metric,) = build_metrics([{"evaluate": "texts.py"}], f"{folder}/t.yaml:9", "en")
    with pytest.raises(TemplateError, match="gives no number 'texts'; add key: NAME; use one of: hits, lowest"):
        value(metric, segments(metric, [(["a"], Parsed("a"))]))


def test_ours_are_metrics_for_users_of_evaluate() -> None:
    import evaluate

    bleu = as_evaluate("bleu")
    assert isinstance(bleu, evaluate.Metric)
    text = "the cat sat on the mat"
    assert bleu.compute(predictions=[text], references=[[text, "a cat"]])["bleu"] == pytest.approx(100)
    both = evaluate.combine([as_evaluate("rouge1"), as_evaluate("chrf")])
    assert both.compute(predictions=["a b"], references=["a c"])["rouge1"] == pytest.approx(0.5)


def test_ours_read_structures_as_json() -> None:
    spans = as_evaluate({"span_f1": {"over": "mentions", "type": "type"}}, structured=True)
    gold = json.dumps([{"text": {"text": "a", "start": 0, "end": 1, "found": "exact"}, "type": "x"}])
    found = spans.compute(predictions=[gold, "[]"], references=[gold, gold])
    assert found["span_f1"] == pytest.approx(2 / 3)
    assert found["span_f1_low"] <= found["span_f1"] <= found["span_f1_high"]


def test_metrics_load_without_evaluate() -> None:
    code = "import sys, t2t.metrics; print({'evaluate', 'datasets', 'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

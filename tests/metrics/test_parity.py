"""The published and recomputed scores of real system outputs, reached to 1e-4."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest

from t2t.linear.parsed import Parsed
from t2t.metrics import build_metrics, segments
from t2t.structures import Json, Span, Value
from t2t.tasks.data_files import data_dir

ValueOf = Callable[..., float]

SPAN: Json = {"span_f1": {"over": "chunks", "span": "text", "type": "type"}}


def data(name: str) -> Path:
    path = data_dir() / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set T2T_DATA to the folder of the data sets")
    return path


@cache
def wmt17(path: Path) -> dict[str, Json]:
    systems: dict[str, Json] = json.loads(gzip.decompress(path.read_bytes()))
    return systems


# System, BLEU, BLEU without a tokenizer, chrF2.
SYSTEMS = [
    ("LIUM-NMT.4900", 26.5958, 21.6098, 55.9284),
    ("C-3MA.4959", 22.6746, 17.7248, 51.9533),
    ("FBK.4870", 26.3316, 21.1400, 54.7152),
    ("KIT.4950", 26.0760, 21.1475, 55.7629),
    ("LMU-nmt-reranked.4934", 27.1070, 21.9588, 56.3908),
    ("LMU-nmt-single.4893", 26.5592, 21.4917, 55.9216),
    ("online-A.0", 20.7965, 16.0153, 52.0023),
    ("online-B.0", 26.6510, 21.5911, 56.2633),
    ("online-F.0", 15.4517, 11.7094, 49.2588),
    ("online-G.0", 18.1588, 13.2694, 51.5871),
    ("PROMT-Rule-based.4735", 16.6086, 13.1355, 50.3573),
    ("RWTH-nmt-ensemble.4921", 26.0245, 21.1146, 55.6116),
    ("SYSTRAN.4847", 26.7113, 21.4933, 55.5758),
    ("TALP-UPC.4834", 21.2401, 16.3662, 51.6860),
]
WMT17 = [
    *((system, "bleu", bleu) for system, bleu, _, _ in SYSTEMS),
    *((system, {"bleu": {"tokenize": "none"}}, plain) for system, _, plain, _ in SYSTEMS),
    *((system, "chrf", chrf) for system, _, _, chrf in SYSTEMS),
    ("LIUM-NMT.4900", "ter", 63.2521),
    ("KIT.4950", "ter", 64.0982),
]


@pytest.mark.parametrize(("system", "spec", "expected"), WMT17)
def test_wmt17(value_of: ValueOf, system: str, spec: Json, expected: float) -> None:
    systems = wmt17(data("metric_gold/sacrebleu/wmt17_en_de_systems.json.gz"))
    pairs = zip(systems["reference"][0], systems[f"newstest2017.{system}.en-de"], strict=True)
    assert value_of(spec, pairs) == pytest.approx(expected, abs=1e-4)


def chunks(tags: list[str]) -> Value:
    """The chunks of BIO tags by the definition of conlleval: an I- that follows another type, or O, opens one."""
    found: list[list[Json]] = []
    previous = "O"
    for index, tag in enumerate([*tags, "O"]):
        kind = tag[2:]
        if previous != "O" and (tag == "O" or tag[0] == "B" or kind != previous[2:]):
            found[-1][1] = index
        if tag != "O" and (tag[0] == "B" or kind != previous[2:]):
            found.append([index, None, kind])
        previous = tag
    return [{"text": Span("", start, end), "type": kind} for start, end, kind in found]


def sentences(path: Path) -> Iterator[list[list[str]]]:
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return (list(rows) for full, rows in groupby(lines, key=bool) if full)


def test_conlleval() -> None:
    pairs = [
        (chunks([row[-2] for row in rows]), chunks([row[-1] for row in rows]))
        for rows in sentences(data("metric_gold/conlleval/output.txt"))
    ]
    (metric,) = build_metrics([SPAN], "x", "en")
    stats = segments(metric, [([gold], Parsed(found)) for gold, found in pairs]).sum(axis=0)
    assert stats.tolist() == [371, 539, 459]
    right, found, gold = stats
    assert (100 * right / found, 100 * right / gold) == pytest.approx((68.8312, 80.8279), abs=1e-4)
    assert 100 * metric.total(stats) == pytest.approx(74.3487, abs=1e-4)


WNUT17 = {"arcada": 39.9786, "drexel_cci": 26.3014, "flytxt": 38.3546, "mic-cis.txt": 37.0558,
          "spinningbytes.txt": 40.7777}  # fmt: skip


@pytest.mark.parametrize(("submission", "expected"), WNUT17.items())
def test_wnut17_submissions(value_of: ValueOf, submission: str, expected: float) -> None:
    golds = sentences(data("wnut17/emerging.test.annotated"))
    found = sentences(data(f"wnut17/submissions/{submission}"))
    pairs = [
        (chunks([row[-1] for row in gold]), chunks([row[-1] for row in rows]))
        for gold, rows in zip(golds, found, strict=True)
    ]
    assert 100 * value_of(SPAN, pairs) == pytest.approx(expected, abs=1e-4)


SQUAD = [
    ("dev-v1.1", "1.1", "BERT_ensemble", 86.2062, 92.1956),
    ("dev-v1.1", "1.1", "Logistic_Regression", 40.1419, 50.9815),
    ("dev-v1.1", "1.1", "Match-LSTM", 67.6348, 76.7556),
    ("dev-v2.0", "v2.0", "BERT", 78.7417, 81.7753),
    ("dev-v2.0", "v2.0", "BiDAF", 65.7037, 67.8765),
]


@pytest.mark.parametrize(("dev", "folder", "system", "em", "f1"), SQUAD)
def test_squad(dev: str, folder: str, system: str, em: float, f1: float) -> None:
    pairs = squad_pairs(dev, folder, system)
    for name, expected in (("squad_em", em), ("squad_f1", f1)):
        (metric,) = build_metrics([name], "x", "en")
        assert 100 * metric.total(segments(metric, pairs).sum(axis=0)) == pytest.approx(expected, abs=1e-4)


# System, exact match and F1 of the questions with an answer, both of those without.
ANSWERS = [("BERT", 74.1059, 80.1818, 83.3642), ("BiDAF", 61.4204, 65.7722, 69.9748)]


@pytest.mark.parametrize(("system", "em", "f1", "none"), ANSWERS)
def test_squad_by_whether_there_is_an_answer(system: str, em: float, f1: float, none: float) -> None:
    pairs = squad_pairs("dev-v2.0", "v2.0", system)
    expected = {"answerable": (em, f1), "unanswerable": (none, none)}
    for only, values in expected.items():
        for name, value in zip(("squad_em", "squad_f1"), values, strict=True):
            (metric,) = build_metrics([{name: {"only": only}}], "x", "en")
            assert 100 * metric.total(segments(metric, pairs).sum(axis=0)) == pytest.approx(value, abs=1e-4)


@cache
def squad_pairs(dev: str, folder: str, system: str) -> list[tuple[list[str], Parsed]]:
    gold = json.loads(data(f"squad_dev/{dev}.from_html.json").read_text(encoding="utf-8"))
    key = re.sub(r"\W", "", system).lower()
    (path,) = [p for p in data(f"squad_dev/predictions/{folder}").iterdir() if key in re.sub(r"\W", "", p.name).lower()
               and "ensemble" in p.name.lower() + " ensemble" * ("ensemble" not in key)]  # fmt: skip
    found = json.loads(path.read_text(encoding="utf-8"))
    questions = [q for article in gold["data"] for paragraph in article["paragraphs"] for q in paragraph["qas"]]
    return [([answer["text"] for answer in q["answers"]] or [""], Parsed(found.get(q["id"], ""))) for q in questions]


@pytest.mark.parametrize(("kind", "expected"), [("rouge1", 38.5525), ("rouge2", 22.1449), ("rougeLsum", 38.3231)])
def test_t5_rouge_fixture(value_of: ValueOf, kind: str, expected: float) -> None:
    folder = data("metric_gold/t5_eval")
    gold, found = (
        (folder / f"{side}_large.txt").read_text(encoding="utf-8").splitlines() for side in ("target", "prediction")
    )
    assert 100 * value_of(kind, zip(gold, found, strict=True)) == pytest.approx(expected, abs=1e-4)

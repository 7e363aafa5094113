"""The report of a realistic run directory: everything shown, nothing loaded, nothing unescaped."""

from __future__ import annotations

import json
import math
import random
import re
import struct
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from t2t.continual.matrix import Matrix
from t2t.errors import RunDirectoryError
from t2t.report import write_report
from t2t.report.charts import Chart, compact, draw, interval, log_ticks, smoothed, ticks
from t2t.report.compare import compare
from t2t.report.files import count_parameters, read_run
from t2t.report.sections import duration
from t2t.structures import Json

HOSTILE = "</script><b>bold</b><script>alert(1)</script>\"'&"
TASKS = {
    "atlas/topic_en": [("accuracy", 0.974, 1.0), ("macro_f1", 0.968, 1.0)],
    "atlas/ner_zh": [("span_f1", 0.912, 1.0), ("span_f1_string", 0.931, 1.0)],
    "atlas/events_en": [("event_trigger_f1", 0.88, 1.0), ("event_f1", 0.803, 1.0)],
    "atlas/state_en": [("joint_accuracy", 0.641, 1.0)],
    "atlas/translate_zh_en": [("bleu", 31.24, 100.0), ("chrf", 55.83, 100.0)],
}
WORST: dict[str, list[tuple[str, str, str, list[tuple[str, str, str]]]]] = {
    "atlas/ner_zh": [
        ("找出人名和地名：李明昨天从北京飞往乌鲁木齐，见到了王芳。",
         "李明 = 人名 ; 北京 = 地名 ; 乌鲁木齐 = 地名 ; 王芳 = 人名",
         "李明 = 人名 ; 北京 = 地名 ; 乌鲁木 = 地名", []),
    ],
    "atlas/events_en": [
        ("find events: The storm closed the port of Bergen for two days.",
         "closed @ close @ storm = agent , port = thing",
         "closed @ close @ port = agent ; days @@ close", [("extra_mark", "", "days @@ close")]),
        ("find events: Nothing happened in Oslo.", "none", "", [("empty_value", "", "")]),
    ],
    "atlas/topic_en": [],
}  # fmt: skip


def put(path: Path, data: Json) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def scores(scale: float, split: str, n: int) -> list[Json]:
    rows: list[Json] = []
    for task, metrics in TASKS.items():
        for name, value, best in [*metrics, ("unparseable", 0.012, 0.0), ("ungrounded", 0.004, 0.0)]:
            worse = value * scale
            row = {"task": task, "split": split, "metric": name, "value": worse, "n": n, "best": best,
                   "low": worse - 0.02 * max(best, 0.2), "high": worse + 0.018 * max(best, 0.2),
                   "again": 0.037 if split == "patterns" else 0.0,
                   "signature": f"{name}|{task}@1|greedy|t2t:0.1.0"}  # fmt: skip
            rows.append(row)
    return rows


def curve(steps: int) -> str:
    rng = random.Random(1)
    lines = ["step,epoch,loss,learning_rate,tokens,tokens_per_second,elapsed,grad_norm"]
    for step in range(1, steps + 1):
        loss = (0.06 + 8.0 * math.exp(-step / (steps / 14)) + 0.6 * math.exp(-step / (steps / 3))) * rng.gauss(1, 0.09)
        rate = 0.02 * min(step / 100, 1 - step / (steps + 1))
        speed = 9100 + 600 * math.sin(step / 300) + rng.gauss(0, 500)
        lines.append(f"{step},{step // 900},{loss:.5f},{rate:.6g},{step * 16000},{speed:.0f},{step * 0.21:.2f},"
                     f"{rng.gauss(1, 0.2) + 2 * loss:.4f}")  # fmt: skip
    return "\n".join(lines) + "\n"


def safetensors(path: Path) -> None:
    header = {"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [4000, 192], "data_offsets": [0, 1]},
              "b": {"dtype": "F32", "shape": [192], "data_offsets": [1, 2]}}  # fmt: skip
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path)


def write_run(folder: Path) -> Path:
    """A run directory as training, generation and evaluation leave it."""
    config = {"run": "atlas", "seed": 1, "tasks": [{"task": name} for name in TASKS], "precision": "fp32",
              "optimizer": {"name": "adamw", "learning_rate": 0.02}, "note": "中文设置"}  # fmt: skip
    (folder / "run.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    (folder / "metrics.csv").write_text(curve(4000), encoding="utf-8")
    put(folder / "scores.json", scores(1.0, "test", 1000) + scores(0.78, "patterns", 400))
    worst = {
        task: [{"id": f"{task}/{i}", "prompt": prompt, "gold": gold, "text": text, "metric": "span_f1", "value": 0.25,
                "issues": [{"kind": kind, "path": path, "text": found} for kind, path, found in issues]}
               for i, (prompt, gold, text, issues) in enumerate(entries)]
        for task, entries in WORST.items()
    }  # fmt: skip
    put(folder / "worst.json", worst)
    put(folder / "data.json", {name: {"n": 20000, "requested_share": 0.2, "realised_share": 0.1987, "cuts": 3}
                               for name in TASKS})  # fmt: skip
    put(folder / "facts.json", {"device": "2 CPU cores", "world_size": 1, "versions": {
        "python": "3.11.7", "torch": "2.13.0", "deepspeed": "0.19.8",
    }})  # fmt: skip
    safetensors(folder / "model" / "model.safetensors")
    return folder


class Seen(HTMLParser):
    """All tags, attributes and text of a page; complains about tags closed in the wrong order."""

    OPEN = frozenset({"th", "td", "meta", "rect", "line", "circle", "path", "polyline"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.stack: list[str] = []
        self.feed(text)
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.OPEN:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_everything_of_the_run_is_shown(run: Path) -> None:
    path = write_report(run)
    assert path == run / "report.html"
    page = path.read_text(encoding="utf-8")
    text = " ".join(Seen(page).words)
    for expected in ("atlas", "5 tasks, one model", "0.8 M", "4,000", "14 min 00 s", "2 CPU cores", "0.974", "31.2",
                     "1.2%", "3.7%", "again", "1,000", "sentence patterns never trained on", "乌鲁木", "extra mark",
                     "none below the best", "(empty)", "0.1987", "中文设置", "torch"):  # fmt: skip
        assert expected in text, expected
    assert page.count('class="chart"') == 4
    assert page.count('class="bar"') == 2 * sum(len(metrics) for metrics in TASKS.values())
    assert "nan" not in text.lower()


def test_the_page_loads_nothing_and_runs_nothing(run: Path) -> None:
    page = write_report(run).read_text(encoding="utf-8")
    seen = Seen(page)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(seen.tags)
    assert not [name for name, _ in seen.attributes if name in ("src", "href") or name.startswith("on")]
    assert not re.search(r"https?:|url\(|@import", page)


def test_hostile_text_stays_text(run: Path) -> None:
    clean = Seen(write_report(run).read_text(encoding="utf-8")).tags
    swap = {"atlas": HOSTILE, "atlas/ner_zh": HOSTILE, "span_f1": HOSTILE, "test": HOSTILE, "2 CPU cores": HOSTILE}

    def infect(value: Json) -> Json:
        if isinstance(value, dict):
            return {infect(k) if k in swap else k: infect(v) for k, v in value.items()}
        if isinstance(value, list):
            return [infect(item) for item in value]
        return swap.get(value, value + HOSTILE) if isinstance(value, str) else value

    for name in ("scores.json", "worst.json", "data.json", "facts.json"):
        put(run / name, infect(json.loads((run / name).read_text(encoding="utf-8"))))
    config = yaml.safe_load((run / "run.yaml").read_text(encoding="utf-8"))
    (run / "run.yaml").write_text(yaml.safe_dump(infect(config), allow_unicode=True), encoding="utf-8")
    seen = Seen(write_report(run).read_text(encoding="utf-8"))
    assert set(seen.tags) <= set(clean) | {"del", "ins"}
    assert "script" not in seen.tags
    assert seen.tags.count("b") == clean.count("b")
    assert any(HOSTILE in word for word in seen.words)


def test_a_run_in_the_middle_has_a_report_too(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,loss,learning_rate,elapsed\n1,9.5,0.1,2\n2,nan,,4\n", encoding="utf-8")
    text = " ".join(Seen(write_report(tmp_path).read_text(encoding="utf-8")).words)
    assert "Not evaluated yet." in text
    assert "Loss" in text
    assert tmp_path.name in text


def test_a_directory_of_no_run_and_a_broken_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"no run\.yaml, metrics\.csv or scores\.json"):
        write_report(tmp_path)
    (tmp_path / "scores.json").write_text("[{", encoding="utf-8")
    with pytest.raises(RunDirectoryError, match=r"scores\.json: cannot be read"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scores.json", b"\xff"),
        ("scores.json", b"{}"),
        ("scores.json", b'[{"task": "a"}]'),
        ("scores.json", b"[" * 100_000),
        ("worst.json", b'{"a": [{"id": "x"}]}'),
        ("data.json", b"[1]"),
        ("facts.json", b'{"n": ' + b"9" * 5000 + b"}"),
        ("run.yaml", b"tasks: [{}]"),
        ("run.yaml", b"a: \x01"),
        ("metrics.csv", b"\xff"),
        ("model/a.safetensors", b"\xff" * 20),
        ("model/a.safetensors", b"\1"),
        ("model/a.safetensors", struct.pack("<Q", 9) + b'{"a": {} }'),
    ],
)
def test_a_damaged_file_is_named(run: Path, name: str, content: bytes) -> None:
    (run / name).write_bytes(content)
    with pytest.raises(RunDirectoryError) as caught:
        write_report(run)
    assert str(caught.value).startswith(f"{run / name}: cannot be read (")
    assert "\n" not in str(caught.value)


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,loss,elapsed\n1,9.5,2\n2,8.5,4\n3,7", encoding="utf-8")
    assert read_run(tmp_path).curves == {"step": [1.0, 2.0], "loss": [9.5, 8.5], "elapsed": [2.0, 4.0]}


def test_differences_are_marked() -> None:
    assert compare("Ada = person", "Ada = place") == ("Ada = <del>person</del>", "Ada = <ins>place</ins>")
    assert compare("乌鲁木齐 = 地名", "乌鲁木 = 地名") == ("乌鲁木<del>齐</del> = 地名", "乌鲁木 = 地名")
    assert compare("a<b", "a<b") == ("a&lt;b", "a&lt;b")
    assert compare("none", "quite other words") == ("none", "quite other words")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0, 4000, [0, 1000, 2000, 3000, 4000]), (0, 0.02, [0, 0.005, 0.01, 0.015, 0.02]),
     (93, 95, [93, 93.5, 94, 94.5, 95]), (5, 5, [5])],
)  # fmt: skip
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_log_ticks() -> None:
    assert log_ticks(0.05, 9) == pytest.approx([0.05, 0.1, 0.2, 0.5, 1, 2, 5])
    assert log_ticks(0.001, 20) == pytest.approx([0.001, 0.01, 0.1, 1, 10])


def test_compact_numbers() -> None:
    assert [compact(v) for v in (0.02, 12000, 1.5e6, 2e-5, 0)] == ["0.02", "12k", "1.5M", "2e-05", "0"]


def test_smoothing_keeps_a_constant_and_halves_by_its_half_life() -> None:
    assert smoothed([3.0] * 9, 4) == pytest.approx([3.0] * 9)
    assert smoothed([0.0] * 40 + [1.0] + [0.0] * 40, 2)[38:43] == pytest.approx(
        [m / sum(0.5 ** (abs(i) / 2) for i in range(-40, 41)) for m in (0.5, 0.5**0.5, 1, 0.5**0.5, 0.5)], rel=1e-4
    )


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], [0.0, 0.0], [-1.0, 3.0], [1e-9, 1.0], [math.nan, 1.0, math.inf]])
def test_any_curve_gives_a_well_formed_chart_inside_its_frame(values: list[float]) -> None:
    svg = ElementTree.fromstring(draw(Chart("Loss <", "", range(len(values)), values, smooth=True, log=True)))
    numbers = [float(n) for line in svg.iter("polyline") for n in re.findall(r"[-\d.]+", line.attrib["points"])]
    assert all(0 <= number <= 560 for number in numbers)
    assert "nothing was recorded" in draw(Chart("Loss", "", [1], [math.nan]))


def test_the_interval_bar_is_to_scale() -> None:
    bar = ElementTree.fromstring(interval(50, 25, 100, 100))
    fill, path = bar.findall("rect")[1], bar.find("path")
    assert path is not None
    assert fill.attrib["width"] == "58.0"
    assert path.attrib["d"].startswith("M31.0 8H118.0")


def test_durations_and_parameters(tmp_path: Path) -> None:
    assert [duration(s) for s in (48, 750, 11100)] == ["48 s", "12 min 30 s", "3 h 05 min"]
    assert count_parameters(tmp_path) is None
    safetensors(tmp_path / "m" / "x.safetensors")
    assert count_parameters(tmp_path / "m") == 4000 * 192 + 192


def test_validation_shows_start_best_last_and_test_side_by_side(tmp_path: Path) -> None:
    rows = [{"step": step, "elapsed": 1.0, "a/b.loss": 1.0, "loss": 9.0 - step / 100, "mean": mean, "a/b.f1<": mean}
            for step, mean in ((0, 0.1), (100, 0.8125), (200, 0.5))]  # fmt: skip
    (tmp_path / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "facts.json").write_text(json.dumps({"best_step": 100}))
    score = {
        "task": "a/b",
        "split": "test",
        "metric": "f1<",
        "value": 0.75,
        "low": 0.7,
        "high": 0.8,
        "n": 9,
        "best": 1.0,
    }
    (tmp_path / "scores.json").write_text(json.dumps([{**score, "signature": "s", "ceiling": 1.0}]))
    page = write_report(tmp_path).read_text()
    assert "<th>measured<th" in page
    assert "best, step 100" in page
    row = page[page.index("<tr><td>a/b.f1&lt;") :].partition("</tr>")[0]
    assert re.findall(r"\d\.\d{4}", row) == ["0.1000", "0.8125", "0.5000", "0.7500"]
    assert page.count("<h3>mean</h3>") == page.count("<h3>loss</h3>") == page.count("<h3>a/b.f1&lt;</h3>") == 1
    (tmp_path / "validation.jsonl").write_text("{")
    with pytest.raises(RunDirectoryError, match=r"validation\.jsonl"):
        write_report(tmp_path)


def test_stages_show_every_task_after_every_stage(tmp_path: Path) -> None:
    matrix = Matrix(("a/<one>", "b/二"), ("first", "second"), (0, 1), ((0.9, 0.1), (0.6, 0.8)), (0.05, 0.0))
    (tmp_path / "run.yaml").write_text("run: x\n")
    (tmp_path / "continual.json").write_text(json.dumps(matrix.to_json()))
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "a/&lt;one&gt;" in page
    assert "<h2>Stages</h2>" in page
    rows = re.findall(r"<tr><td>(start|first|second)(.*?)</tr>", page)
    assert [(name, re.findall(r">(\d\.\d{3})", cells)) for name, cells in rows] == [
        ("start", ["0.050", "0.000"]), ("first", ["0.900", "0.100"]), ("second", ["0.600", "0.800"])
    ]  # fmt: skip
    assert [cells.count("outline:2px") for _, cells in rows] == [0, 1, 1]
    assert "<b>0.7000</b><span>mean score of the tasks seen so far" in page
    assert "<b>0.3000</b><span>what earlier tasks lost since their best" in page
    (tmp_path / "continual.json").write_text('{"tasks": []}')
    with pytest.raises(RunDirectoryError, match=r"continual\.json: cannot be read"):
        write_report(tmp_path)

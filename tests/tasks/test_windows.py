"""Tasks with windows: training examples, gold fed back, lines and files; on small and on real data."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from t2t.authoring.check import check
from t2t.authoring.show import show
from t2t.commands import generate as runs
from t2t.config.run import Lengths
from t2t.config.template import read_template
from t2t.data.cache import encode_split
from t2t.data.encode import Encoder
from t2t.errors import DataError, TemplateError
from t2t.evaluation.evaluate import evaluate
from t2t.generation.generator import Generator, Output
from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import train_tokenizer
from t2t.runs.prediction_lines import parse_line
from t2t.structures import Example, Json, Span, Value
from t2t.tasks.sources import data_dir
from t2t.tasks.task import Task, load_task

QA = """\
task: demo/long
version: 1
source: {format: jsonl, train: rows.jsonl, test: rows.jsonl}
fields: {text: text, question: question, answer: {span: {of: answer, in: text}}}
prompt: "{question} in: {text}"
window: {field: text, characters: 60, stride: 30}
target: {span_of: text, absent: no answer, repeat: number, gold: answer}
metrics: [squad_f1, squad_em]
"""
NER = """\
task: demo/long
version: 1
source: {format: jsonl, train: rows.jsonl, test: rows.jsonl}
prompt: "find: {text}"
window: {field: text, characters: 40, stride: 20}
target:
  each: mentions
  as: "{text} = {type}"
  order: source
  fields: {text: {span_of: text, repeat: number}, type: {label: [per, loc]}}
metrics: [{span_f1: {over: "", span: text, type: type}}]
"""
ENGLISH = (
    "Ada Lovelace lived in London. Later Ada moved to Ashley Combe in Somerset, far from London. "
    "There Charles Babbage wrote to Ada Lovelace about engines. He lived in Dorset Street, London."
)
CHINESE = (
    "北京是中国的首都，王小明住在北京市海淀区。后来王小明搬到上海，在上海交通大学读书，他的老师李华也来自北京。"
    "李华说上海很大，王小明喜欢上海。"
)


def make(folder: Path, template: str, rows: list[Json]) -> Task:
    path = folder / "demo" / "long.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(template)
    (path.parent / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Task(read_template(path))


def mentions(text: str, words: dict[str, str]) -> list[Json]:
    """Every place of every word."""
    found = []
    for word, kind in words.items():
        start = text.find(word)
        while start >= 0:
            found.append({"text": {"text": word, "start": start}, "type": kind})
            start = text.find(word, start + 1)
    return found


def ner_rows() -> list[Json]:
    english = {"Ada Lovelace": "per", "London": "loc", "Ashley Combe": "loc", "Charles Babbage": "per"}
    chinese = {"北京": "loc", "王小明": "per", "上海": "loc", "李华": "per"}
    return [
        {"text": ENGLISH, "mentions": mentions(ENGLISH, english)},
        {"text": CHINESE, "mentions": mentions(CHINESE, chinese)},
        {"text": "Ada", "mentions": mentions("Ada", {"Ada": "per"})},
        {"text": ENGLISH, "mentions": []},
    ]


def by_place(value: Value) -> list[Json]:
    assert isinstance(value, list)
    return sorted(value, key=lambda item: (item["text"].start, item["text"].end))  # type: ignore


def test_gold_of_ner_fed_back_through_windows_is_the_gold(tmp_path: Path) -> None:
    task = make(tmp_path, NER, ner_rows())
    counts = []
    for example in task.examples("train"):
        parsed = task.parse_gold(example)
        assert parsed.ok
        assert by_place(parsed.value) == by_place(example.gold)
        counts.append(len(task.windows(example)))
    assert counts[2] == 1
    assert min(counts[0], counts[1], counts[3]) >= 3


def test_gold_at_every_place_survives_the_seams(tmp_path: Path) -> None:
    for text, length in ((ENGLISH, 9), (CHINESE, 4)):
        for start in range(len(text) - length):
            surface = text[start : start + length]
            if surface != surface.strip():
                continue
            row = {"text": text, "question": "who", "answer": {"text": surface, "start": start}}
            task = make(tmp_path, QA, [row])
            (example,) = task.examples("train")
            assert task.parse_gold(example).value == example.gold == Span(surface, start, start + length)


def test_training_examples_are_windows_with_the_gold_inside(tmp_path: Path) -> None:
    start = ENGLISH.index("Dorset Street")
    row = {"text": ENGLISH, "question": "where", "answer": {"text": "Dorset Street", "start": start}}
    task = make(tmp_path, QA, [row, {"text": "short", "question": "q", "answer": None}])
    windows = list(task.windowed(task.examples("train")))
    assert [window.id for window in windows][-1] == "2" or "@" not in windows[-1].id
    assert len({window.id for window in windows}) == len(windows)
    for window in windows:
        text = window.fields["text"]
        target = task.target_text(window)
        assert target == ("Dorset Street" if "Dorset Street" in text else "no answer")
        assert task.prompt(window) == f"{window.fields['question']} in: {text}"
        if isinstance(window.gold, Span):
            assert text[window.gold.start : window.gold.end] == "Dorset Street"
    tokenizer = train_tokenizer([ENGLISH] * 3, 600)
    rows = encode_split(Encoder(tokenizer, 256, 32), task, "train", limit=1)
    assert [encoded.id for encoded in rows] == [window.id for window in windows[:-1]]


class Answers:
    """Stands for the engine: says the gold of each window, so that only lines and joining are at work."""

    def __init__(self, task: Task) -> None:
        self.texts = {w.id: task.target_text(w) for w in task.windowed(task.examples("test"))}

    def generate(self, requests: list, *_rest: object, **_more: object) -> list:
        return [Output(one.id, (9,), self.texts[one.id], -0.5, cut=False) for one in requests]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tokenizer = train_tokenizer([ENGLISH], 560)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    build_from_scratch(sizes, len(tokenizer)).save(tokenizer, tmp_path / "run" / "model")
    return tmp_path / "run"


def test_one_line_an_input_and_evaluation_reads_what_generation_wrote(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(tmp_path, NER, ner_rows())
    answers = Answers(task)
    monkeypatch.setattr(Generator, "generate", lambda _, *rest, **more: answers.generate(*rest, **more))
    assert runs.generate(model, [task], lengths=Lengths(prompt=256)) == {"demo/long": 4}
    written = (model / "predictions" / "demo" / "long.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [json.loads(line) for line in written]
    examples = list(task.examples("test"))
    assert [line["id"] for line in lines] == [example.id for example in examples]
    assert ["windows" in line for line in lines] == [True, True, False, True]
    for line, example in zip(lines, examples, strict=True):
        parsed = parse_line(task, line, example)
        assert by_place(parsed.value) == by_place(example.gold)
        assert line["value"] == [{**item, "text": _json(item["text"])} for item in parsed.value]  # type: ignore
    assert lines[0]["text"].split("\n") == [window["text"] for window in lines[0]["windows"]]
    scores = {row.metric: row.value for row in evaluate(model, [task], ["test"])}
    assert next(value for name, value in scores.items() if name.startswith("span_f1")) == 1.0


def _json(span: Span) -> Json:
    return {"text": span.text, "start": span.start, "end": span.end, "found": span.found}


def test_lines_of_other_windows_are_refused(tmp_path: Path) -> None:
    task = make(tmp_path, NER, ner_rows())
    example = next(task.examples("test"))
    line = {"windows": [{"id": "1@0", "text": "none", "score": -0.1}]}
    with pytest.raises(DataError, match="1 windows that are not those of the template"):
        parse_line(task, line, example)


def test_check_and_show_are_about_windows(tmp_path: Path) -> None:
    task = make(tmp_path, NER, ner_rows())
    path = str(task.template.path)
    text, errors = check([path])
    count = sum(1 for _ in task.windowed(task.examples("train")))
    assert not errors
    assert f"{count}" in next(line for line in text.splitlines() if line.strip().startswith("examples"))
    assert "lost at the seams" not in text
    assert "one of" in show(path)
    assert "all windows" in show(path)


def test_gold_that_no_window_holds_is_a_note_of_the_check(tmp_path: Path) -> None:
    row = {"text": ENGLISH, "question": "what", "answer": {"text": ENGLISH[20:100], "start": 20}}
    text, errors = check([str(make(tmp_path, QA, [row]).template.path)])
    assert errors  # nothing of it is left to score
    assert "the gold itself scores 0" in text
    assert "in 1 examples gold is lost at the seams of windows; raise characters: or lower stride:" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("stride: 30", "stride: 60"), "stride: 60 leaves no overlap"),
        (("field: text", "field: passage"), "cannot be joined|does not stand"),
        (("absent: no answer, ", ""), "may stand in another window"),
        (("characters: 60", "characters: 3"), "characters"),
        (("window:", "few_shot: 2\nwindow:"), "few_shot: do not go together"),
        (("in: {text}", "?"), "field 'text' does not stand in the prompt"),
    ],
)
def test_wrong_windows_are_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        make(tmp_path, QA.replace(*change), [])


def test_a_field_that_is_no_text_is_named(tmp_path: Path) -> None:
    task = make(tmp_path, QA, [{"text": "x", "question": "q", "answer": None}])
    example = next(task.examples("train"))
    with pytest.raises(DataError, match="field 'text' under window: is a number; only a text can be cut"):
        task.windows(Example("1", {**example.fields, "text": 3}, None))


SQUAD = """\
task: squad/windows
version: 1
source: {format: squad, test: squad_dev/dev-v2.0.from_html.json}
fields:
  question: question
  context: context
  answer: {span: {of: "answers[0]", in: context}}
prompt: "question: {question} context: {context}"
window: {field: context, characters: 600, stride: 300}
target: {span_of: context, absent: no answer, repeat: number, gold: answer}
metrics: [squad_f1, squad_em]
"""


@pytest.mark.skipif(not (data_dir() / "squad_dev").is_dir(), reason=f"no squad_dev at {data_dir()}; set T2T_DATA")
def test_gold_of_long_squad_contexts_comes_back_through_windows(tmp_path: Path) -> None:
    path = tmp_path / "squad" / "windows.yaml"
    path.parent.mkdir()
    path.write_text(SQUAD)
    task = Task(read_template(path))
    long = (example for example in task.examples("test") if len(example.fields["context"]) > 1200)
    examples = list(islice(long, 400))
    assert len(examples) == 400
    answered = 0
    for example in examples:
        windows = task.windows(example)
        assert len(windows) > 2
        assert all(len(window.fields["context"]) <= 600 for window in windows)
        answered += example.gold is not None
        assert task.parse_gold(example).value == example.gold
    assert 100 < answered < 300


@pytest.mark.skipif(not data_dir().is_dir(), reason=f"no data sets at {data_dir()}; set T2T_DATA")
@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("qa/squad_windows", "test"),
        ("qa/drcd_windows", "valid"),
        ("ner/crossner/ai", "test"),
        ("ner/crossner/science", "train"),
        ("relation/spo_zh", "train"),
        ("event/instruct_zh", "train"),
    ],
)
def test_gold_of_the_library_s_long_texts_comes_back_with_no_duplicates(name: str, split: str) -> None:
    task = load_task(name)
    cut = [example for example in islice(task.examples(split), 1500) if len(task.windows(example)) > 1]
    assert len(cut) >= 5
    for example in cut:
        parsed = task.parse_gold(example)
        assert parsed.ok
        assert _surfaces(parsed.value) == _surfaces(example.gold), example.id
        assert parsed.value == task.parse_gold(example).value


def _surfaces(value: Value) -> list[str]:
    """The items of a value by their texts, sorted: what data without offsets can be compared by."""
    return sorted(_words(item) for item in value) if isinstance(value, list) else [_words(value)]


def _words(item: Value) -> str:
    if isinstance(item, Span):
        return item.text
    if isinstance(item, list):
        return str(sorted(map(_words, item)))
    return str({key: _words(part) for key, part in item.items()}) if isinstance(item, dict) else str(item)

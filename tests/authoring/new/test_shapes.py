"""``t2t new``: unknown files of many shapes become templates that pass ``t2t check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from t2t.authoring.new import new
from t2t.cli import main
from t2t.config.yaml_file import read_yaml, write_yaml
from t2t.errors import DataError, TemplateError
from t2t.tasks.sources import data_dir
from t2t.tasks.task import load_task

WORDS = ["Oslo", "Rome", "Lima", "Bern", "Kyiv", "Cairo"]


def jsonl(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def many(make: Any, n: int = 12) -> list[Any]:
    return [make(index, WORDS[index % len(WORDS)]) for index in range(n)]


def rows(make: Any) -> str:
    return "".join(many(make))


def squad(index: int, word: str) -> Any:
    answers = [{"text": word, "answer_start": 10}] if index else []
    question = {"id": str(index), "question": f"Where {index}?", "answers": answers, "is_impossible": not index}
    return {"title": "t", "paragraphs": [{"context": f"The storm {word} saw.", "qas": [question]}]}


def tagged(index: int, word: str) -> dict[str, Any]:
    return {"tokens": ["go", "to", word, str(index)], "ner_tags": ["O", "O", "B-city", "O"]}


SHAPES: dict[str, tuple[str, str, str]] = {
    "classification": (
        "a.jsonl",
        jsonl(*many(lambda i, w: {"text": f"{w} is {i}", "label": ["good", "bad"][i % 2]})),
        "classification",
    ),
    "boolean labels": (
        "a.jsonl",
        jsonl(*many(lambda i, w: {"text": f"{w} is {i}", "label": i % 2 == 0})),
        "classification",
    ),
    "labels yes and no": (
        "a.csv",
        "text,label\n" + rows(lambda i, w: f"{w} {i},{'yes' if i % 2 else 'no'}\n"),
        "classification",
    ),
    "labels as numbers": ("a.csv", "sentence,label\n" + rows(lambda i, w: f"{w} {i},{i % 3}\n"), "classification"),
    "csv without header": (
        "a.csv",
        rows(lambda i, w: f"the {w} is number {i},{'x y' if i % 2 else 'z'}\n"),
        "classification",
    ),
    "pairs": (
        "a.tsv",
        "premise\thypothesis\tlabel\n"
        + rows(lambda i, w: f"it is {w} {i}\tnot {w} {i}\t{['entailment', 'neutral'][i % 2]}\n"),
        "pair_classification",
    ),
    "several labels": (
        "a.jsonl",
        jsonl(*many(lambda i, w: {"text": f"{w} {i}", "labels": [["joy"], ["joy", "fear"], []][i % 3]})),
        "multi_label",
    ),
    "conll": ("a.conll", rows(lambda i, w: f"go\tO\nto\tO\n{w}\tB-city\n{i}\tO\n\n"), "ner"),
    "conll with spaces": ("a.txt", rows(lambda i, w: f"go VB O\nto TO O\n{w} NN B-city\n\n"), "ner"),
    "tokens and tags": ("a.jsonl", jsonl(*many(tagged)), "ner"),
    "Chinese characters": (
        "a.jsonl",
        jsonl(*many(lambda i, w: {"tokens": list("我在北京"), "tags": ["O", "O", "B-LOC", "I-LOC"]})),
        "ner",
    ),
    "spans with offsets": (
        "a.jsonl",
        jsonl(
            *many(lambda i, w: {"text": f"go to {w}", "entities": [{"start": 6, "end": 6 + len(w), "label": "city"}]})
        ),
        "ner",
    ),
    "spans as lists": (
        "a.jsonl",
        jsonl(*many(lambda i, w: {"text": f"go to {w}", "label": [[6, 6 + len(w), "city"]]})),
        "ner",
    ),
    "slots": (
        "a.jsonl",
        jsonl(
            *many(
                lambda i, w: {"text": f"fly  to {w}", "slots": "O O B-to", "intent": ["BookFlight", "GetFare"][i % 2]}
            )
        ),
        "slots",
    ),
    "squad": ("a.json", json.dumps({"version": "2", "data": many(squad)}), "qa"),
    "squad of the hub": (
        "a.jsonl",
        jsonl(
            *many(
                lambda i, w: {
                    "id": str(i),
                    "context": f"In {w}.",
                    "question": f"Where {i}?",
                    "answers": {"text": [w], "answer_start": [3]} if i else {"text": [], "answer_start": []},
                }
            )
        ),
        "qa",
    ),
    "answers in a list": (
        "a.jsonl",
        jsonl(
            *many(lambda i, w: {"context": f"In {w}.", "question": f"Where {i}?", "answers": [{"text": w, "start": 3}]})
        ),
        "qa",
    ),
    "a plain answer": (
        "a.jsonl",
        jsonl(*many(lambda i, w: {"passage": f"In {w}.", "question": f"Where {i}?", "answer": w})),
        "qa",
    ),
    "options by index": (
        "a.jsonl",
        jsonl(*many(lambda i, w: {"question": f"Which {i}?", "choices": WORDS[:4], "answer": i % 4})),
        "multiple_choice",
    ),
    "options by letter": (
        "a.csv",
        "question,A,B,C,answer\n" + rows(lambda i, w: f"Which {i}?,{w},up {i},down {i},{'ABC'[i % 3]}\n"),
        "multiple_choice",
    ),
    "options of the hub": (
        "a.jsonl",
        jsonl(
            *many(
                lambda i, w: {
                    "question": f"Which {i}?",
                    "choices": {"label": ["A", "B"], "text": ["up", w]},
                    "answerKey": "AB"[i % 2],
                }
            )
        ),
        "multiple_choice",
    ),
    "similarity": (
        "a.csv",
        "sentence1,sentence2,score\n" + rows(lambda i, w: f"one {w} {i},two {w} {i},{i % 5}.{i % 10}\n"),
        "similarity",
    ),
    "translation": (
        "a.jsonl",
        jsonl(*many(lambda i, w: {"translation": {"en": f"to {w} {i}", "de": f"nach {w} {i}"}})),
        "translation",
    ),
    "translation by script": ("a.tsv", rows(lambda i, w: f"I go to {w} {i}.\t我去第{i}个城市。\n"), "translation"),
    "summaries": (
        "a.jsonl",
        jsonl(
            *many(
                lambda i, w: {
                    "dialogue": f"A: to {w}?\nB: yes, {i} of us go there soon. " * 4,
                    "summary": f"{i} go to {w}.",
                }
            )
        ),
        "summarization",
    ),
    "key phrases in one text": (
        "a.tsv",
        "abstract\tkeywords\n"
        + rows(lambda i, w: f"The port of {w} and the sea of study {i} are far away\t{w}_study {i}\n"),
        "keywords",
    ),
    "code": (
        "a.jsonl",
        jsonl(*many(lambda i, w: {"prompt": f"say {w} {i}", "test": "x", "solution": f"def f():\n    return {i}\n"})),
        "text_to_text",
    ),
    "several outputs of one input": (
        "a.csv",
        "mr,ref\n" + "".join(many(lambda i, w: f"facts of {w} {i % 60},{w} is number {i}\n", 90)),
        "text_to_text",
    ),
    "lines of json in a .json file": (
        "a.json",
        jsonl(*many(lambda i, w: {"text": f"{w} is {i}", "label": ["good", "bad"][i % 2]})),
        "classification",
    ),
    "characters with their place in the word": (
        "a.conll",
        rows(lambda i, w: "我0\tO\n在0\tO\n北0\tB-LOC\n京1\tI-LOC\n\n"),
        "ner",
    ),
    "lists that few records have": (
        "a.json",
        json.dumps(
            many(lambda i, w: {"text": f"{w} {i}", "label": w[0]} | ({"tags": ["x", "y"]} if i < 5 else {}), 40)
        ),
        "classification",
    ),
    "pairs of texts": (
        "a.jsonl",
        jsonl(*many(lambda i, w: {"source": f"go {w} {i}", "target": f"went {w} {i}"})),
        "text_to_text",
    ),
    "lists in lists": (
        "a.json",
        json.dumps({"val": many(lambda i, w: [f"{w} {i}", ["in", "out"][i % 2]])}),
        "classification",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_becomes_a_template_that_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    name, content, family = SHAPES[shape]
    (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    told, errors = new([name])
    assert (family.replace("_", " "), errors) == (told.splitlines()[0].rpartition(": ")[2], 0), told
    (path,) = [path for path in (tmp_path / "task_templates" / family).glob("*.yaml") if ".run." not in path.name]
    task = load_task(str(path))
    first = next(task.examples("train"))
    assert task.parse(task.target_text(first), first).ok
    assert "#" not in path.read_text(encoding="utf-8").replace("#2", "")
    if "Chinese" in shape:
        assert "实体（LOC）" in task.prompt(first)
    if shape in WANTED:
        text, target = WANTED[shape]
        assert task.prompt(first).endswith(text)
        assert task.target_text(first) == target


WANTED = {
    "key phrases in one text": ("The port of Oslo and the sea of study 0 are far away", "Oslo ; study 0"),
    "code": ("say Oslo 0", "def f():\n    return 0|n"),
    "characters with their place in the word": ("我在北京", "北京 = LOC"),
}


def test_all_outputs_of_one_input_are_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, content, _ = SHAPES["several outputs of one input"]
    (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    told, _ = new([name])
    assert "inputs come again with other outputs" in told
    task = load_task("task_templates/text_to_text/a.yaml")
    held_out = list(task.examples("test"))
    assert held_out
    assert {len(task.references(example)) for example in held_out} == {1, 2}
    assert len(task.references(next(task.examples("train")))) == 1


def test_line_aligned_files_and_other_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("train", "val"):
        for language, word in (("en", "to"), ("de", "nach")):
            text = "".join(f"{word} {w} {i}\n" for i, w in many(lambda i, w: (i, w)))
            (tmp_path / f"{split}.{language}").write_text(text)
    monkeypatch.chdir(tmp_path)
    told, errors = new(["train.en", "train.de"], Path("mine/en-de.yaml"))
    assert errors == 0, told
    task = load_task("mine/en-de.yaml")
    assert (task.name, task.splits()) == ("mine/en-de", ["train", "valid"])
    example = next(task.examples("valid"))
    assert (task.prompt(example), task.target_text(example)) == (
        "translate English to German: to Oslo 0",
        "nach Oslo 0",
    )


def test_a_test_part_is_held_out_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = many(lambda i, w: {"text": f"{w} {i}", "label": WORDS[i % 2]}, 200)
    (tmp_path / "a.jsonl").write_text(jsonl(*rows))
    monkeypatch.chdir(tmp_path)
    told, errors = new(["a.jsonl"])
    assert errors == 0
    assert "held out" in told
    assert load_task("task_templates/classification/a.yaml").splits() == ["train", "test"]


def test_a_part_is_held_out_where_the_questions_are_few_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = many(
        lambda i, w: {"question": f"what is {i % 4}?", "options": [f"{w} {i}", f"no {i}"], "answer": "AB"[i % 2],
                      "rows": [[i]], "source": "x"},
        200,
    )  # fmt: skip
    (tmp_path / "a.jsonl").write_text(jsonl(*rows))
    monkeypatch.chdir(tmp_path)
    told, errors = new(["a.jsonl"])
    assert errors == 0
    assert "by the hash of the whole record (question has only 4 different values, and the same ones stand" in told
    assert "'rows': 200 lists of lists, not read\n" in told
    assert "'source': 200 texts, 1 different, not read\n" in told
    test = list(load_task("task_templates/multiple_choice/a.yaml").examples("test"))
    assert 8 <= len(test) <= 40


def test_few_inputs_with_many_outputs_are_not_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "write a long and careful story about it, in many more words than any label has, with a happy end: {}"
    rows = many(lambda i, w: {"source": long.format(f"number {i % 3}"), "target": f"{w}, answer {i}"}, 120)
    (tmp_path / "a.jsonl").write_text(jsonl(*rows))
    monkeypatch.chdir(tmp_path)
    told, errors = new(["a.jsonl"])
    assert errors == 0
    assert "source has only 3 different values, too few for a test split; add test: FILE to the source" in told
    task = load_task("task_templates/text_to_text/a.yaml")
    assert task.splits() == ["train"]
    example = next(iter(task.examples("train")))
    assert task.references(example) == [example.gold]


def test_equal_questions_stay_on_one_side_where_that_leaves_a_test_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = many(
        lambda i, w: {"question": f"which of {i % 30}?", "options": [f"{w} {i}", f"no {i}"], "answer": "AB"[i % 2]}, 300
    )
    (tmp_path / "a.jsonl").write_text(jsonl(*rows))
    tagged_rows = many(lambda i, w: {"tokens": [w, f"{i}"], "tags": ["B-x", "O"]}, 80)
    (tmp_path / "b.jsonl").write_text(jsonl(*tagged_rows))
    monkeypatch.chdir(tmp_path)
    told, errors = new(["a.jsonl"])
    assert (errors, "by the hash of question" in told) == (0, True)
    task = load_task("task_templates/multiple_choice/a.yaml")
    test, train = ({one.fields["question"] for one in task.examples(split)} for split in ("test", "train"))
    assert test
    assert not test & train
    told, errors = new(["b.jsonl"])
    assert (errors, "by the hash of tokens" in told) == (0, True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"x": 1}\n{"x": 2}\n', "no input and target were found among: x"),
        ("broken\n", "neither JSON, a table, nor tokens with tags"),
        (
            jsonl(*many(lambda i, w: {"claim": f"{w} {i}", "OptionA": f"one {i}", "OptionB": f"two {w}"})),
            "the options OptionA, OptionB have no column beside them that says which is right; add one, or copy",
        ),
        ("", "the file is empty"),
    ],
)
def test_what_cannot_be_decided_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, words: str
) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=words):
        new(["a.jsonl"])
    assert not (tmp_path / "task_templates").exists()


def test_bad_records_and_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = jsonl(*many(lambda i, w: {"text": f"{w} {i}", "label": WORDS[i % 2]}))
    (tmp_path / "a.jsonl").write_text(rows + "{broken\n")
    monkeypatch.chdir(tmp_path)
    assert main(["new", "--from", "a.jsonl", "--out", "x/y.yaml"]) == 1
    text = Path("x/y.yaml").read_text()
    with pytest.raises(TemplateError, match="there already"):
        new(["a.jsonl"], Path("x/y.yaml"))
    assert Path("x/y.yaml").read_text() == text
    with pytest.raises(TemplateError, match="no place for a template"):
        new(["a.jsonl"], Path("x/y.txt"))
    assert main(["new", "--from", "nothing.jsonl"]) == 2
    for place in ("bad fam/y.yaml", "x/n a.yaml", "x/_y.yaml"):
        with pytest.raises(TemplateError, match="the task would be called"):
            new(["a.jsonl"], Path(place))
        assert not Path(place).exists()


@pytest.mark.parametrize(
    ("first", "header"),
    [(("\u6587\u672c", "\u6807\u7b7e"), True), (("\u8fd9\u672c\u4e66\u771f\u7684\u5f88\u597d\u770b", "\u6b63"), False)],
)
def test_a_chinese_header_is_told_from_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: tuple[str, str], header: bool
) -> None:
    rows = [first, *((f"\u8fd9\u662f\u7b2c{n}\u53e5\u8bdd", "\u6b63\u8d1f"[n % 2]) for n in range(60))]
    (tmp_path / "a.csv").write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    new(["a.csv"])
    (template,) = [path for path in Path("task_templates").rglob("*.yaml") if ".run." not in path.name]
    text = template.read_text(encoding="utf-8")
    assert ("header:" not in text) == header
    assert ("\u6807\u7b7e" in text) == header


def test_an_empty_table_is_called_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"a\.csv: the file is empty"):
        new(["a.csv"])


@pytest.mark.parametrize(
    "text", ["no", "0o17", "1e5", "1:30", "null", "~", "-", "#", "a: b", "'", "\n", " x ", "是", ""]
)
def test_what_is_written_as_yaml_is_read_back(tmp_path: Path, text: str) -> None:
    data = {"a": text, "b": {text or "k": [text, True, 3, 0.5]}}
    path = tmp_path / "x.yaml"
    path.write_text(write_yaml(data), encoding="utf-8")
    assert read_yaml(path)[0] == data


REAL = {
    "banking77/train.csv": "classification",
    "weibo_ner_zh/weiboNER_2nd_conll.train": "ner",
    "chinese_nre/SanWen/train.txt": "pair_classification",
    "cmrc2018/cmrc2018_trial.json": "qa",
    "csl_zh/kg/dev.tsv": "keywords",
    "e2e_nlg/devset.csv": "text_to_text",
    "humaneval/HumanEval.jsonl.gz": "text_to_text",
    "wnut17/wnut17train.conll": "ner",
    "crossner/ai/train.txt": "ner",
    "csl_zh/cls_ctg/train.tsv": "classification",
    "csl_zh/ts/dev.tsv": "text_to_text",
    "tatoeba_en_zh/cmn.txt": "translation",
    "xquad/xquad.zh.json": "qa",
    "dialogsum/dialogsum.dev.jsonl": "summarization",
    "mbpp/mbpp.jsonl": "text_to_text",
    "clinc150/data_full.json": "classification",
    "snips_slots/train/seq.in snips_slots/train/seq.out snips_slots/train/label": "slots",
    "multi30k/train.en.gz multi30k/train.de.gz": "translation",
}


@pytest.mark.parametrize("names", REAL)
def test_real_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    files = [data_dir() / name for name in names.split()]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        pytest.skip(f"no {missing[0]}")
    monkeypatch.chdir(tmp_path)
    told, errors = new([str(file) for file in files])
    assert told.splitlines()[0].endswith(f": {REAL[names].replace('_', ' ')}")
    assert errors == 0, told

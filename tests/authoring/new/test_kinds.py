"""``t2t new``: other forms of the same kinds, made here; what the template reads is what the records mean."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from t2t.authoring.new import new
from t2t.structures import Span
from t2t.tasks.task import Task, load_task

PEOPLE = ["Ada Moss", "Zoë Quist", "Li Wei", "Tom Hale"]
FIRMS = ["Acme Corp", "Novi Lab", "Kite & Co"]
N = 24


def jsonl(rows: list[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def story(number: int) -> tuple[str, list[tuple[str, int, str]], str]:
    """A sentence, its mentions (surface, start, type) and how they are related."""
    person, firm = PEOPLE[number % 4], FIRMS[number % 3]
    text = f"On day {number} {person} joined {firm}."
    kind = ["joins", "leaves"][number % 2]
    return text, [(person, text.index(person), "PER"), (firm, text.index(firm), "ORG")], kind


def zh(number: int) -> tuple[str, list[tuple[str, int, str]]]:
    person, city = ["李雷", "韩梅梅", "王芳"][number % 3], ["北京", "上海"][number % 2]
    text = f"第{number}天{person}去了{city}。"
    return text, [(person, text.index(person), "人名"), (city, text.index(city), "地名")]


def make(folder: Path, *names: str, out: str = "mine/task.yaml") -> Task:
    text, errors = new([str(folder / name) for name in names], folder / out)
    assert errors == 0, text
    assert "from: train" not in (folder / out).read_text(encoding="utf-8")  # label sets are written out
    return load_task(str(folder / out))


def everything(task: Task) -> list[Any]:
    return [example for split in task.splits() for example in task.examples(split)]


def mentions(task: Task) -> dict[str, list[tuple[str, int, str]]]:
    """The mentions of each text, by the text."""
    found = {}
    for example in everything(task):
        gold = example.gold["mentions"] if isinstance(example.gold, dict) else example.gold
        text = next(v for v in example.fields.values() if isinstance(v, str) and v in task.prompt(example))
        found[text] = [(one["text"].text, one["text"].start, one["type"]) for one in gold]
    return found


SPANS: dict[str, Callable[[str, list[tuple[str, int, str]]], dict[str, Any]]] = {
    "triples of doccano": lambda text, marks: {
        "id": len(text), "data": text, "label": [[start, start + len(said), kind] for said, start, kind in marks]},
    "spaCy": lambda text, marks: {
        "text": text, "entities": [[start, start + len(said), kind] for said, start, kind in marks]},
    "offset and length": lambda text, marks: {
        "text": text, "entities": [{"offset": s, "length": len(said), "category": kind} for said, s, kind in marks]},
    "begin and end inclusive": lambda text, marks: {
        "sentence": text, "spans": [{"begin": s, "end": s + len(said) - 1, "tag": kind} for said, s, kind in marks]},
    "a span as a pair": lambda text, marks: {
        "text": text, "ents": [{"mention": said, "span": [s, s + len(said)], "tag": kind} for said, s, kind in marks]},
    "entity group of the hub": lambda text, marks: {
        "text": text,
        "entities": [{"entity_group": k, "word": x, "start": s, "end": s + len(x)} for x, s, k in marks]},
    "Label Studio's JSON-MIN": lambda text, marks: {
        "text": text, "id": 1, "annotator": 1,
        "label": [{"start": s, "end": s + len(said), "text": said, "labels": [kind]} for said, s, kind in marks]},
    "by type, with places": lambda text, marks: {
        "text": text, "label": {kind: {said: [[s, s + len(said) - 1]]} for said, s, kind in marks}},
    "in an object": lambda text, marks: {
        "text": text, "annotation": {"entities": [
            {"start": s, "stop": s + len(said), "type": kind} for said, s, kind in marks]}},
    "offsets as texts": lambda text, marks: {
        "text": text, "marks": [{"from": str(s), "to": str(s + len(said)), "label": kind} for said, s, kind in marks]},
    "Chinese keys": lambda text, marks: {
        "文本": text, "实体": [{"start": s, "end": s + len(said), "类型": kind} for said, s, kind in marks]},
}  # fmt: skip


@pytest.mark.parametrize("form", SPANS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_mentions_by_offsets(tmp_path: Path, form: str, language: str) -> None:
    made = [story(n)[:2] if language == "en" else zh(n) for n in range(N)]
    (tmp_path / "a.jsonl").write_text(jsonl([SPANS[form](*one) for one in made]), encoding="utf-8")
    if (form, language) == ("begin and end inclusive", "zh"):  # no spaces and no surfaces: nothing says it
        text, _ = new([str(tmp_path / "a.jsonl")], tmp_path / "mine" / "task.yaml")
        assert "nothing in the records says whether ends are inclusive" in text
        return
    assert mentions(make(tmp_path, "a.jsonl")) == dict(made)


def test_mentions_by_surface_alone_and_by_type(tmp_path: Path) -> None:
    made = [story(n)[:2] for n in range(N)]
    rows = [{"text": t, "entities": [{"text": said, "type": kind} for said, _, kind in marks]} for t, marks in made]
    (tmp_path / "a.jsonl").write_text(jsonl(rows), encoding="utf-8")
    task = make(tmp_path, "a.jsonl")
    assert all("= PER" in task.target_text(example) for example in everything(task))
    rows = [{"text": t, "entities": {kind: [said] for said, _, kind in marks}} for t, marks in made]
    (tmp_path / "b.jsonl").write_text(jsonl(rows), encoding="utf-8")
    task = make(tmp_path, "b.jsonl", out="mine/other.yaml")
    assert [one["type"] for one in everything(task)[0].gold] == ["PER", "ORG"]


SCHEMES = {
    "BIO": ("B-{} I-{}", "B-{}"), "IOB1": ("I-{} I-{}", "I-{}"), "BIOES": ("B-{} E-{}", "S-{}"),
    "BILOU": ("B-{} L-{}", "U-{}"), "BMES": ("B-{} E-{}", "S-{}"), "suffix": ("{}-B {}-I", "{}-B"),
    "underscore": ("B_{} I_{}", "B_{}"), "bare": ("{} {}", "{}"),
}  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "layout", ["{token}\t{tag}", "{token} NN {tag}", "{tag} {token}", "{place}\t{token}\tX\t{tag}"]
)
def test_tags(tmp_path: Path, scheme: str, layout: str) -> None:
    two, one = SCHEMES[scheme]
    lines = []
    for number in range(N):
        person, firm = PEOPLE[number % 4].split(), FIRMS[number % 2].split()
        words = ["On", "day", str(number), *person, "left", *firm, "in", "Oslo", "."]
        tags = ["O", "O", "O", *two.format("per", "per").split(), "O", *two.format("firm", "firm").split(), "O",
                one.format("loc"), "O"]  # fmt: skip
        rows = enumerate(zip(words, tags, strict=True), 1)
        lines.append("\n".join(layout.format(place=place, token=word, tag=tag) for place, (word, tag) in rows))
    (tmp_path / "a.conll").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    found = mentions(make(tmp_path, "a.conll"))
    text = "On day 0 Ada Moss left Acme Corp in Oslo ."
    assert found[text] == [("Ada Moss", 9, "per"), ("Acme Corp", 23, "firm"), ("Oslo", 36, "loc")]
    assert len(found) == N


def test_comments_and_document_lines_in_tags(tmp_path: Path) -> None:
    rows = "".join(f"# sent_id = {n}\n1\tOslo\tB-loc\n2\tsaw\tO\n3\tday{n}\tO\n\n" for n in range(N))
    (tmp_path / "a.conll").write_text("-DOCSTART-\tX\tO\n\n" + rows, encoding="utf-8")
    assert mentions(make(tmp_path, "a.conll"))["Oslo saw day3"] == [("Oslo", 0, "loc")]


@pytest.mark.parametrize(
    "names",
    [
        ["O", "B-PER", "I-PER"],
        {"O": 0, "B-PER": 1, "I-PER": 2},
        {"0": "O", "1": "B-PER", "2": "I-PER"},
        {"default": {"features": {"ner_tags": {"feature": {"names": ["O", "B-PER", "I-PER"], "_type": "ClassLabel"}}}}},
    ],
)
def test_tags_that_are_numbers(tmp_path: Path, names: Any) -> None:
    rows = [{"words": ["So", *PEOPLE[n % 4].split(), f"won {n}"], "ner_tags": [0, 1, 2, 0]} for n in range(N)]
    (tmp_path / "a.jsonl").write_text(jsonl(rows), encoding="utf-8")
    (tmp_path / "dataset_infos.json").write_text(json.dumps(names))
    assert mentions(make(tmp_path, "a.jsonl"))["So Ada Moss won 0"] == [("Ada Moss", 3, "PER")]


def test_names_of_a_parquet_file_of_the_hub(tmp_path: Path) -> None:
    rows = [{"words": ["So", *PEOPLE[n % 4].split(), f"won{n}"], "tags": [0, 1, 2, 0]} for n in range(N)]
    names = {"info": {"features": {"tags": {"feature": {"names": ["O", "B-PER", "I-PER"], "_type": "ClassLabel"}}}}}
    table = pa.Table.from_pylist(rows).replace_schema_metadata({"huggingface": json.dumps(names)})
    pq.write_table(table, tmp_path / "a.parquet")
    assert mentions(make(tmp_path, "a.parquet"))["So Ada Moss won0"] == [("Ada Moss", 3, "PER")]


def relations(task: Task) -> dict[str, list[tuple[str, str, str]]]:
    found = {}
    for example in everything(task):
        gold = example.gold["relations"] if isinstance(example.gold, dict) else example.gold
        text = next(v for v in example.fields.values() if isinstance(v, str) and v in task.prompt(example))
        sides = [
            [one[k].text if isinstance(one[k], Span) else one[k] for k in ("head", "type", "tail")] for one in gold
        ]
        found[text] = [(head, kind, tail) for head, kind, tail in sides]
    return found


def entities(marks: list[tuple[str, int, str]], **more: Any) -> list[dict[str, Any]]:
    ids = more.get("ids") or range(len(marks))
    return [{"id": i, "start": s, "end": s + len(t), "label": k} for i, (t, s, k) in zip(ids, marks, strict=True)]


RELATIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "by id": lambda t, m, k: {
        "text": t, "entities": entities(m, ids=["a", "b"]), "relations": [{"from": "a", "to": "b", "type": k}]},
    "by number": lambda t, m, k: {
        "text": t, "ents": entities(m, ids=[7, 9]), "rels": [{"head_id": 7, "tail_id": 9, "relation": k}]},
    "by place": lambda t, m, k: {
        "text": t, "entities": [{"start": s, "end": s + len(x), "type": y} for x, s, y in m],
        "relations": [{"head": 0, "tail": 1, "label": k}]},
    "by offsets of tokens": lambda t, m, k: {
        "sentence": t.split(), "ner": [[3, 4, "PER"], [6, 6 + m[1][0].count(" "), "ORG"]],
        "relations": [[3, 4, 6, 6 + m[1][0].count(" "), k]]},
    "triples": lambda t, m, k: {
        "text": t, "spo_list": [{"subject": m[0][0], "predicate": k, "object": m[1][0]}]},
    "triples with an object": lambda t, m, k: {
        "text": t, "spo_list": [{"subject": m[0][0], "predicate": k, "object": {"@value": m[1][0]}}]},
    "lists of three": lambda t, m, k: {"text": t, "triples": [[m[0][0], k, m[1][0]]]},
}  # fmt: skip


@pytest.mark.parametrize("form", RELATIONS)
def test_relations(tmp_path: Path, form: str) -> None:
    made = [story(n) for n in range(N)]
    if form == "by offsets of tokens":
        made = [(text.replace(".", " ."), marks, kind) for text, marks, kind in made]
    (tmp_path / "a.jsonl").write_text(jsonl([RELATIONS[form](*one) for one in made]), encoding="utf-8")
    found = relations(make(tmp_path, "a.jsonl"))
    assert found == {text: [(marks[0][0], kind, marks[1][0])] for text, marks, kind in made}


def test_brat_with_events_and_pieces_in_splits(tmp_path: Path) -> None:
    for split, count in (("train", 12), ("dev", 3)):
        (tmp_path / "notes" / split).mkdir(parents=True)
        for number in range(count):
            text, marks, _ = story(number)
            path = tmp_path / "notes" / split / f"{number}.txt"
            path.write_text(text, encoding="utf-8")
            start = text.index("joined")
            lines = [f"T{i}\t{k} {s} {s + len(x)}\t{x}" for i, (x, s, k) in enumerate(marks, 1)]
            lines += [f"T3\tJoin {start} {start + 6}\tjoined", "E1\tJoin:T3 who:T1 firm:T2", "#1\tNote T1\tseen"]
            path.with_suffix(".ann").write_text("\n".join(lines) + "\n", encoding="utf-8")
    task = make(tmp_path, "notes")
    assert {split: len(list(task.examples(split))) for split in task.splits()} == {"train": 12, "valid": 3}
    example = next(iter(task.examples("train")))
    assert task.target_text(example) == "joined @ Join @ who = Ada Moss , firm = Acme Corp"


def test_events_with_arguments(tmp_path: Path) -> None:
    rows = []
    for number in range(N):
        text, marks, _ = story(number)
        arguments = [{"role": r, "argument": m[0]} for r, m in zip(("who", "firm"), marks, strict=True)]
        rows.append({"text": text, "event_list": [{"event_type": "Join", "trigger": "joined", "arguments": arguments}]})
    (tmp_path / "a.jsonl").write_text(jsonl(rows), encoding="utf-8")
    task = make(tmp_path, "a.jsonl")
    assert task.target_text(next(iter(task.examples("train")))).startswith("joined @ Join @ who = ")


def labelled(number: int) -> tuple[str, str]:
    return f"On day {number}, the film; it was {PEOPLE[number % 4]}'s.", ["good", "bad", "so so"][number % 3]


def labels(task: Task) -> dict[str, Any]:
    return {next(v for v in e.fields.values() if isinstance(v, str) and len(v) > 15): e.gold for e in everything(task)}


LABELLED = dict(map(labelled, range(60)))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_tables(tmp_path: Path, separator: str, encoding: str) -> None:
    def cell(text: str) -> str:
        return f'"{text}"' if separator in text else text

    lines = [separator.join(["id", "review text", "stars"])]
    lines += [separator.join([str(n), cell(text), label]) for n, (text, label) in enumerate(LABELLED.items())]
    (tmp_path / "a.csv").write_bytes("\r\n".join(lines).encode(encoding))
    assert labels(make(tmp_path, "a.csv")) == LABELLED


CHINESE = {
    f"第{n}天的电影，真是{['太好看了', '不值得看'][n % 2]}啊！我们还会再来": ["正面", "负面"][n % 2] for n in range(60)
}


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "gb18030", "big5", "utf-16"])
@pytest.mark.parametrize("header", [True, False])
def test_chinese_tables_and_names(tmp_path: Path, encoding: str, header: bool) -> None:
    table = CHINESE
    if encoding == "big5":
        table = {
            f"第{n}天的電影，{['太好看了', '很不好看'][n % 2]}！我會再來一次": ["正面", "反面"][n % 2]
            for n in range(60)
        }
    lines = [*(["内容\t类别" if encoding != "big5" else "內容\t類別"] if header else []),
             *(f"{a}\t{b}" for a, b in table.items())]  # fmt: skip
    (tmp_path / "影评数据.tsv").write_bytes("\n".join(lines).encode(encoding))
    text, errors = new([str(tmp_path / "影评数据.tsv")], tmp_path / "分类" / "影评.yaml")
    assert errors == 0, text
    assert ("line 1" in text) is (not header)
    assert labels(load_task(str(tmp_path / "分类" / "影评.yaml"))) == table


@pytest.mark.parametrize("first", ["Review Text,Star Rating", "review,stars", "text,label", "Comment,Is Spam"])
def test_a_first_line_that_names_the_columns(tmp_path: Path, first: str) -> None:
    rows = [f'"{text}",{n % 5}' for n, text in enumerate(LABELLED)]
    (tmp_path / "a.csv").write_text("\n".join([first, *rows]), encoding="utf-8")
    assert len(labels(make(tmp_path, "a.csv"))) == 60


def test_a_column_of_splits(tmp_path: Path) -> None:
    splits = {"train": "train", "dev": "valid", "test": "test"}
    rows = [{"text": t, "label": k, "split": list(splits)[n % 3]} for n, (t, k) in enumerate(LABELLED.items())]
    (tmp_path / "a.jsonl").write_text(jsonl(rows), encoding="utf-8")
    task = make(tmp_path, "a.jsonl")
    assert {split: len(list(task.examples(split))) for split in task.splits()} == dict.fromkeys(
        ("train", "valid", "test"), 20
    )


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
def test_splits_as_files(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "films"
    (folder / "data").mkdir(parents=True)
    items = list(LABELLED.items())
    for name, some in (("training", items[:40]), ("devel", items[40:50]), ("test", items[50:])):
        rows = [{"text": text, "label": label} for text, label in some]
        (folder / "data" / f"{name}.jsonl").write_text(jsonl(rows), encoding="utf-8")
    (folder / "README.md").write_text("words")
    name = "films" if kind == "folder" else f"films.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / name, "w") as packed:
            for path in sorted(folder.rglob("*.*")):
                packed.write(path, path.relative_to(tmp_path))
    elif kind == "tar.gz":
        with tarfile.open(tmp_path / name, "w:gz") as opened:
            opened.add(folder, "films")
    task = make(tmp_path, name)
    assert {split: len(list(task.examples(split))) for split in task.splits()} == {"train": 40, "valid": 10, "test": 10}


def test_a_text_a_file_in_folders_of_classes(tmp_path: Path) -> None:
    for number, (text, label) in enumerate(LABELLED.items()):
        path = tmp_path / "films" / ("test" if number % 6 == 0 else "train") / label / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    task = make(tmp_path, "films")
    assert labels(task) == LABELLED
    assert len(list(task.examples("test"))) == 10


def test_a_file_a_class_and_line_aligned_files_are_told_apart(tmp_path: Path) -> None:
    for label, count in (("pos", 30), ("neg", 30)):
        (tmp_path / f"rt-polarity.{label}").write_text("".join(f"a {label} film, number {n}\n" for n in range(count)))
    task = make(tmp_path, "rt-polarity.pos", "rt-polarity.neg")
    assert {example.gold for example in everything(task)} == {"pos", "neg"}
    (tmp_path / "train.en").write_text("".join(f"it rains on day {n}\n" for n in range(60)))
    (tmp_path / "train.de").write_text("".join(f"am Tag {n} regnet es\n" for n in range(60)))
    task = make(tmp_path, "train.en", "train.de", out="mine/pairs.yaml")
    assert task.target_text(next(iter(task.examples("train")))).endswith("regnet es")

"""``t2t new`` on labels, options and answers as they come: missing, as numbers, as text, by other names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t2t.errors import DataError
from tests.proposals import jsonl, proposed

N = 30
TEXTS = [f"tea number {i} was {['good', 'bad'][i % 2]}" for i in range(N)]
LABELS = [["pos", "neg"][i % 2] for i in range(N)]
WITHOUT = {
    "null": lambda i, label: {"label": None if i == 7 else label},
    "no key": lambda i, label: {} if i == 7 else {"label": label},
    "empty": lambda i, label: {"label": "" if i == 7 else label},
    "a quarter": lambda i, label: {"label": None if i % 4 == 0 else label},
    "false is a label": lambda i, label: {"label": None if i == 7 else label == "pos"},
}


@pytest.mark.parametrize("form", WITHOUT)
def test_records_without_a_label_are_left_out_and_told(tmp_path: Path, form: str) -> None:
    rows = [{"text": text, **WITHOUT[form](i, LABELS[i])} for i, text in enumerate(TEXTS)]
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("classification", 0), found.output
    assert found.pairs == {r["text"]: str(r["label"]) for r in rows if r.get("label") not in (None, "")}
    missing = "8 records have" if form == "a quarter" else "1 record has"
    assert f"{missing} no label: left out (where: of the source)" in found.output


def test_empty_cells_and_empty_texts(tmp_path: Path) -> None:
    cells = [
        (text if i else "", label if i != 4 else "") for i, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))
    ]
    found = proposed(tmp_path, {"a.csv": "text,label\n" + "".join(f"{text},{label}\n" for text, label in cells)})
    assert (found.family, found.errors) == ("classification", 0), found.output
    assert found.pairs == {text: label for text, label in cells if text and label}
    assert "1 record has no text: left out" in found.output
    assert "1 record has no label: left out" in found.output


def test_an_empty_cell_of_joined_labels_is_the_empty_set(tmp_path: Path) -> None:
    said = ["law, art", "food", "", "art", "law"]
    rows = [(text, said[i % 5]) for i, text in enumerate(TEXTS)]
    found = proposed(tmp_path, {"a.csv": "text,tags\n" + "".join(f'{text},"{tags}"\n' for text, tags in rows)})
    assert (found.family, found.errors) == ("multi label", 0), found.output
    assert found.targets == [["art ; law", "food", "none", "art", "law"][i % 5] for i in range(N)]


def test_marks_and_empty_cells_of_one_hot_columns(tmp_path: Path) -> None:
    rows = "".join(f"{text};{'x' * (i % 2)};{'x' * (i % 3 == 0)}\n" for i, text in enumerate(TEXTS))
    found = proposed(tmp_path, {"a.csv": "Text;Sport;Law\n" + rows})
    assert (found.family, found.errors) == ("multi label", 0), found.output
    assert found.targets[:4] == ["Law", "Sport", "none", "Sport ; Law"]


@pytest.mark.parametrize("write", [str, json.dumps], ids=["Python", "JSON"])
def test_lists_in_the_cells_of_a_table(tmp_path: Path, write: Callable[[Any], str]) -> None:
    lists = [["drama", "children's"], ["law"], []]
    cells = [write(lists[i % 3]).replace('"', '""') for i in range(N)]
    rows = "".join(f'{text},"{cell}"\n' for text, cell in zip(TEXTS, cells, strict=True))
    found = proposed(tmp_path, {"a.csv": "text,genres\n" + rows})
    assert (found.family, found.errors) == ("multi label", 0), found.output
    assert found.targets == [["children s ; drama", "law", "none"][i % 3] for i in range(N)]


def test_lists_as_numpy_writes_them_are_refused(tmp_path: Path) -> None:
    cells = ["['b']", "['a' 'b']"]
    rows = "".join(f'{text},"{cells[i % 2]}"\n' for i, text in enumerate(TEXTS))
    with pytest.raises(DataError, match="'genres' holds lists without commas, as numpy writes them"):
        proposed(tmp_path, {"a.csv": "text,genres\n" + rows})


def test_tokens_and_tags_in_the_cells_of_a_table(tmp_path: Path) -> None:
    rows = "".join(f"\"['Ada', 'left', '{i}']\",\"['B-PER', 'O', 'O']\"\n" for i in range(N))
    found = proposed(tmp_path, {"a.csv": "tokens,ner_tags\n" + rows})
    assert (found.family, found.errors) == ("ner", 0), found.output
    assert found.pairs == {f"Ada left {i}": "Ada = PER" for i in range(N)}


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_classes_written_as_fractions_are_no_scores(tmp_path: Path, name: str) -> None:
    rows = [{"text": text, "label": float(i % 2)} for i, text in enumerate(TEXTS)]
    table = "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows)
    found = proposed(tmp_path, {name: table if name == "a.csv" else jsonl(rows)})
    assert (found.family, found.errors) == ("classification", 0), found.output
    assert found.targets == [str(i % 2) for i in range(N)]


def test_a_label_by_the_end_of_its_name(tmp_path: Path) -> None:
    rows = "".join(f"{700 + i},{LABELS[i]},0.{i + 3},{text},2015-02-{i % 9 + 1}\n" for i, text in enumerate(TEXTS))
    head = "tweet_id,airline_sentiment,airline_sentiment_confidence,text,tweet_created\n"
    found = proposed(tmp_path, {"a.csv": head + rows})
    assert (found.family, found.pairs) == ("classification", dict(zip(TEXTS, LABELS, strict=True))), found.output


OPTIONS = [["red ant", "barn owl", "house cat"], ["tree frog", "red ant", "blue whale"]]
CHOICES: dict[str, Callable[[list[str], int], dict[str, Any]]] = {
    "answer_idx": lambda options, right: {"options": options, "answer_idx": right},
    "correct_answer": lambda options, right: {"choices": options, "correct_answer": options[right]},
    "letters": lambda options, right: {"options": dict(zip("ABC", options, strict=True)), "answer": "ABC"[right]},
    "letters, by text": lambda options, right: {"options": dict(zip("ABC", options, strict=True)),
                                                "answer": options[right]},
}  # fmt: skip


CHOICES |= {
    "counted from 1": lambda options, right: {"options": options, "answer": right + 1},
    "small letters": lambda options, right: {"options": options, "answer": "abc"[right]},
    "options as objects": lambda options, right: {
        "options": [{"id": letter, "text": said} for letter, said in zip("ABC", options, strict=True)],
        "answer": "ABC"[right]},
    "numbered options": lambda options, right: {
        "choices": {"text": options, "label": ["1", "2", "3"]}, "answerKey": str(right + 1)},
}  # fmt: skip


@pytest.mark.parametrize("form", CHOICES)
def test_options_and_the_right_one(tmp_path: Path, form: str) -> None:
    rows = [{"question": f"Which lives in {i}?", **CHOICES[form](OPTIONS[i % 2], i % 3)} for i in range(N)]
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("multiple choice", 0), found.output
    assert found.targets == ["ABC"[i % 3] for i in range(N)]
    assert "A) red ant B) barn owl C) house cat" in found.task.prompt(found.examples[0])


def test_numbers_of_options_in_a_table(tmp_path: Path) -> None:
    rows = "".join(f"Which {i}?,cat {i},dog {i},{i % 2}\n" for i in range(N))
    found = proposed(tmp_path, {"a.csv": "question,option1,option2,label\n" + rows})
    assert (found.family, found.errors, found.targets) == ("multiple choice", 0, ["AB"[i % 2] for i in range(N)])


def test_letters_that_are_no_places_are_refused(tmp_path: Path) -> None:
    rows = [
        {"question": f"Which {i}?", "options": {"text": ["cat", "dog"], "label": ["B", "A"]}, "answer": "AB"[i % 2]}
        for i in range(N)
    ]
    with pytest.raises(DataError, match="which is right"):
        proposed(tmp_path, {"a.jsonl": jsonl(rows)})


def test_options_in_a_list_need_the_right_one(tmp_path: Path) -> None:
    rows = [{"question": f"Which lives in {i}?", "options": OPTIONS[i % 2], "note": i} for i in range(N)]
    with pytest.raises(DataError, match="the options options have no column beside them that says which is right"):
        proposed(tmp_path, {"a.jsonl": jsonl(rows)})


@pytest.mark.parametrize("empty", [False, True], ids=["all answered", "some not"])
def test_acceptable_answers_from_a_text(tmp_path: Path, empty: bool) -> None:
    rows = [
        {"context": f"The key {i} is dark red.", "question": f"color of {i}?",
         "answers": [] if empty and i % 3 == 0 else ["dark red", "a dark red"]}
        for i in range(N)
    ]  # fmt: skip
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("qa", 0), found.output
    assert found.targets == ["unanswerable" if empty and i % 3 == 0 else "dark red" for i in range(N)]
    assert [one.text for one in found.task.references(found.examples[1])] == ["dark red", "a dark red"]


def test_a_mention_a_row(tmp_path: Path) -> None:
    rows = "".join(f"Ada {i} went to Oslo,0,3,PER\nAda {i} went to Oslo,{13 + len(str(i))},{17 + len(str(i))},LOC\n"
                   for i in range(N))  # fmt: skip
    found = proposed(tmp_path, {"a.csv": "text,start,end,label\n" + rows})
    assert (found.family, found.errors) == ("ner", 0), found.output
    assert found.pairs == {f"Ada {i} went to Oslo": "Ada = PER ; Oslo = LOC" for i in range(N)}


def test_a_mention_a_row_is_no_label_of_the_whole(tmp_path: Path) -> None:
    rows = "".join(f"Ada {i} went,{(i % 2) * 4},{3 + (i % 2) * (1 + len(str(i)))},{'AB'[i % 2]}\n" for i in range(N))
    found = proposed(tmp_path, {"a.csv": "text,start,end,label\n" + rows})
    assert (found.family, found.errors) == ("ner", 0), found.output
    assert found.targets == [f"{i} = B" if i % 2 else "Ada = A" for i in range(N)]


def test_a_token_a_row(tmp_path: Path) -> None:
    words = [("Ada", "B-PER"), ("left", "O"), ("it", "O")]
    rows = "".join(f"{i},{word if word != 'it' else f'x{i}'},{tag}\n" for i in range(60) for word, tag in words)
    found = proposed(tmp_path, {"a.csv": "sentence_id,word,tag\n" + rows})
    assert (found.family, found.errors) == ("ner", 0), found.output
    assert found.pairs == {f"Ada left x{i}": "Ada = PER" for i in range(60)}
    assert found.task.splits() == ["train", "test"]


def test_a_token_a_row_without_its_sentence_is_refused(tmp_path: Path) -> None:
    words = [("Ada", "B-PER"), ("left", "O"), ("it", "O")]
    rows = "".join(f"{f'Sentence: {i}' if k == 0 else ''},{word},NN,{tag}\n"
                   for i in range(N) for k, (word, tag) in enumerate(words))  # fmt: skip
    with pytest.raises(DataError, match="each row is a token with a tag in 'Tag', and no column says of each row"):
        proposed(tmp_path, {"a.csv": "Sentence #,Word,POS,Tag\n" + rows})


def test_places_and_types_in_two_lists_are_refused(tmp_path: Path) -> None:
    rows = [{"text": text, "spans": [[0, 3], [4, 10]], "labels": ["a", "b"]} for text in TEXTS]
    with pytest.raises(DataError, match="mentions stand in 'spans' and their types in 'labels'; write them as one"):
        proposed(tmp_path, {"a.jsonl": jsonl(rows)})


def test_keywords_of_a_title_and_an_abstract(tmp_path: Path) -> None:
    towns = ["Rome", "Oslo", "Lima"]
    rows = [
        {"title": f"On {towns[i % 3]} {i}", "abstract": f"We study trade {i} of {towns[i % 3]} by sea.",
         "keywords": [towns[i % 3], "trade x"]}
        for i in range(N)
    ]  # fmt: skip
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("keywords", 0), found.output
    assert found.targets[0] == "Rome ; trade x"
    prompt = found.task.prompt(found.examples[0])
    assert "On Rome 0" in prompt
    assert "We study trade 0 of Rome by sea." in prompt


def test_query_and_title_are_a_pair(tmp_path: Path) -> None:
    rows = [{"query": f"how to go to {i}", "title": f"the way to {i}", "label": i % 2} for i in range(N)]
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("pair classification", 0), found.output
    assert found.pairs["query: how to go to 1 title: the way to 1"] == "1"


def test_a_title_and_a_body_are_both_read(tmp_path: Path) -> None:
    rows = [{"title": f"On tea {i}", "body": text, "label": LABELS[i]} for i, text in enumerate(TEXTS)]
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("classification", 0), found.output
    assert found.task.prompt(found.examples[3]).endswith(f"title: On tea 3 body: {TEXTS[3]}")


def test_scores_that_are_all_whole(tmp_path: Path) -> None:
    rows = [{"sentence1": text, "sentence2": text[::-1], "score": float(i % 5)} for i, text in enumerate(TEXTS)]
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.targets[:3]) == ("similarity", ["0.0", "1.0", "2.0"]), found.output


def test_scores_with_a_decimal_comma(tmp_path: Path) -> None:
    rows = "".join(f"{text};{i % 5},{i % 10}\n" for i, text in enumerate(TEXTS))
    found = proposed(tmp_path, {"a.csv": "text;score\n" + rows})
    assert (found.family, found.targets[:3]) == ("similarity", ["0.0", "1.1", "2.2"]), found.output


def test_names_of_pictures_are_no_texts(tmp_path: Path) -> None:
    rows = [{"image": f"a/{i}.png", "caption": text} for i, text in enumerate(TEXTS)]
    with pytest.raises(DataError, match="no input and target were found"):
        proposed(tmp_path, {"a.jsonl": jsonl(rows)})


def test_a_licence_is_no_translation(tmp_path: Path) -> None:
    rows = "".join(f"I see {i}.\tIch sehe {i}.\tCC-BY 2.0 (France) Attribution: tatoeba.org #{i}\n" for i in range(N))
    found = proposed(tmp_path, {"a.txt": rows})
    assert (found.errors, found.targets) == (0, [f"Ich sehe {i}." for i in range(N)]), found.output


def test_doccano_answers(tmp_path: Path) -> None:
    rows = [{"id": i, "text": f"A long story of {text}.", "label": [f"short {i}"]} for i, text in enumerate(TEXTS)]
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("text to text", 0), found.output
    assert found.targets == [f"short {i}" for i in range(N)]


def test_one_record(tmp_path: Path) -> None:
    found = proposed(tmp_path, {"a.jsonl": jsonl([{"text": "hello world", "label": "greeting"}])})
    assert (found.family, found.errors, found.targets) == ("classification", 0, ["greeting"]), found.output


def test_what_is_broken_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv:2: a quote opens a cell here and none closes it"):
        proposed(tmp_path, {"a.csv": 'text,label\n"abc,x\nfoo,y\nbar,x\n'})
    with pytest.raises(DataError, match=r"1 record is bad, the first is .*b\.jsonl:2: no JSON"):
        proposed(tmp_path, {"b.jsonl": '{"x": 1}\n{"x": 2,\n'})
    rows = jsonl([{"text": text, "label": LABELS[i]} for i, text in enumerate(TEXTS)])
    found = proposed(tmp_path, {"c.jsonl": rows + '{"text": "x", "lab\n'})
    assert "1 record is bad, the first is " in found.output
    assert f"c.jsonl:{N + 1}: no JSON" in found.output
    assert found.errors

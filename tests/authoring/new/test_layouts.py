"""``t2t new`` on folders and lines as other programs have them, and on conversations in parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2t.errors import DataError
from tests.proposals import jsonl, proposed

N = 30
TEXTS = [f"tea number {i} was {['good', 'bad'][i % 2]}, really" for i in range(N)]
LABELS = [["pos", "neg"][i % 2] for i in range(N)]


def lines(*columns: list[str]) -> str:
    return "".join(" ".join(cells) + "\n" for cells in zip(*columns, strict=True))


def test_lines_of_fast_text(tmp_path: Path) -> None:
    marked = lines([f"__label__{label}" for label in LABELS], TEXTS)
    found = proposed(tmp_path, {"a.txt": marked})
    assert (found.family, found.errors, found.pairs) == ("classification", 0, dict(zip(TEXTS, LABELS, strict=True)))


def test_lines_of_fast_text_with_several_labels_and_a_test_part(tmp_path: Path) -> None:
    marked = lines(
        ["__label__tea __label__" + label if i % 3 else "__label__tea" for i, label in enumerate(LABELS)], TEXTS
    )
    files = {"topics.train": marked, "topics.test": "__label__neg a new text\n"}
    found = proposed(tmp_path, files)
    assert (found.family, found.errors) == ("multi label", 0), found.output
    assert found.task.splits() == ["train", "test"]
    assert found.targets == [*("tea" if i % 3 == 0 else f"{label} ; tea" for i, label in enumerate(LABELS)), "neg"]


def test_many_lines_of_fast_text_are_split(tmp_path: Path) -> None:
    marked = "".join(f"__label__{'ab'[i % 2]} text {i}\n" for i in range(90))
    found = proposed(tmp_path, {"a.txt": marked})
    assert found.errors == 0, found.output
    assert found.task.splits() == ["train", "test"]
    assert found.pairs == {f"text {i}": "ab"[i % 2] for i in range(90)}


def test_a_folder_of_line_aligned_files(tmp_path: Path) -> None:
    files = {f"data/{split}.{end}": "".join(f"{word} {split} {i}\n" for i in range(N))
             for split in ("train", "test") for end, word in (("en", "to"), ("de", "nach"))}  # fmt: skip
    found = proposed(tmp_path, files, ["data"])
    assert (found.family, found.errors) == ("translation", 0), found.output
    assert found.task.splits() == ["train", "test"]
    assert found.pairs["nach test 3"] == "to test 3"


def test_the_layout_of_snips(tmp_path: Path) -> None:
    parts = {"seq.in": "fly to Oslo {}\n", "seq.out": "O O B-city O\n", "label": "fly\n"}
    files = {f"snips/{split}/{name}": "".join(line.format(i) for i in range(N)) for split in ("train", "test")
             for name, line in parts.items()}  # fmt: skip
    for split in ("train", "test"):
        files[f"snips/{split}/label"] = "".join(["fly\n", "go\n"][i % 2] for i in range(N))
    found = proposed(tmp_path, files, ["snips"])
    assert (found.family, found.errors) == ("slots", 0), found.output
    assert found.task.splits() == ["train", "test"]
    assert found.targets[:2] == ["fly @ Oslo = city", "go @ Oslo = city"]


def test_files_of_splits_are_named_one_by_one(tmp_path: Path) -> None:
    table = {
        split: "text,label\n" + "".join(f"{split} {i},{'ab'[i % 2]}\n" for i in range(N)) for split in ("train", "dev")
    }
    found = proposed(tmp_path, {f"{split}.csv": content for split, content in table.items()})
    assert found.task.splits() == ["train", "valid"]
    assert len(found.targets) == 2 * N


def test_a_conversation_in_parts(tmp_path: Path) -> None:
    rows = [
        {"messages": [{"role": "user", "content": [{"type": "text", "text": f"How much is {i}"},
                                                   {"type": "text", "text": " and 1?"}]},
                      {"role": "assistant", "content": f"It is {i + 1}."}]}
        for i in range(N)
    ]  # fmt: skip
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("response", 0), found.output
    assert found.pairs == {f"user: How much is {i} and 1?": f"It is {i + 1}." for i in range(N)}


def test_a_picture_in_a_conversation_is_not_passed_over(tmp_path: Path) -> None:
    said = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    rows = [
        {"messages": [{"role": "user", "content": said}, {"role": "assistant", "content": f"{i}"}]} for i in range(N)
    ]
    with pytest.raises(DataError, match="no input and target were found"):
        proposed(tmp_path, {"a.jsonl": jsonl(rows)})

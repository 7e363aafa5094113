"""``t2t explain``: the page, the lines and the check, from a file of records."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from t2t.cli import main
from t2t.config.run import Lengths
from t2t.config.template import read_template
from t2t.errors import InputError
from t2t.explaining.deletion import Fall, holds, summed_up
from t2t.explaining.explainer import AttributedText, Explained, Explainer, Item
from t2t.explaining.page import page
from t2t.explaining.source_pieces import Piece
from t2t.model.backbone import build_from_scratch, load_pretrained
from t2t.model.peft import adapted, read_method, save_adapter, weights_hash
from t2t.model.tokenizer import train_tokenizer
from t2t.serving.inputs import as_examples, given_records
from t2t.serving.model import Model, load
from t2t.serving.routing import BestOf
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.kept import FILE, keep
from t2t.tasks.task import Task
from tests.explaining.conftest import MOODS, lines

Run = Callable[..., int]
WINDOWED = """\
task: names/long
version: 1
source: {format: jsonl, train: train.jsonl}
prompt: "names in: {text}"
window: {field: text, characters: 30, stride: 20}
target: {each: mentions, as: "{text}", fields: {text: {span_of: text}}}
metrics: [exact_match]
"""


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Run:
    def explain(*more: str) -> int:
        out = ("--output", str(tmp_path / "out.html"), "--json", str(tmp_path / "out.jsonl"))
        return main(["explain", "--model", str(model), *out, *more])

    return explain


def test_a_page_lines_and_a_check(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = lines(9, 12)
    rows = [json.dumps({"id": f"<b>{n}", "content": text}) for n, (text, _) in enumerate(known)]
    (tmp_path / "in.jsonl").write_text("\n".join([*rows, '{"text": 5}', json.dumps({"content": "late"})]))
    more = ("--task", "mood/line", "--field", "text=content", "--limit", "13")
    assert run("--input", str(tmp_path / "in.jsonl"), *more) == 0
    told = capsys.readouterr()
    assert "top falls more" in told.out
    assert "the first 13 records are explained; --limit N takes more" in told.err
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [one["id"] for one in found] == [f"<b>{n}" for n in range(12)]
    for one, (text, word) in zip(found, known, strict=True):
        assert one["value"] == one["output"] == MOODS[word]
        (item,) = one["items"]
        assert all(text[token["start"] : token["end"]] == token["text"] for token in item["tokens"])
        assert sum(token["weight"] for token in item["tokens"]) == pytest.approx(
            item["score"] - item["without"] + item["gap"], abs=1e-4
        )
    html = (tmp_path / "out.html").read_text()
    assert "<b>0" not in html
    assert html.count("<details open>") == 12
    assert "The top tokens matter more than others." in html
    assert "<script" not in html


def test_the_same_records_give_the_same_page(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("\n".join(text for text, _ in lines(4, 3)))
    pages = []
    for _ in range(2):
        assert run("--input", str(tmp_path / "in.txt")) == 0
        pages.append((tmp_path / "out.html").read_text())
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("given", "more", "words"),
    [
        ("the sun", ("--task", "mood/lime"), "mood/line"),
        ("", (), "it holds no record; name another file"),
        ('{"txt": 1}', ("--format", "jsonl"), "the record has no 'text'"),
        ("the sun", ("--output", "."), "--output: . is a folder; name a file"),
        ("the sun", ("--model", "nowhere"), "nowhere: no model/config.json; train first"),
    ],
)
def test_a_mistake_is_one_sentence(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str, more: tuple[str, ...], words: str
) -> None:
    (tmp_path / "in.txt").write_text(given)
    assert run("--input", str(tmp_path / "in.txt"), *more) == 2
    told = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert words in told[-1]
    assert not (tmp_path / "out.html").exists()


def test_without_captum_nothing_is_begun(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("t2t.explaining.gradients.find_spec", lambda name: None)
    assert run("--input", str(tmp_path / "not_there.txt")) == 2
    assert capsys.readouterr().err == (
        "t2t: t2t explain: attributions are computed by captum, which is not installed; "
        'install it: pip install "t2t[explain]"\n'
    )


def test_an_adapter_on_a_base_is_explained_as_if_it_were_alone(run: Run, model: Path, tmp_path: Path) -> None:
    alone, base, adapter = (tmp_path / name for name in ("alone", "base", "adapter"))
    for folder in (alone, base):
        shutil.copytree(model, folder)
    (base / FILE).unlink()
    made, method = load_pretrained(base), read_method({"method": "bitfit"}, str)
    assert method is not None
    digest = weights_hash(made)
    adapted(made, method)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters().values():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    save_adapter(made, method, alone)
    save_adapter(made, method, adapter, digest)
    shutil.copy(model / FILE, adapter / FILE)
    (tmp_path / "in.txt").write_text("\n".join(text for text, _ in lines(4, 2)))
    found = []
    for more in (("--model", str(alone)), ("--model", str(base), "--adapters", f"x={adapter}")):
        assert run("--input", str(tmp_path / "in.txt"), *more) in (0, 1)
        found.append((tmp_path / "out.jsonl").read_text())
    assert found[0] == found[1]
    assert run("--input", str(tmp_path / "in.txt")) in (0, 1)
    assert (tmp_path / "out.jsonl").read_text() != found[0]


def test_what_several_adapters_answer_is_not_explained(model: Path) -> None:
    loaded = load(model)
    assert isinstance(loaded, Model)
    loaded.generator = BestOf([loaded.generator, loaded.generator])
    with pytest.raises(InputError, match="several adapters answer it, and the surest output stands; name the one"):
        Explainer(loaded, loaded.answerer(None).task)


def test_tokens_of_windows_stand_where_the_record_has_them(tmp_path: Path) -> None:
    text = "Ada moved to Oslo. Rome fell, then 罗马 rose. Bo wept in Oslo all day."
    template = tmp_path / "names" / "long.yaml"
    template.parent.mkdir()
    template.write_text(WINDOWED)
    (template.parent / "train.jsonl").write_text(json.dumps({"text": text, "mentions": []}))
    tokenizer = train_tokenizer([text] * 20, 600)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    build_from_scratch(sizes, len(tokenizer)).save(tokenizer, tmp_path, 24)
    (tmp_path / FILE).write_text(keep([Task(read_template(template))], Lengths(prompt=40, target=24), "0.1.0"))
    loaded = load(tmp_path)
    assert isinstance(loaded, Model)
    answerer = loaded.answerer(None)
    examples = as_examples(given_records([text], answerer), answerer, {}, BadRecords())
    ((found, _),) = loaded.answered(answerer, examples, BadRecords())
    assert len(found.prompts) > 2
    explained = Explainer(loaded, answerer.task).explain(found)
    begins = {one.shown[0].start for one in explained.items}
    assert len(begins) == len(found.prompts)
    for one in explained.items:
        assert "".join(piece.text for piece in one.pieces) == one.shown[0].text.replace(" ", "")
        assert all(text[piece.start : piece.end] == piece.text for piece in one.pieces)
        assert text.startswith(one.shown[0].text, one.shown[0].start)


def item(weights: tuple[float, ...], gap: float = 0.0) -> Item:
    text = "我 <i>在</i>罗马"
    pieces = (
        Piece("text", 10, 11, "我", (0,)),
        Piece("text", 15, 16, "在", (1,)),
        Piece("text", 20, 22, "罗马", (2, 3)),
    )
    return Item("mentions", "罗马 = city", -0.5, -9.0, gap, pieces, weights, (), (AttributedText("text", 10, text),))


def test_shades_are_relative_and_all_text_is_kept_and_escaped() -> None:
    html = page("a/b", "runs/x", [Explained("1", "罗马 = city", None, (item((0.01, -1.0, 4.0), gap=1.0),))], [])
    assert '我 &lt;i&gt;<mark class="against" style="--much:25%" title="-1.000">在</mark>&lt;/i&gt;' in html
    assert '<mark class="for" style="--much:100%" title="+4.000">罗马</mark>' in html
    assert "the shades miss the difference by +1.00 nats" in html
    assert "there is nothing to compare" in html
    assert "the shades say little" not in html
    assert "prefers-color-scheme:dark" in html


def test_an_item_that_needs_no_text_says_so() -> None:
    blind = replace(item((0.01, 0.02, 0.03)), without=-0.6)
    assert "the shades say little" in page("a/b", "x", [Explained("1", "罗马 = city", None, (blind,))], [])


def test_an_output_without_items_says_so() -> None:
    assert "There is nothing to explain" in page("a/b", "x", [Explained("1", "", None, ())], [])


def test_falls_are_summed_up_by_size() -> None:
    falls = summed_up([(Fall(1, 3.0, 1.0), Fall(2, 1.0, 2.0)), (Fall(1, 1.0, 2.0),), ()])
    assert [(one.size, one.items, one.top, one.random, one.ahead) for one in falls] == [
        (1, 2, 2.0, 1.5, 0.5), (2, 1, 1.0, 2.0, 0.0),
    ]  # fmt: skip
    assert not holds(falls)
    assert holds(falls[:1])
    html = page("a/b", "x", [], falls)
    assert "do not rely on these shades" in html

"""Mention replacement in use: what training reads, what `t2t check` and `t2t show` say."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2t.authoring.show import show
from t2t.cli import main
from t2t.config.run import Lengths
from t2t.data.cache import encode_split
from t2t.data.encode import Encoder
from t2t.errors import TemplateError
from t2t.model.tokenizer import decode_text, train_tokenizer
from t2t.tasks.mixture import Mixture
from t2t.tasks.task import Task
from t2t.training.epochs import data_by_epoch
from t2t.training.preparation import Prepared
from tests.tasks.mention_samples import RECORDS, TEMPLATE, make, record

TOKENIZER = train_tokenizer(["slots: from Rome to Oslo travel @ Bergen = city 北京 pasta dish eat"] * 20, 600)


def test_what_varies_is_encoded_anew_in_each_epoch(tmp_path: Path) -> None:
    task = make(tmp_path)
    assert task.prompts_vary
    assert task.in_each_wording() == []
    plain = make(tmp_path, TEMPLATE.replace("replace_mentions", "# replace_mentions"))
    assert not plain.prompts_vary
    assert plain.fingerprint != task.fingerprint


def lengths(task: Task) -> list[int]:
    """The tokens of the prompts of the records as they are."""
    return [len(TOKENIZER(task.prompt(one))["input_ids"]) for one in task.examples("train")]


def test_training_reads_what_the_epoch_draws(tmp_path: Path) -> None:
    task, encoder = make(tmp_path), Encoder(TOKENIZER, 100, 100)

    def read(seed: int, epoch: int | None) -> list[tuple[str, str]]:
        rows = encode_split(encoder, task, "train", seed=seed, epoch=epoch)
        return [(decode_text(TOKENIZER, row.input_ids), decode_text(TOKENIZER, row.labels)) for row in rows]

    def said(seed: int, epoch: int | None) -> list[tuple[str, str]]:
        drawn = [task.drawn(one, seed=seed, epoch=epoch) for one in task.examples("train")]
        return [(task.prompt(one), task.target_text(one)) for one in drawn]

    asked = [(seed, epoch) for seed in (1, 2) for epoch in (None, 0, 1, 2)]
    assert [read(*one) for one in asked] == [said(*one) for one in asked]
    assert read(1, 0) != read(1, 1)
    assert read(1, 0) != read(2, 0)
    assert [prompt for prompt, _ in read(1, None)] == [f"slots: {one['text']}" for one in RECORDS]


def test_what_would_be_cut_as_it_is_drawn_stays_undrawn(tmp_path: Path) -> None:
    name = "Llanfairpwllgwyngyll"
    template = TEMPLATE.replace("0.5", "1.0") + "shorten: {field: text}\n"
    records = [record(f"to {one}", "go", **{one: "city"}) for one in ("Rome", "Oslo", name)]
    task = make(tmp_path, template, records)
    *short, longest = lengths(task)
    assert longest > max(short)
    encoder = Encoder(TOKENIZER, longest - 1, 100)
    for epoch in range(20):
        for row in encode_split(encoder, task, "train", epoch=epoch)[:2]:
            target = decode_text(TOKENIZER, row.labels)
            assert decode_text(TOKENIZER, row.input_ids).removeprefix("slots: to ") == target.split(" ")[2]
    assert encoder.counts[task.name].prompts_cut <= 20  # the long record, where it is not drawn shorter


def test_a_record_set_aside_is_in_no_epoch_and_the_others_keep_their_places(tmp_path: Path) -> None:
    name = "Llanfairpwllgwyngyll"
    template = TEMPLATE.replace("0.5", "0.7") + "on_bad: skip\n"
    records = [record(f"to {one} {n}", "go", **{one: "city"}) for n, one in enumerate(("Rome", "Oslo", name, "Bergen"))]
    task = make(tmp_path, template, records)
    *_, longest, last = lengths(task)
    assert longest > last
    encoder = Encoder(TOKENIZER, longest - 1, 100)
    data = encode_split(encoder, task, "train")
    prepared = Prepared(
        [task], TOKENIZER, encoder, [data], Mixture([len(data)], [1.0], 0), Lengths(prompt=longest - 1, target=100)
    )
    by_epoch = data_by_epoch(prepared)
    assert [row.id for row in data] == ["train:0", "train:1", "train:3"]
    texts = set()
    for epoch in range(10):
        (rows,) = by_epoch(epoch)
        assert [row.id for row in rows] == [row.id for row in data]
        texts |= {decode_text(TOKENIZER, row.input_ids) for row in rows}
    assert len(texts) > 3
    counts = prepared.drawn[task.name]
    assert counts.prompts_cut == 0
    assert 30 <= counts.n <= 40  # rows of ten epochs; the record that was set aside counts where its draw fits


def test_check_refuses_it_where_a_label_set_is_open_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = TEMPLATE.replace("intent: {label: {go: travel, eat: eat}}", "intent: {label: {from: train}}")
    task = make(tmp_path, template.replace("[type,", "[typ,"))
    with pytest.raises(TemplateError, match="'typ' is no field"):
        task.prompt(next(iter(task.examples("train"))))
    assert main(["check", str(task.template.path)]) == 2
    assert "'typ' is no field" in capsys.readouterr().out


def test_show_prints_an_example_as_an_epoch_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path)
    path = str(tmp_path / "demo" / "slots.yaml")
    prompts = {line for epoch in range(30) for line in show(path, epoch=epoch).splitlines() if "prompt" in line}
    assert len(prompts) > 3
    assert all("round trip  equal" in show(path, epoch=epoch) for epoch in range(30))
    task = make(tmp_path)
    example = next(iter(task.examples("train")))
    texts = [task.drawn(example, epoch=epoch).fields["text"] for epoch in range(30)]
    for epoch, text in enumerate(texts):
        shown = show(path, epoch=epoch)
        assert 'text: "from Rome to Oslo"' in shown  # the record as it is
        assert (f' exchanged  text: "{text}"' in shown) == (text != "from Rome to Oslo")
    epoch = next(epoch for epoch, text in enumerate(texts) if text != "from Rome to Oslo")
    assert main(["show", path, "--epoch", str(epoch)]) == 0
    assert capsys.readouterr().out == show(path, epoch=epoch) + "\n"


def test_show_says_equal_where_the_gold_has_no_places(tmp_path: Path) -> None:
    unplaced = record("Rome to Oslo, Rome", "go", Oslo="city", Rome="city")
    for one in unplaced["slots"]:
        one["text"] = one["text"]["text"]
    task = make(tmp_path, TEMPLATE, [unplaced])
    assert "round trip  equal" in show(str(task.template.path))
    unplaced["slots"][1]["text"] = {"text": "Rome", "start": 0}  # grounding takes the one after Oslo
    make(tmp_path, TEMPLATE, [unplaced])
    assert "round trip  DIFFERS from gold" in show(str(task.template.path))


def test_show_prints_the_types_that_an_epoch_asks_for(tmp_path: Path) -> None:
    template = TEMPLATE.replace("slots: {text}", "{type.labels}: {text}") + "types: {node: slots.type}\n"
    task = make(tmp_path, template)
    example = next(iter(task.examples("train")))
    for epoch in range(10):
        shown, drawn = show(str(task.template.path), epoch=epoch), task.drawn(example, epoch=epoch)
        assert f"    target  {task.target_text(drawn, epoch=epoch)}\n" in shown
        assert "round trip  equal" in shown

"""Mention replacement: what makes two mentions one kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tasks.mention_samples import TEMPLATE, fail_of, make

ITEMS = (
    "task: demo/slots\nversion: 1\nsource: {format: jsonl, train: train.jsonl}\nprompt: '{text}'\n"
    "replace_mentions: 1\ntarget:\n  each: slots\n  as: '{text} = {more}'\n"
    "  fields: {text: {span_of: text}, more: MORE}\nmetrics: [exact_match]\n"
)


def test_without_alike_all_of_the_item_must_be_the_same(tmp_path: Path) -> None:
    template = (
        "task: demo/slots\nversion: 1\nsource: {format: jsonl, train: train.jsonl}\nprompt: '{text}'\n"
        "replace_mentions: 1\ntarget:\n  each: slots\n  as: '{text} = {kinds} ( {id} )'\n"
        '  fields: {text: {span_of: text}, kinds: {labels: [city, dish], between: " + "}, id: {text: id, gold: id}}\n'
        "metrics: [exact_match]\n"
    )
    kinds = {"Rome": ["city"], "Roma": ["city"], "Romano": ["city", "dish"], "pasta": ["dish"]}
    records = [
        {"text": f"to {said}", "slots": [{"text": {"text": said, "start": 3}, "kinds": kinds[said], "id": said[:3]}]}
        for said in kinds
    ]
    task = make(tmp_path, template, records)
    drawn = [{task.drawn(one, epoch=epoch).fields["text"] for epoch in range(50)} for one in task.examples("train")]
    assert drawn == [{"to Rome", "to Roma"}, {"to Rome", "to Roma"}, {"to Romano"}, {"to pasta"}]


def test_a_number_is_the_chance_and_the_item_alone_says_what_is_shared(tmp_path: Path) -> None:
    task = make(tmp_path, TEMPLATE.replace("{chance: 0.5, alike: [type, intent]}", "1"))
    example = list(task.examples("train"))[1]
    texts = {task.drawn(example, epoch=epoch).fields["text"] for epoch in range(200)}
    assert texts == {"去 Rome 吧", "去 Oslo 吧", "去 北京 吧", "去 Bergen 吧"}


@pytest.mark.parametrize(
    ("more", "values"),
    [
        (
            "{as: '< {kind} ~ {place} >', gold: more, fields: {kind: {label: [man, city]}, place: {span_of: text}}}",
            [{"kind": kind, "place": {"text": "in", "start": 5}} for kind in ("man", "man", "city")],
        ),
        (
            "{each: more, as: '{it}', between: ',', fields: {it: {label: [a, b], gold: '@'}}}",
            [["a"], ["a"], ["a", "b"]],
        ),
    ],
)
@pytest.mark.parametrize("alike", ["", "alike: [more], "])
def test_all_of_an_item_but_its_places_says_its_kind(tmp_path: Path, more: str, values: list[Any], alike: str) -> None:
    template = ITEMS.replace("MORE", more).replace("replace_mentions: 1", f"replace_mentions: {{{alike}chance: 1}}")
    names = ["Alma", "Bodo", "Rome"]
    records = [
        {"text": f"{name} in x", "slots": [{"text": {"text": name, "start": 0}, "more": value}]}
        for name, value in zip(names, values, strict=True)
    ]
    task = make(tmp_path, template, records)
    seen = []
    for example in task.examples("train"):
        drawn = [task.drawn(example, epoch=epoch) for epoch in range(30)]
        assert all(task.parse(task.target_text(one), one).value == one.gold for one in drawn)
        seen.append({one.fields["text"][:4] for one in drawn})
    assert seen == [{"Alma", "Bodo"}, {"Alma", "Bodo"}, {"Rome"}]


def test_records_of_places_alone_and_lists_of_places_say_no_kind(tmp_path: Path) -> None:
    place = "place: {span_of: text}"
    records = [
        {"text": f"{who} in Rome", "slots": [{"text": {"text": who, "start": 0}, "more": {"place": place}}]}
        for who, place in (("Al", {"text": "Rome", "start": 6}), ("Bob", {"text": "Rome", "start": 7}))
    ]
    task = make(tmp_path, ITEMS.replace("MORE", f"{{as: '< {{place}} >', gold: more, fields: {{{place}}}}}"), records)
    example = next(iter(task.examples("train")))
    drawn = [task.drawn(example, epoch=epoch) for epoch in range(30)]
    assert {task.target_text(one) for one in drawn} == {"Al = < Rome >", "Bob = < Rome >"}
    assert all(task.parse(task.target_text(one), one).value == one.gold for one in drawn)
    for record_ in records:
        record_["slots"][0]["more"] = [record_["slots"][0]["more"]]
    listed = ITEMS.replace("MORE", f"{{each: more, as: '{{place}}', between: ',', fields: {{{place}}}}}")
    task = make(tmp_path, listed, records)
    example = next(iter(task.examples("train")))
    assert {task.target_text(task.drawn(example, epoch=epoch)) for epoch in range(30)} == {"Al = Rome", "Bob = Rome"}
    named = listed.replace("replace_mentions: 1", "replace_mentions: {alike: [more]}")
    assert "alike: 'more' holds places, which no two mentions share" in fail_of(tmp_path, named)


def test_a_list_in_records_shares_fields_by_their_paths(tmp_path: Path) -> None:
    template = (
        "task: demo/slots\nversion: 1\nsource: {format: jsonl, train: train.jsonl}\nprompt: '{text}'\n"
        "replace_mentions: {chance: 1, list: what.v.1.slots, alike: [what.v.1.kind]}\n"
        "target:\n  as: '{what}'\n  fields:\n    what:\n      as: '{v.1}'\n      fields:\n        v.1:\n"
        "          as: '{kind} @ {slots}'\n"
        "          fields:\n            kind: {label: [a, b]}\n"
        "            slots: {each: slots, as: '{it}', fields: {it: {span_of: text, gold: '@'}}}\n"
        "metrics: [exact_match]\n"
    )
    records = [
        {"text": f"to {said}", "kind": kind, "slots": [{"text": said, "start": 3}]}
        for said, kind in (("Rome", "a"), ("Oslo", "a"), ("Bonn", "b"))
    ]
    task = make(tmp_path, template, records)
    drawn = [{task.drawn(one, epoch=epoch).fields["text"] for epoch in range(30)} for one in task.examples("train")]
    assert drawn == [{"to Rome", "to Oslo"}, {"to Rome", "to Oslo"}, {"to Bonn"}]
    said = fail_of(tmp_path, template.replace("alike: [what.v.1.kind]", "alike: [kind]"))
    assert "alike: 'kind' is no field of the list or of the target; use one of: what, what.v.1, what.v.1.kind" in said

"""Mention replacement: an epoch sees other mentions of the same kind, with offsets that fit."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2t.linear.mentions import apart, place_of, replaced
from t2t.structures import Span
from t2t.tasks.task import Task, load_task
from t2t.trust import VARIABLE
from tests.tasks.mention_samples import TEMPLATE, fail_of, make, record, slot


def test_an_epoch_sees_other_mentions_of_the_same_kind_where_they_stand(tmp_path: Path) -> None:
    task = make(tmp_path)
    seen: dict[str, set[str]] = {}
    for example in task.examples("train"):
        for epoch in range(200):
            drawn = task.drawn(example, seed=1, epoch=epoch)
            seen.setdefault(example.id, set()).add(task.prompt(drawn, seed=1, epoch=epoch))
            assert task.parse(task.target_text(drawn, seed=1, epoch=epoch), drawn).value == drawn.gold
            for one in drawn.gold["slots"]:
                span = one["text"]
                assert drawn.fields["text"][span.start : span.end] == span.text
    first, second, third, fourth, fifth = seen.values()
    cities = ["Rome", "Oslo", "北京"]
    assert first == {f"slots: from {one} to {other}" for one in cities for other in cities}
    assert second == {f"slots: 去 {city} 吧" for city in cities}
    assert third == {f"slots: {dish} in Rome Rome" for dish in ("pasta", "soup")}
    assert fourth == {"slots: soup in Bergen", "slots: pasta in Bergen"}  # only this one is a city of eating
    assert fifth == {"slots: hello"}


def test_the_draw_is_a_function_of_seed_epoch_and_id(tmp_path: Path) -> None:
    task, again = make(tmp_path), make(tmp_path)
    example = next(iter(task.examples("train")))
    draws = [task.drawn(example, seed=seed, epoch=epoch) for seed in (1, 2) for epoch in range(30)]
    assert draws == [again.drawn(example, seed=seed, epoch=epoch) for seed in (1, 2) for epoch in range(30)]
    assert draws[:30] != draws[30:]
    assert task.drawn(example) is example


def test_mentions_are_drawn_as_often_as_they_stand_in_training(tmp_path: Path) -> None:
    records = [record("to Rome", "go", Rome="city")] * 9 + [record("to Oslo", "go", Oslo="city")]
    task = make(tmp_path, TEMPLATE.replace("0.5", "1.0"), records)
    example = next(iter(task.examples("train")))
    texts = [task.drawn(example, epoch=epoch).fields["text"] for epoch in range(1000)]
    assert 850 < texts.count("to Rome") < 950
    assert texts.count("to Rome") + texts.count("to Oslo") == 1000


def test_a_run_that_trains_on_a_few_draws_from_those_alone(tmp_path: Path) -> None:
    task = Task(make(tmp_path).template, limit=1)
    example = list(task.examples("train"))[1]
    assert {task.drawn(example, epoch=epoch).fields["text"] for epoch in range(50)} == {
        f"去 {city} 吧" for city in ("北京", "Rome", "Oslo")
    }


def test_nested_mentions_stay_and_move_along(tmp_path: Path) -> None:
    template = TEMPLATE.replace("chance: 0.5, alike: [type, intent]", "chance: 1.0, list: slots")
    texts = [
        record("x Bank of Oslo y Rome z", "go", **{"Bank of Oslo": "city", "Oslo": "city", "Rome": "city"}),
        record("Trondheim", "go", Trondheim="city"),
    ]
    task = make(tmp_path, template, texts)
    example = next(iter(task.examples("train")))
    found = {task.drawn(example, epoch=epoch).fields["text"] for epoch in range(100)}
    assert found == {f"x Bank of Oslo y {one} z" for one in ("Bank of Oslo", "Oslo", "Rome", "Trondheim")}
    inner = {"text": {"text": "Oslo", "start": 15}, "type": "city"}
    texts[0] = record("Rome z Bank of Oslo", "go", Rome="city", **{"Bank of Oslo": "city"})
    texts[0]["slots"].append(inner)
    task = make(tmp_path, template, texts)
    example = next(iter(task.examples("train")))
    for epoch in range(100):
        drawn = task.drawn(example, epoch=epoch)
        assert drawn.fields["text"].endswith(" z Bank of Oslo")
        places = [place_of(slot["text"]) for slot in drawn.gold["slots"]]
        assert [drawn.fields["text"][slice(*place)] for place in places if place][1:] == ["Bank of Oslo", "Oslo"]


def test_an_example_with_a_mention_of_unknown_place_stays(tmp_path: Path) -> None:
    unplaced = record("to Rome from Oslo", "go", Rome="city", Oslo="city")
    del unplaced["slots"][0]["text"]["start"]
    task = make(tmp_path, TEMPLATE.replace("0.5", "1.0"), [unplaced, record("to Bergen", "go", Bergen="city")])
    first, second = task.examples("train")
    assert {task.drawn(first, epoch=epoch).fields["text"] for epoch in range(50)} == {"to Rome from Oslo"}
    texts = {task.drawn(second, epoch=epoch).fields["text"] for epoch in range(50)}
    assert texts == {"to Rome", "to Oslo", "to Bergen"}


def test_the_limit_holds_for_every_way_to_the_task(tmp_path: Path) -> None:
    path = make(tmp_path).template.path
    texts = {f"去 {city} 吧" for city in ("北京", "Rome", "Oslo")}
    tasks = [load_task(str(path), limit=1)]
    typed = make(tmp_path, TEMPLATE.replace("slots: {text}", "{type.labels}: {text}") + "types: {node: slots.type}\n")
    tasks.append(Task(typed.template, limit=1).with_types(["city"]))
    for task in tasks:
        example = list(task.examples("train"))[1]
        assert {task.drawn(example, epoch=epoch).fields["text"] for epoch in range(60)} == texts


def test_tasks_and_examples_draw_apart(tmp_path: Path) -> None:
    """Two tasks on one source, and two examples alike, do not see the same draws."""
    here = make(tmp_path)
    other = Task(replace(here.template, task="demo/other"))
    twins = [replace(next(iter(here.examples("train"))), id=f"train:{n}") for n in range(2)]
    for pair in [(here.drawn, twins[0], other.drawn, twins[0]), (here.drawn, twins[0], here.drawn, twins[1])]:
        drawn = [[pair[n](pair[n + 1], epoch=epoch).fields["text"] for epoch in range(40)] for n in (0, 2)]
        assert drawn[0] != drawn[1]


def test_spans_of_another_field_stay(tmp_path: Path) -> None:
    template = TEMPLATE.replace("slots: {text}", "slots: {text} / {note}").replace("0.5", "1.0")
    template = template.replace('as: "{intent} @ {slots}"', 'as: "{intent} @ {slots} @ {where}"').replace(
        "    slots:\n", "    where: {span_of: note, gold: where}\n    slots:\n"
    )
    records = [record("Rome", "go", Rome="city"), record("Oslo!", "go", Oslo="city")]
    for one in records:
        one |= {"note": "Bonn or Kiel", "where": {"text": "Kiel", "start": 8}}
    records[1]["where"] = {"text": "Bonn", "start": 0}  # the place that the mention has in its own field
    task = make(tmp_path, template, records)
    for example, kept in zip(task.examples("train"), ("Kiel", "Bonn"), strict=True):
        drawn = [task.drawn(example, epoch=epoch) for epoch in range(20)]
        assert len({one.fields["text"] for one in drawn}) == 2
        assert {one.fields["note"] for one in drawn} == {"Bonn or Kiel"}
        assert {task.target_text(one).split(" @ ")[2] for one in drawn} == {kept}


def test_mentions_side_by_side(tmp_path: Path) -> None:
    records = [
        record("去北京上海吧", "go", 北京="city", 上海="city"),
        record("克里斯蒂安桑", "go", 克里斯蒂安桑="city"),
    ]
    task = make(tmp_path, TEMPLATE, records)
    names = ("北京", "上海", "克里斯蒂安桑")
    texts = set()
    example = next(iter(task.examples("train")))
    for epoch in range(200):
        drawn = task.drawn(example, epoch=epoch)
        texts.add(drawn.fields["text"])
        spans = [slot["text"] for slot in drawn.gold["slots"]]
        assert [drawn.fields["text"][span.start : span.end] for span in spans] == [span.text for span in spans]
    assert texts == {f"去{first}{second}吧" for first in names for second in names}


def test_blanks_at_the_edges_stay_and_mentions_of_blanks_too(tmp_path: Path) -> None:
    blank = {"text": "from Rome to Oslo", "intent": "go", "slots": [slot("Rome ", 5), slot(" Oslo", 12)]}
    nothing = {"text": "to   now", "intent": "go", "slots": [slot(" ", 3)]}
    task = make(tmp_path, TEMPLATE.replace("0.5", "1.0"), [blank, nothing])
    first, second = task.examples("train")
    texts = {task.drawn(first, epoch=epoch).fields["text"] for epoch in range(50)}
    assert texts == {f"from {one} to {other}" for one in ("Rome", "Oslo") for other in ("Rome", "Oslo")}
    assert {task.drawn(second, epoch=epoch).fields["text"] for epoch in range(50)} == {"to   now"}


def test_arguments_of_relations_change_with_their_mention(tmp_path: Path) -> None:
    template = (
        "task: demo/slots\nversion: 1\nsource: {format: jsonl, train: train.jsonl}\nprompt: '{text}'\n"
        "replace_mentions: 1\ntarget:\n  as: '{slots} @ {links}'\n  fields:\n"
        "    slots: {each: slots, as: '{text} = {type}', fields: {text: {span_of: text}, type: {label: [man, city]}}}\n"
        "    links: {each: links, as: '{who} ~ {place}', fields: {who: {span_of: text}, place: {span_of: text}}}\n"
        "metrics: [exact_match]\n"
    )
    records = [record("Al is in Rome", "go", Al="man", Rome="city"), record("Bo, Oslo", "go", Bo="man", Oslo="city")]
    for one in records:
        who, place = (slot["text"] for slot in one["slots"])
        one["links"] = [{"who": who, "place": place}]
    records.append(record("Al of Al", "go", Al="man"))
    records[2]["slots"] *= 2  # the same place twice in the list is there once
    records[2]["links"] = []
    task = make(tmp_path, template, records)
    first, _, third = task.examples("train")
    drawn = [task.drawn(first, epoch=epoch) for epoch in range(50)]
    assert {task.target_text(one) for one in drawn} == {
        f"{who} = man ; {place} = city @ {who} ~ {place}" for who in ("Al", "Bo") for place in ("Rome", "Oslo")
    }
    assert all(task.parse(task.target_text(one), one).value == one.gold for one in drawn)
    assert {task.drawn(third, epoch=epoch).fields["text"] for epoch in range(50)} == {"Al of Al", "Bo of Al"}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("{each: slots, as: '{it}', fields: {it: {span_of: text, gold: '@'}}}", "{0} ; {1}"),
        ("{inline: text, gold: slots, as: '[ {it} ]', fields: {it: {span_of: text, gold: '@'}}}", "[ {0} ] or [ {1} ]"),
    ],
)
def test_plain_lists_and_marked_copies_move_too(tmp_path: Path, target: str, said: str) -> None:
    template = f"{TEMPLATE[: TEMPLATE.index('target:')]}target: {target}\nmetrics: [exact_match]\n"
    cities = ("Rome", "Oslo", "Bergen")
    records = [record(f"{one} or Kiel", "go", **{one: "city", "Kiel": "city"}) for one in cities]
    for one in records:
        one["slots"] = [slot["text"] for slot in one["slots"]]
    task = make(tmp_path, template.replace("{chance: 0.5, alike: [type, intent]}", "1"), records)
    example = next(iter(task.examples("train")))
    seen = set()
    for epoch in range(60):
        drawn = task.drawn(example, epoch=epoch)
        first, second = drawn.fields["text"].split(" or ")
        assert task.target_text(drawn) == said.format(first, second)
        seen |= {first, second}
    assert seen == {*cities, "Kiel"}


def test_the_how_manieth_is_counted_anew(tmp_path: Path) -> None:
    template = TEMPLATE.replace("0.5", "1.0").replace("{span_of: text}", "{span_of: text, repeat: number}")
    records = [record("a Rome to Oslo", "go", Oslo="city"), record("Rome to Bergen", "go", Rome="city", Bergen="city")]
    task = make(tmp_path, template, records)
    example = next(iter(task.examples("train")))
    said = set()
    for epoch in range(50):
        drawn = task.drawn(example, epoch=epoch)
        target = task.target_text(drawn, epoch=epoch)
        said.add((drawn.fields["text"], target))
        spans = [slot["text"] for slot in task.parse(target, drawn).value["slots"]]
        assert [(span.start, span.end) for span in spans] == [place_of(slot["text"]) for slot in drawn.gold["slots"]]
    assert said == {
        ("a Rome to Oslo", "travel @ Oslo = city"),
        ("a Rome to Bergen", "travel @ Bergen = city"),
        ("a Rome to Rome", "travel @ Rome #2 = city"),
    }


def test_mistakes_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = "{chance: 0.5, alike: [type, intent]}"
    assert "alike: 'typ' is no field of the list or of the target; did you mean 'type'" in fail_of(
        tmp_path, TEMPLATE.replace("[type,", "[typ,")
    )
    assert "alike: 'text' holds places, which no two mentions share" in fail_of(
        tmp_path, TEMPLATE.replace("[type,", "[text,")
    )
    assert "list: 'slot' is no list whose items have one span; did you mean 'slots'" in fail_of(
        tmp_path, TEMPLATE.replace(section, "{list: slot}")
    )
    assert "unknown key 'chanse'; did you mean 'chance'" in fail_of(tmp_path, TEMPLATE.replace("chance", "chanse"))
    assert "replace_mentions" in fail_of(tmp_path, TEMPLATE.replace(section, "1.5"))
    without = TEMPLATE[: TEMPLATE.index("target:")] + "target: {span_of: text, gold: text}\nmetrics: [exact_match]\n"
    assert "has no list whose items have one span" in fail_of(tmp_path, without)
    root = TEMPLATE[: TEMPLATE.index("target:")].replace(section, "{list: slots}") + (
        "target: {each: slots, as: '{text}', fields: {text: {span_of: text}}}\nmetrics: [exact_match]\n"
    )
    assert "list: names one, but the whole target is the list; leave list: out" in fail_of(tmp_path, root)
    monkeypatch.setenv(VARIABLE, "1")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "own_leaf.py").write_text("class Leaf:\n    pass\n")
    hidden = TEMPLATE.replace("slots: {text}", "slots: {words}")
    assert "exchanges mentions in 'text', which the prompt does not show; write {text} into it" in fail_of(
        tmp_path, hidden
    )
    listed = TEMPLATE + "lists: {text: {each: tokens, as: '{t}', fields: {t: '@'}, between: ' '}}\n"
    assert "exchanges mentions in 'text', which stands under lists:; give the list another name" in fail_of(
        tmp_path, listed
    )
    copied = TEMPLATE.replace('"{intent} @ {slots}"', '"{intent} @ {slots} @ {again}"').replace(
        "    slots:\n", "    again: {text: text, gold: text}\n    slots:\n"
    )
    for spelt in ("text: text, gold: text", "text: text, gold: '@.text'", "span_of: text, gold: '\"text\"'"):
        again = copied.replace("text: text, gold: text", spelt)
        assert "exchanges mentions in 'text', the gold of 'again' too; leave" in fail_of(tmp_path, again)
    elsewhere = "as: '< {t} >', gold: meta, fields: {t: {text: text, gold: text}}"
    make(tmp_path, copied.replace("text: text, gold: text", elsewhere)).compile()
    inside = copied.replace("text: text, gold: text", elsewhere.replace("gold: meta, ", ""))
    assert "exchanges mentions in 'text', the gold of 'again.t' too; leave" in fail_of(tmp_path, inside)
    python = TEMPLATE.replace("intent: {label: {go: travel, eat: eat}}", "intent: {python: own_leaf:Leaf}")
    assert "replace_mentions: nobody can move mentions in the Python node 'intent'" in fail_of(tmp_path, python)
    two = TEMPLATE.replace('"{intent} @ {slots}"', '"{intent} @ {slots} @ {more}"').replace(
        "    slots:\n", "    more: {each: slots, as: '{it}', fields: {it: {span_of: text, gold: text}}}\n    slots:\n"
    )
    assert "the target has the lists slots, more" in fail_of(tmp_path, two)


@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=8), st.data())
def test_places_move_with_their_texts(text: str, cuts: list[int], data: st.DataObject) -> None:
    points = sorted({0, len(text), *(cut for cut in cuts if cut <= len(text))})
    pairs = [(start, end) for start in points for end in points if start <= end]  # many touch, many overlap
    places = data.draw(st.lists(st.sampled_from(pairs), max_size=6))
    free = apart(places)
    for place in free:
        others = set(places) - {place}
        assert place[0] < place[1]
        assert all(other[1] <= place[0] or place[1] <= other[0] for other in others)
    edits: Mapping[tuple[int, int], str] = {
        place: data.draw(st.text(min_size=1, max_size=5)) for place in sorted(free) if data.draw(st.booleans())
    }
    new, move = replaced(text, edits)
    for place in places:
        span = move(Span(text[slice(*place)], *place))
        assert new[span.start : span.end] == span.text == edits.get(place, text[slice(*place)])

"""``t2t new`` on mentions, relations, events and slots: offsets and types of all their parts are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.proposals import jsonl, proposed

PEOPLE, FIRMS, N = ["Ada Moss", "Li Wei", "Uma Das"], ["Orbis", "Novi Lab"], 24


def story(number: int) -> tuple[str, str, str, str]:
    person, firm = PEOPLE[number % 3], FIRMS[number % 2]
    kind = ["works_for", "left"][number % 5 % 2]
    return f"{person} {'left' if kind == 'left' else 'works for'} {firm} in {number}.", person, kind, firm


def end(text: str, said: str, kind: str | None, **names: str) -> dict[str, Any]:
    start = text.index(said)
    found = {"text": said, "start": start, "end": start + len(said)} | ({"type": kind} if kind else {})
    return {names.get(key, key): value for key, value in found.items()}


ENDS: dict[str, Callable[[dict[str, Any], str, dict[str, Any]], dict[str, Any]]] = {
    "head, type, tail": lambda head, kind, tail: {"head": head, "type": kind, "tail": tail},
    "subject, predicate, object": lambda head, kind, tail: {"subject": head, "predicate": kind, "object": tail},
    "head, relation, tail": lambda head, kind, tail: {"head": head, "relation": kind, "tail": tail},
    "h, label, t": lambda head, kind, tail: {"h": head, "label": kind, "t": tail},
}


@pytest.mark.parametrize("form", ENDS)
def test_relations_whose_ends_are_objects_with_offsets(tmp_path: Path, form: str) -> None:
    rows, wanted = [], []
    for text, person, kind, firm in map(story, range(N)):
        rows.append({"text": text, "relations": [ENDS[form](end(text, person, "PER"), kind, end(text, firm, "ORG"))]})
        said = kind.replace("_", " ")
        wanted.append(f"{person} = PER ; {firm} = ORG @ {person} > {said} > {firm}")
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors, found.targets) == ("joint extraction", 0, wanted), found.output


PLACES: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "a pair": lambda start, end: {"pos": [start, end]},
    "a length": lambda start, end: {"offset": start, "length": end - start},
    "inclusive": lambda start, end: {"from": start, "to": end - 1},
    "UTF-16": lambda start, end: {"start": start + 1, "end": end + 1},
}


@pytest.mark.parametrize("form", PLACES)
def test_ends_by_places_of_any_form(tmp_path: Path, form: str) -> None:
    rows, wanted = [], []
    for text, person, kind, firm in map(story, range(N)):
        text = f"😀 {text}"
        ends = [
            {"name": said, "type": type_, **PLACES[form](text.index(said), text.index(said) + len(said))}
            for said, type_ in ((person, "PER"), (firm, "ORG"))
        ]
        rows.append({"text": text, "relations": [{"from": ends[0], "label": kind, "to": ends[1]}]})
        wanted.append(f"{person} = PER ; {firm} = ORG @ {person} > {kind.replace('_', ' ')} > {firm}")
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors, found.targets) == ("joint extraction", 0, wanted), found.output


def test_ends_by_places_of_tokens(tmp_path: Path) -> None:
    rows = [
        {"tokens": ["Ada", "Moss", ["left", "joined"][i % 2], "Orbis", str(i)], "relations": [
            {"head": {"start": 0, "end": 2, "type": "PER"}, "type": ["left", "joined"][i % 2],
             "tail": {"start": 3, "end": 4, "type": "ORG"}}]}
        for i in range(N)
    ]  # fmt: skip
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("joint extraction", 0), found.output
    assert found.targets[0] == "Ada Moss = PER ; Orbis = ORG @ Ada Moss > left > Orbis"


@pytest.mark.parametrize("tokens", [False, True])
def test_one_relation_between_two_given_ends(tmp_path: Path, tokens: bool) -> None:
    rows, wanted = [], []
    for text, person, kind, firm in map(story, range(N)):
        ends = {"h": {"name": person, "id": "Q1", "pos": [0, 2]}, "t": {"name": firm, "id": "Q2", "pos": [3, 4]}}
        rows.append({**({"token": text.split()} if tokens else {"text": text}), **ends, "relation": kind})
        wanted.append((f"head: {person} tail: {firm} text: {text}", kind.replace("_", " ")))
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors, found.pairs) == ("classification", 0, dict(wanted)), found.output


def test_ends_without_types_and_a_mention_that_has_two_places(tmp_path: Path) -> None:
    rows = [
        {"text": f"Oslo and Oslo {i}", "triples": [
            {"head": {"text": "Oslo", "start": 9, "end": 13}, "type": ["near", "far"][i % 2],
             "tail": {"text": "Oslo", "start": 0, "end": 4}}]}
        for i in range(N)
    ]  # fmt: skip
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("relation", 0), found.output
    assert found.targets == [f"Oslo #2 > {['near', 'far'][i % 2]} > Oslo" for i in range(N)]


def test_entities_beside_relations_whose_ends_repeat_them(tmp_path: Path) -> None:
    rows, wanted = [], []
    for text, person, kind, firm in map(story, range(N)):
        ends = [end(text, person, "PER"), end(text, firm, "ORG")]
        year = end(text, text.split()[-1][:-1], "YEAR")
        relation = {"type": kind, "head": ends[0], "tail": ends[1]}
        rows.append({"text": text, "entities": [*ends, year], "relations": [relation]})
        said = kind.replace("_", " ")
        wanted.append(f"{person} = PER ; {firm} = ORG ; {year['text']} = YEAR @ {person} > {said} > {firm}")
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors, found.targets) == ("joint extraction", 0, wanted), found.output


def test_triples_with_the_types_of_their_ends(tmp_path: Path) -> None:
    rows, wanted = [], []
    for text, person, kind, firm in map(story, range(N)):
        triple = {"subject": person, "subject_type": "PER", "predicate": kind, "object": firm}
        triple["object_type"] = ["ORG", "LAB"][FIRMS.index(firm)]
        rows.append({"text": text, "spo_list": [triple]})
        said = kind.replace("_", " ")
        wanted.append(f"{person} = PER > {said} > {firm} = {triple['object_type']}")
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors, found.targets) == ("relation", 0, wanted), found.output


def test_triples_whose_ends_are_objects_without_offsets(tmp_path: Path) -> None:
    rows, wanted = [], []
    for text, person, kind, firm in map(story, range(N)):
        triple = {"head": {"type": "PER", "text": person}, "type": kind, "tail": {"type": "ORG", "text": firm}}
        rows.append({"text": text, "relations": [triple]})
        wanted.append(f"{person} = PER > {kind.replace('_', ' ')} > {firm} = ORG")
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors, found.targets) == ("relation", 0, wanted), found.output


def event(number: int, chinese: bool) -> tuple[dict[str, Any], str]:
    text = f"Oslo and Oslo {number}: the attack before the attack hit Oslo."
    if not chinese:
        trigger, place = {"text": "attack", "start": text.rindex("attack")}, {"start": text.rindex("Oslo")}
        trigger |= {"end": trigger["start"] + 6}
        place |= {"role": "Place", "text": "Oslo", "end": place["start"] + 4}
        return {"text": text, "events": [{"trigger": trigger, "event_type": "Raid", "arguments": [place]}]}, text
    inner = {"argument": "Oslo", "role": "Place", "argument_start_index": text.rindex("Oslo"), "alias": []}
    whole = {"event_type": "Raid", "trigger": "attack", "trigger_start_index": text.rindex("attack")}
    return {"text": text, "event_list": [{**whole, "arguments": [inner], "class": "x"}]}, text


@pytest.mark.parametrize("chinese", [False, True], ids=["objects", "DuEE"])
def test_events_with_places(tmp_path: Path, chinese: bool) -> None:
    rows = [event(i, chinese)[0] for i in range(N)]
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("event", 0), found.output
    assert found.targets == ["attack #2 @ Raid @ Place = Oslo #3"] * N


def test_a_slot_with_its_place(tmp_path: Path) -> None:
    rows = [
        {"text": f"Oslo or Oslo {i}, fly to Oslo", "intent": "ab"[i % 2],
         "slots": [{"slot": "to", "value": "Oslo", "start": 22 + len(str(i)), "exclusive_end": 26 + len(str(i))}]}
        for i in range(N)
    ]  # fmt: skip
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("slots", 0), found.output
    assert found.targets == [f"{'ab'[i % 2]} @ Oslo #3 = to" for i in range(N)]


def test_slots_whose_names_are_words_of_the_text(tmp_path: Path) -> None:
    cities = ["Lima", "Oslo", "Porto"]
    rows = [
        {"text": f"fly from {cities[i % 3]} to {cities[(i + 1) % 3]}", "intent": ["ask", "fly"][i % 2],
         "slots": [{"slot": "from", "value": cities[i % 3]}, {"slot": "to", "value": cities[(i + 1) % 3]}]}
        for i in range(N)
    ]  # fmt: skip
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("slots", 0), found.output
    assert found.targets[0] == "ask @ Lima = from ; Oslo = to"


def test_what_stands_unread_inside_a_list_is_told(tmp_path: Path) -> None:
    rows = []
    for i, (text, person, kind, firm) in enumerate(map(story, range(N))):
        mentions = [end(text, person, "PER"), end(text, firm, "ORG")]
        mentions[0] |= {"links": [{"url": f"x{i}"}], "sense": "ab"[i % 2]}
        mentions[1] |= {"links": [], "sense": "c"}
        rows.append({"text": text, "entities": mentions, "kind": kind})
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert f"'entities.links': {N} lists of objects, not read" in found.output
    assert f"'entities.sense': {2 * N} texts, 3 different, not read" in found.output
    assert found.errors == 3, found.output  # the two of them, and kind


def test_mentions_with_a_space_at_their_end_are_told(tmp_path: Path) -> None:
    rows = []
    for i, (text, person, _, firm) in enumerate(map(story, range(N))):
        mentions = [end(text, person, "PER"), end(text, firm, "ORG")]
        for one in mentions:
            del one["text"]
        mentions[0]["end"] += i % 8 == 0
        rows.append({"text": text, "entities": mentions})
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert "3 mentions begin or end with a space, e.g. 'Ada Moss '" in found.output
    assert found.targets[1] == "Li Wei = PER ; Novi Lab = ORG"


def test_offsets_that_all_end_behind_a_space_are_not_inclusive(tmp_path: Path) -> None:
    rows = [
        {"text": f"Ada {i} works for Lumen.", "entities": [
            {"start": 0, "end": 4, "label": "PER"},
            {"start": 15 + len(str(i)), "end": 20 + len(str(i)), "label": "ORG"}]}
        for i in range(N)
    ]  # fmt: skip
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert [target.partition(" ; ")[2] for target in found.targets] == ["Lumen = ORG"] * N, found.output
    assert f"{N} mentions begin or end with a space" in found.output


def test_dygie_rows_of_sentences(tmp_path: Path) -> None:
    rows = [
        {"doc_key": str(i), "sentences": [["Ada", "left", str(i), "."], ["Bob", "saw", "Novi", "Lab"]],
         "ner": [[[0, 0, "PER"]], [[4, 4, "PER"], [6, 7, "ORG"]]], "relations": [[], [[4, 4, 6, 7, "saw"]]]}
        for i in range(N)
    ]  # fmt: skip
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("joint extraction", 0), found.output
    assert found.targets == ["Ada = PER ; Bob = PER ; Novi Lab = ORG @ Bob > saw > Novi Lab"] * N


SPACY = [[f"{p} joined {f} on {i}.", {"entities": [[0, len(p), "PER"], [len(p) + 8, len(p) + 8 + len(f), "ORG"]]}]
         for i in range(N) for p, f in [(PEOPLE[i % 3], FIRMS[i % 2])]]  # fmt: skip


@pytest.mark.parametrize("form", ["a.json", "a.jsonl", "annotator.json"])
def test_spacy_training_data(tmp_path: Path, form: str) -> None:
    content = {
        "a.json": json.dumps(SPACY),
        "a.jsonl": jsonl(SPACY),
        "annotator.json": json.dumps({"classes": ["PER", "ORG"], "annotations": SPACY}),
    }
    found = proposed(tmp_path, {form: content[form]})
    assert (found.family, found.errors) == ("ner", 0), found.output
    assert found.pairs == {text: f"{PEOPLE[i % 3]} = PER ; {FIRMS[i % 2]} = ORG" for i, (text, _) in enumerate(SPACY)}


def test_a_label_beside_mentions_that_some_records_lack_is_told(tmp_path: Path) -> None:
    rows = [
        {"text": f"Ada {i} left", "entities": [{"start": 0, "end": 3, "label": ["PER", "ORG"][i % 2]}],
         "label": ["a", "b", None][i % 3]}
        for i in range(N)
    ]  # fmt: skip
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors) == ("ner", 1), found.output
    assert "'label': 16 texts, 2 different, not read" in found.output


def test_categories_beside_spacys_mentions_are_told(tmp_path: Path) -> None:
    rows = [[text, {**marks, "cats": {"a": 1.0}}] for text, marks in SPACY]
    found = proposed(tmp_path, {"a.json": json.dumps(rows)})
    assert f"'item[1].cats': {N} objects with a, not read" in found.output
    assert (found.family, found.errors) == ("ner", 1)


def test_relations_that_name_their_ends_by_text(tmp_path: Path) -> None:
    rows, wanted = [], []
    for text, person, kind, firm in map(story, range(N)):
        relation = {"head": person, "tail": firm, "type": kind}
        rows.append({"text": text, "entities": [end(text, person, "P"), end(text, firm, "F")], "relations": [relation]})
        wanted.append(f"{person} = P ; {firm} = F @ {person} > {kind.replace('_', ' ')} > {firm}")
    found = proposed(tmp_path, {"a.jsonl": jsonl(rows)})
    assert (found.family, found.errors, found.targets) == ("joint extraction", 0, wanted), found.output

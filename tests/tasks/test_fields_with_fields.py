"""Adapters that refer to other fields, hold adapters of their own, or bound what they make."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from t2t.errors import DataError, TemplateError
from t2t.structures import Span, Value
from t2t.tasks.fields import ADAPTERS, compile_fields
from t2t.tasks.sources import RawRecord, build_source, data_dir
from t2t.tasks.task import Task, load_task
from tests.tasks.test_fields import field, mention

needs_data = pytest.mark.skipif(not data_dir().is_dir(), reason=f"no data sets at {data_dir()}; set T2T_DATA")


def test_items_refer_to_mentions_by_id_place_or_offsets() -> None:
    mentions = [{"start": 7, "end": 9, "type": "p", "id": "T2"}, {"start": 0, "end": 3, "type": "p", "id": 5}]
    ada, bo = Span("Ada", 0, 3), Span("Bo", 7, 9)
    expected = [{"head": ada, "head_type": "p", "tail": bo, "tail_type": "p", "type": "knows"}]
    ways = {
        "id": ({"head": "a", "tail": "b"}, {"a": "5", "b": "T2"}),
        "place": ({"head": "a", "tail": "b"}, {"a": 1, "b": 0}),
        "[start, end]": ({"head": "a", "tail": "b"}, {"a": [0, 3], "b": [7, 9]}),
    }
    for id_, (at, pair) in ways.items():
        fields = {
            "mentions": {"offsets": {"of": "m", "in": "t", "id": id_}},
            "relations": {"refer": {"of": "r", "to": "mentions", "at": at, "fields": {"type": "k"}}},
        }
        record = {"t": "Ada saw Bo"[:7] + "Bo", "m": mentions, "r": [{**pair, "k": "knows"}]}
        read = compile_fields(fields, Path(), "t.yaml:5")
        assert read(RawRecord("a:1", "0", record))["relations"] == expected
        assert read(RawRecord("a:1", "0", {**record, "r": None}))["relations"] == []
        with pytest.raises(DataError, match=r"field 'relations': refer: no mention has the id 9 \(there are: "):
            read(RawRecord("a:1", "0", {**record, "r": [{"a": 9, "b": 9, "k": "x"}]}))


def test_arguments_of_events_refer_too() -> None:
    fields = {
        "mentions": {"offsets": {"of": "m", "in": "t", "id": "id"}},
        "events": {
            "refer": {
                "of": "e",
                "to": "mentions",
                "at": {"trigger": "trigger"},
                "fields": {
                    "type": "type",
                    "args": {"of": "arguments", "at": {"text": "id"}, "fields": {"role": "role"}},
                },
            }
        },
    }
    marks = [{"id": "T1", "start": 0, "end": 3, "type": "p"}, {"id": "T2", "start": 4, "end": 7, "type": "MEET"}]
    events = [{"trigger": "T2", "type": "MEET", "arguments": [{"role": "who", "id": "T1"}]}]
    found = compile_fields(fields, Path(), "t.yaml:5")(RawRecord("a:1", "0", {"t": "Ada met", "m": marks, "e": events}))
    argument = {"text": Span("Ada", 0, 3), "text_type": "p", "role": "who"}
    trigger = {"trigger": Span("met", 4, 7), "trigger_type": "MEET"}
    assert found["events"] == [{**trigger, "type": "MEET", "args": [argument]}]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"of": "r", "at": {"head": "a"}}, "to: is missing"),
        ({"of": "r", "to": "m"}, "at: names no end"),
        (
            {"of": "r", "to": "m", "at": {"h": "a"}, "fields": {"x": {"of": "y", "at": {"z": "a"}, "by": 1}}},
            "the key 'by'",
        ),
    ],
)
def test_bad_references(spec: Any, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        field({"refer": spec})


def test_refer_wants_mentions_with_ids_above() -> None:
    spec = {"refer": {"of": "r", "to": "m", "at": {"head": "a"}}}
    with pytest.raises(DataError, match="to: names 'm', which is no field above this one"):
        field(spec, r=[])
    fields = {"m": {"offsets": {"of": "x", "in": "t"}}, "f": spec}
    record = {"r": [{"a": 1}], "x": [{"start": 0, "end": 1, "type": "y"}], "t": "a"}
    with pytest.raises(DataError, match="the mentions of 'm' have no id"):
        compile_fields(fields, Path(), "t.yaml:5")(RawRecord("a:1", "0", record))


def test_nested_objects_unfold_and_an_adapter_may_stand_in_the_place_of_an_expression() -> None:
    labels = {"person": {"Ada": [[0, 2]], "Bo": [[8, 9]]}, "place": {}}
    unfold = {"unfold": {"of": "label", "names": ["type", "text", "place"]}}
    assert field(unfold, label=labels) == [
        {"type": "person", "text": "Ada", "place": [0, 2]},
        {"type": "person", "text": "Bo", "place": [8, 9]},
    ]
    assert field({"unfold": {"of": "l", "names": ["type", "text"]}}, l={"a": ["x", "y"], "b": "z"}) == [
        {"type": "a", "text": "x"},
        {"type": "a", "text": "y"},
        {"type": "b", "text": "z"},
    ]
    spec = {"of": unfold, "in": "t", "start": "place[0]", "end": "place[1]", "ends": "inclusive", "surface": "text"}
    assert field({"offsets": spec}, label=labels, t="Ada met Bo") == [
        mention("Ada", 0, "person"),
        mention("Bo", 8, "person"),
    ]
    with pytest.raises(TemplateError, match="names: has fewer than two"):
        field({"unfold": {"of": "l", "names": ["a"]}})


def test_all_mentions_of_a_record_may_be_of_one_type() -> None:
    spec = {"offsets": {"of": "x", "in": "t", "types": "wanted"}}
    assert field(spec, x=[{"start": 0, "end": 3}], t="Ada met", wanted="person") == [mention("Ada", 0, "person")]


def test_one_hot_columns() -> None:
    spec = {"one_hot": ["good", "so so", "bad"]}
    assert field(spec, **{"good": 1, "so so": "true", "bad": "0"}) == ["good", "so so"]
    assert field(spec, **{"good": False, "so so": None}) == []
    with pytest.raises(DataError, match="good is 2; one_hot wants 0 and 1"):
        field(spec, good=2)


def test_parts_without_spaces_around_them() -> None:
    assert field({"split": {"of": "x", "by": ",", "strip": True}}, x=" a, b ,,c") == ["a", "b", "c"]
    assert field({"split": {"of": "x", "by": ",", "strip": True}}, x=" ") == []


def test_lookup_in_lists_and_in_the_record(tmp_path: Path) -> None:
    people = [{"id": 7, "name": "Ada"}, {"id": "8", "name": "Bo"}]
    (tmp_path / "people.json").write_text(json.dumps(people))
    for given in (people, "people.json"):
        spec = {"lookup": {"of": "who", "in": given, "key": "id", "value": "name"}}
        assert field(spec, tmp_path, who=["7", 8]) == ["Ada", "Bo"]
    assert field({"lookup": {"of": "n", "in": ["zero", "one"]}}, n=1) == "one"
    assert field({"lookup": {"of": "n", "among": "options"}}, n=1, options=["a", "b"]) == "b"
    spec = {"lookup": {"of": "who", "among": "people", "key": "id"}}
    assert field(spec, who=7, people=people) == people[0]
    with pytest.raises(DataError, match="lookup has no entry 9"):
        field(spec, who=9, people=people)
    with pytest.raises(TemplateError, match="wants either in: or among:"):
        field({"lookup": {"of": "n", "in": ["a"], "among": "x"}})


def test_items_of_a_map_see_their_record() -> None:
    spec = {"map": {"of": "items", "fields": {"word": "item", "of": "parent.name"}}}
    assert field(spec, items=["a", "b"], name="n") == [{"word": "a", "of": "n"}, {"word": "b", "of": "n"}]
    assert field({"map": {"of": "items", "fields": {"x": "x"}}}, items=[{"x": 1}]) == [{"x": 1}]


def test_a_flattening_expression_gets_a_hint() -> None:
    with pytest.raises(
        DataError, match=r"a text is needed, found .*; \[\] makes one list of lists of lists, \[\*\] keeps"
    ):
        field([{"get": "x[]"}, {"split": {"by": ","}}], x=[["a"], ["b"]])


def test_span_adapter() -> None:
    answers = [{"text": "Bo", "start": 4}, {"text": "Bo", "start": 0}, {"text": "Ada", "start": None}]
    assert field({"span": "x"}, x=answers[0]) == Span("Bo", 4, 6)
    assert field({"span": {"of": "x", "in": "c"}}, x=answers, c="Ada Bo") == [Span("Bo", 4, 6), Span("Bo"), Span("Ada")]
    assert field({"span": "x[0]"}, x=[]) is None


def test_offsets_count_characters_or_tokens() -> None:
    items = [{"start": 2, "end": 3, "type": "loc"}, {"start": 0, "end": 3, "type": "org"}]
    found = field({"offsets": {"of": "x", "tokens": "t"}}, x=items, t=["Bank", "of", "Kent", "fell"])
    assert found == [{"text": Span("Bank of Kent", 0, 12), "type": "org"}, {"text": Span("Kent", 8, 12), "type": "loc"}]
    spec = {"offsets": {"of": "x", "tokens": "t", "join": "", "start": "[0]", "end": "[1]", "type": "[2]"}}
    assert field(spec, x=[[1, 3, "地"]], t=list("在北京")) == [{"text": Span("北京", 1, 3), "type": "地"}]
    assert field({"offsets": {"of": "x", "in": "t"}}, x=None, t="a") == []
    with pytest.raises(DataError, match="a mention from 0 to 3 in a text of 2 tokens; count tokens from 0"):
        field({"offsets": {"of": "x", "tokens": "t"}}, x=[items[1]], t=["a", "b"])
    with pytest.raises(TemplateError, match="in: is missing; name the text, or tokens:"):
        field({"offsets": {"of": "x"}}, x=[])


REASON = "one piece of its text, so that it can be copied and found again"


@pytest.mark.parametrize(
    ("spec", "data"),
    [
        ({"offsets": {"of": "x", "in": "t"}}, {"x": [{"start": [0, 6], "end": [2, 8], "type": "p"}], "t": "ab or cd"}),
        ({"offsets": {"of": "x", "tokens": "t"}}, {"x": [{"start": [0], "end": [1], "type": 1}], "t": ["a"]}),
        ({"span": "x"}, {"x": {"text": ["ab", "cd"], "start": [0, 6]}}),
        ({"span": "x"}, {"x": {"text": "ab cd", "start": [0, 6]}}),
        ({"bio": {"tokens": "t", "tags": "x"}}, {"x": ["BD-p", "O", "ID-p"], "t": ["a", "or", "b"]}),
    ],
)
def test_discontinuous_mentions_are_refused_with_a_reason(spec: Any, data: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=rf"^a\.jsonl:7: field 'f': .*{REASON}"):
        field(spec, **data)


def test_turns() -> None:
    said = [{"speaker": "A", "text": "Hi."}, {"speaker": "B", "text": "Yes?"}]
    assert field({"turns": "x"}, x=said) == "A: Hi. B: Yes?"
    log = [{"text": "Hi."}, {"text": "Yes?"}, {"text": "No."}]
    spec = {"turns": {"of": "x", "speakers": ["user", "system"], "between": " / "}}
    assert field(spec, x=log) == "user: Hi. / system: Yes? / user: No."
    with pytest.raises(DataError, match="a text is needed"):
        field({"turns": "x"}, x=log)


def test_state() -> None:
    metadata = {
        "hotel": {
            "book": {"booked": [{"name": "x"}], "stay": "2"},
            "semi": {"name": "not mentioned", "area": "", "stars": "4"},
        },
        "train": {"semi": {"day": ["mon", "tue"]}},
    }
    hidden = {"of": "x", "hide": ["semi", "book"], "ignore": ["booked"], "drop": ["", "not mentioned"]}
    assert field({"state": hidden}, x=metadata) == [
        {"slot": "hotel stay", "value": "2"},
        {"slot": "hotel stars", "value": "4"},
        {"slot": "train day", "value": "mon"},
        {"slot": "train day", "value": "tue"},
    ]
    with pytest.raises(DataError, match="slot 'a b' holds null"):
        field({"state": "x"}, x={"a": {"b": None}})


def test_both_forms_of_a_meaning_representation_are_one() -> None:
    raw = "name[The Mill], eatType[pub], priceRange[£20-25], customer rating[5 out of 5], familyFriendly[no]"
    tokenised = (
        "__start_name__ The Mill __end_name__ __start_eatType__ pub __end_eatType__ __start_priceRange__ £ 20 - 25 "
        "__end_priceRange__ __start_customerrating__ 5 out of 5 __end_customerrating__ __start_familyFriendly__ no "
        "__end_familyFriendly__"
    )
    expected = [
        {"slot": "name", "value": "The Mill"},
        {"slot": "eat type", "value": "pub"},
        {"slot": "price range", "value": "£20-25"},
        {"slot": "customer rating", "value": "5 out of 5"},
        {"slot": "family friendly", "value": "no"},
    ]
    assert field({"meaning_representation": "x"}, x=raw) == expected
    assert field({"meaning_representation": "x"}, x=tokenised) == expected


def test_detokenize() -> None:
    text = "It 's £ 20 - 25 , don 't ask ! A family - friendly pub at 3.5 . <eos>|||0,2,0 2,3,1"
    assert field({"detokenize": "x"}, x=text) == "It's £20-25, don't ask! A family-friendly pub at 3.5."


@needs_data
def test_the_tokenised_copy_of_e2e_comes_back_to_the_original() -> None:
    """The archive holds a tokenised copy of the development set too, in the order of the original."""
    archive = "e2e_nlg/e2e_aligned.tar.gz!e2e_aligned/"
    facts = {"meaning_representation": "mr"}
    copy = {"mr": archive + "src_valid.txt", "text": archive + "valid.txt"}
    spec = {
        "copy": {"format": "parallel", "file": copy, "fields": {"facts": facts, "text": {"detokenize": "text"}}},
        "real": {"format": "csv", "file": "e2e_nlg/devset.csv", "fields": {"facts": facts, "text": "ref"}},
    }
    built = build_source(spec, Path(), "t.yaml:5")
    same = 0
    for ours, real in zip(built.records("copy"), built.records("real"), strict=True):
        assert {tuple(f.values()) for f in ours.data["facts"]} == {tuple(f.values()) for f in real.data["facts"]}
        same += ours.data["text"] == " ".join(real.data["text"].split())
    assert same == 4568  # of 4,672; the rest have stray spaces or quotation marks


@needs_data
def test_train_and_test_of_e2e_speak_one_language() -> None:
    task = load_task("e2e_nlg/text")
    values: dict[str, dict[str, set[str]]] = {}
    for split in ("train", "valid", "test"):
        found: dict[str, set[str]] = values.setdefault(split, {})
        for example in task.examples(split):
            for fact in example.fields["facts"]:
                found.setdefault(fact["slot"], set()).add(fact["value"])
    assert values["train"].keys() == values["test"].keys() == values["valid"].keys()
    assert all(values["test"][slot] <= values["train"][slot] for slot in values["test"])
    assert all(values["valid"][slot] <= values["train"][slot] for slot in values["valid"])
    assert {"customer rating", "family friendly", "eat type", "price range"} < values["train"].keys()


def spans(value: Value) -> Iterator[Span]:
    if isinstance(value, Span):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from spans(item)
    elif isinstance(value, list):
        for item in value:
            yield from spans(item)


# Examples and spans of a split, and the examples whose gold value, written and read, has other offsets.
COUNTS = {
    "snips/joint": {"train": (13084, 33958, 15), "valid": (700, 1794, 0), "test": (700, 1790, 1)},
    "wnut17/ner": {"train": (3394, 1975, 0), "valid": (1009, 836, 0), "test": (1287, 1079, 0)},
    "e2e_nlg/text": {"train": (42061, 0, 0), "valid": (547, 0, 0), "test": (630, 0, 0)},
    "tatoeba/en-zh": {"train": (19127, 0, 0), "test": (973, 0, 0)},
    "squad/v2": {"test": (11873, 5928, 34)},
}


@needs_data
@pytest.mark.parametrize("name", COUNTS)
def test_gold_spans_are_slices_of_their_text(name: str) -> None:
    task = load_task(name)
    assert {split: _measured(task, split) for split in task.splits()} == COUNTS[name]


def _measured(task: Task, split: str) -> tuple[int, int, int]:
    examples = found = moved = 0
    text = "context" if task.name == "squad/v2" else "text"
    for example in task.examples(split):
        for span in spans(example.gold):
            assert example.fields[text][span.start : span.end] == span.text
            found += 1
        parsed = task.parse(task.target_text(example), example)
        assert not parsed.issues
        assert [span.text for span in spans(parsed.value)] == [span.text for span in spans(example.gold)]
        moved += parsed.value != example.gold
        examples += 1
    return examples, found, moved


@needs_data
def test_references() -> None:
    e2e, tatoeba, squad = load_task("e2e_nlg/text"), load_task("tatoeba/en-zh"), load_task("squad/v2")
    assert sum(len(e2e.references(example)) for example in e2e.examples("test")) == 4693
    assert all(e2e.references(example) == [example.gold] for example in e2e.examples("train"))
    rows = sum(1 for _ in tatoeba.examples("train")) + sum(len(tatoeba.references(e)) for e in tatoeba.examples("test"))
    assert rows == 20133
    english = {split: {example.fields["en"] for example in tatoeba.examples(split)} for split in ("train", "test")}
    assert not english["train"] & english["test"]
    unanswerable = [example for example in squad.examples("test") if example.gold is None]
    assert len(unanswerable) == 5945
    assert all(squad.references(example) == [None] for example in unanswerable)


@needs_data
def test_snips_keeps_the_raw_line() -> None:
    texts = [example.fields["text"] for example in load_task("snips/joint").examples("train")]
    assert sum("  " in text for text in texts) == 1248


def test_every_adapter_says_what_it_does() -> None:
    for name in ADAPTERS.names():
        assert f"``{name}: " in (ADAPTERS.get(name, "t").__doc__ or ""), name


def test_names_of_any_script_are_plain_names() -> None:
    assert field("文本", 文本="北京") == "北京"
    assert field("结果[0].名字", 结果=[{"名字": "李雷"}]) == "李雷"
    assert field("{人: 人物, plain: '人'} | 人", 人物="李雷", plain=1) == "李雷"
    assert field("items[?类型 == '地点'].名", items=[{"类型": "地点", "名": "北京"}, {"类型": "人", "名": "x"}]) == [
        "北京"
    ]
    with pytest.raises(DataError, match="record has no field '文本'"):
        field("文本", text="北京")


def test_several_acceptable_values_of_an_item_are_all_its_lists() -> None:
    spec = {"alternatives": {"of": "state", "in": "value"}}
    state = [{"slot": "area", "value": ["centre", "city centre"]}, {"slot": "stars", "value": 4}]
    rest = {"slot": "stars", "value": 4}
    assert field(spec, state=state) == [
        [{"slot": "area", "value": "centre"}, rest],
        [{"slot": "area", "value": "city centre"}, rest],
    ]
    assert field([spec, "[0]"], state=[]) == []
    assert field(spec, state=[{"slot": "area", "value": []}, rest]) == [[rest]]
    with pytest.raises(DataError, match="make more than 1024 lists"):
        field(spec, state=[{"value": ["a", "b"]}] * 11)
    with pytest.raises(TemplateError, match="in: is missing"):
        field({"alternatives": {"of": "state"}})


@pytest.mark.parametrize(
    "expression",
    [
        "x" + " | [@, @][]" * 40,
        "join('', ['a', 'b', 'c'])" + " | join(@, ['', '', ''])" * 40,
        "x" + " | [@, @]" * 40 + " | to_string(@)",
    ],
)
def test_an_expression_that_makes_more_and_more_of_a_record_is_stopped(expression: str) -> None:
    began = time.monotonic()
    with pytest.raises(DataError, match=r"more than (1,000,000|67,108,864)"):
        field(expression, x=[1])
    assert time.monotonic() - began < 10

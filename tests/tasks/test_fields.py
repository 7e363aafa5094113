"""Fields: adapters on small values and on whole real data sets; the library's templates over their data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from t2t.errors import DataError, TemplateError
from t2t.structures import Span
from t2t.tasks.fields import compile_fields
from t2t.tasks.fields.offsets import Counting, counting_of
from t2t.tasks.sources import RawRecord


def field(spec: Any, base: Path = Path(), **data: Any) -> Any:
    """The value of one field with the specification ``spec`` of a record with ``data``."""
    return compile_fields({"f": spec}, base, "t.yaml:5")(RawRecord("a.jsonl:7", "train:0", data))["f"]


def test_without_fields_the_record_is_taken_as_it_is() -> None:
    assert compile_fields(None, Path(), "t")(RawRecord("a:1", "0", {"x": 1})) == {"x": 1}


def test_expressions() -> None:
    assert field("x", x=[1]) == [1]
    assert field("x.y[0]", x={"y": ["a"]}) == "a"
    assert field("'German'") == "German"
    assert field("no.such") is None
    assert field('"a b"', **{"a b": 3}) == 3


def test_tags_become_spans_of_the_text_without_them() -> None:
    found = field({"tagged": {"of": "x", "tags": ["e1", "e2"]}}, x="<e2>A</e2> < b <e1>c d</e1>.")
    assert found == {"text": "A < b c d.", "e1": Span("c d", 6, 9), "e2": Span("A", 0, 1)}


@pytest.mark.parametrize("text", ["<e1>a", "a", "<e1></e1>", "</e1>a<e1>", "<e1>a</e1> <e1>b</e1>", "<e1><e1>a</e1>"])
def test_tags_that_do_not_stand_once_around_a_text(text: str) -> None:
    with pytest.raises(
        DataError, match=r"a\.jsonl:7: field 'f': the tags <e1> and </e1> do not stand once around a text"
    ):
        field({"tagged": {"of": "x", "tags": ["e1"]}}, x=text)


def test_replace_puts_one_text_for_another_in_order() -> None:
    assert field({"replace": {"of": "x", "put": {"a": "b", "b": "."}}}, x="abc") == "..c"


def test_a_missing_field_names_line_and_fields() -> None:
    with pytest.raises(DataError, match=r"^a\.jsonl:7: record has no field 'x' \(it has a, b\);"):
        field("x", a=1, b=2)
    with pytest.raises(DataError, match=r"^a\.jsonl:7: field 'f': .*invalid type for value: 1"):
        field("join(' ', x)", x=[1])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("x ===", "is no JMESPath expression"),
        ("", "is no JMESPath expression"),
        ([], "an empty chain"),
        (3, "is no field"),
        ({"join": "x", "split": "x"}, "is no field"),
        ({"lokup": "x"}, "unknown adapter 'lokup'; did you mean 'lookup'"),
        ({"join": {"of": "x", "wiht": "-"}}, "unknown argument 'wiht'; did you mean 'with'"),
        ({"join": {"of": "x", "with": 3}}, "with: is 3"),
        ({"bio": {"tags": "x"}}, "tokens: is missing"),
        ({"bio": {"tokens": "x", "tags": "y", "repair": "strct"}}, "did you mean 'strict'"),
        ({"lookup": "x"}, "wants either in: or among:"),
        ({"get": None}, "of: is missing"),
        ({"replace": {"of": "x"}}, "put: is None"),
        ({"replace": {"of": "x", "put": {"a": 1}}}, "put: is {'a': 1}"),
        ({"tagged": "x"}, "tags: is missing"),
        ({"one_of": {"of": "x"}}, "in: is missing"),
        ("lenght(x)", "no function lenght(); did you mean 'length'?"),
        ({"get": "x[?starts_with(@)]"}, "starts_with() takes 2 arguments, here it has 1"),
        ({"split": {"by": ""}}, "by: is empty"),
        ({"state": {"drop": [1]}}, "a list of texts"),
    ],
)
def test_bad_fields_are_template_errors(spec: Any, message: str) -> None:
    with pytest.raises(TemplateError) as error:
        field(spec)
    assert str(error.value).startswith("t.yaml:5: fields: f: ")
    assert message in str(error.value)


def test_plain_adapters() -> None:
    assert field({"get": "x[1]"}, x=[1, 2]) == 2
    assert field({"split": {"of": "x", "by": "_"}}, x="a_b c") == ["a", "b c"]
    assert field({"split": "x"}, x=" a  b ") == ["a", "b"]
    assert field({"split": {"of": "x", "by": "_"}}, x="") == []
    assert field({"join": "x"}, x=["a", "b"]) == "a b"
    assert field({"join": {"of": "x", "with": ""}}, x=["中", "文"]) == "中文"
    assert field({"drop_last": "x"}, x=["科0", "技1"]) == ["科", "技"]
    assert field({"lookup": {"of": "x", "in": {"a": 1, "b": 2}}}, x=["b", "a"]) == [2, 1]


def test_lists_that_python_wrote() -> None:
    assert field({"literal": "x"}, x="['a', \"b's\", (1, None)]") == ["a", "b's", [1, None]]
    assert field({"literal": "x"}, x="{'a': [1.5]}") == {"a": [1.5]}
    for text in ("['a' 'b']", "['a'", "open('f')", "{1, 2}", "1" * 10_000 + "("):
        with pytest.raises(DataError, match="is no list or object of Python"):
            field({"literal": "x"}, x=text)


def test_lookup_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"a": "alpha"}')
    spec = {"lookup": {"of": "x", "in": "t.json"}}
    assert field(spec, tmp_path, x="a") == "alpha"
    with pytest.raises(DataError, match="lookup has no entry 'c'"):
        field(spec, tmp_path, x="c")


def test_a_chain_reads_json_in_json() -> None:
    chain = ["output", {"json": None}, {"items": {"key": "type", "value": "text", "each": True}}]
    assert field(chain, output='{"PER": ["Ada", "Bo"], "LOC": []}') == [
        {"type": "PER", "text": "Ada"},
        {"type": "PER", "text": "Bo"},
    ]
    assert field({"items": "x"}, x={"a": 1}) == [{"key": "a", "value": 1}]
    with pytest.raises(DataError, match=r"a\.jsonl:7: field 'f': a field holds no JSON"):
        field(chain, output="{")
    for hostile in ('{"a": "\\ud800"}', '{"a": "\\u0000"}'):
        with pytest.raises(DataError, match=r"a\.jsonl:7: field 'f': a field holds "):
            field(chain, output=hostile)
    with pytest.raises(DataError, match="each: needs lists"):
        field(chain, output='{"PER": {"Ada": 1}}')
    assert field(chain, output='{"PER": "Ada"}') == [{"type": "PER", "text": "Ada"}]


def test_map_reads_fields_of_each_item_of_a_list() -> None:
    events = [{"type": "buy", "arguments": {"buyer": "Ada", "goods": ["ink", "NAN"]}}, {"type": "go", "arguments": {}}]
    args = [{"items": {"of": "arguments", "key": "role", "value": "text", "each": True}}, "[?text != 'NAN']"]
    assert field(["events", {"map": {"kind": "type", "args": args}}], events=events) == [
        {"kind": "buy", "args": [{"role": "buyer", "text": "Ada"}, {"role": "goods", "text": "ink"}]},
        {"kind": "go", "args": []},
    ]
    with pytest.raises(DataError, match="field 'f': a list is needed, found a mapping"):
        field(["events", {"map": {"kind": "type"}}], events={})
    with pytest.raises(DataError, match="record has no field 'type'"):
        field(["events", {"map": {"kind": "type"}}], events=[{"typ": 1}])
    with pytest.raises(TemplateError, match="adapter map: names no field"):
        field({"map": {}}, events=[])
    with pytest.raises(TemplateError, match="unknown adapter 'itmes'; did you mean 'items'"):
        field({"map": {"args": {"itmes": "x"}}}, events=[])


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"join": "x"}, "abc"),
        ({"join": "x"}, [1]),
        ({"split": "x"}, None),
        ({"items": "x"}, []),
        ({"tokens": "x"}, 3),
        ({"turns": "x"}, ["hi"]),
        ({"span": "x"}, "hi"),
        ({"span": "x"}, {"text": "hi", "start": "0"}),
        ({"meaning_representation": "x"}, "no slots here"),
        ({"meaning_representation": "x"}, "__start_name__ A __end_food__"),
    ],
)
def test_values_that_do_not_fit_are_data_errors(spec: Any, value: Any) -> None:
    with pytest.raises(DataError, match=r"^a\.jsonl:7: field 'f': "):
        field(spec, x=value)


def test_tokens_of_a_raw_line() -> None:
    line = " a  b\u00a0c\t中 "
    found = field({"tokens": "x"}, x=line)
    assert [token["text"] for token in found] == ["a", "b\u00a0c", "中"]
    assert all(line[token["start"] : token["end"]] == token["text"] for token in found)


def mention(text: str, start: int, kind: str) -> dict[str, Any]:
    return {"text": Span(text, start, start + len(text)), "type": kind}


def test_bio_joins_tokens() -> None:
    tokens, tags = ["Ada", "Lovelace", "saw", "New", "York"], ["B-per", "I-per", "O", "B-loc", "I-loc"]
    spec = {"bio": {"tokens": "t", "tags": "g"}}
    assert field(spec, t=tokens, g=tags) == [mention("Ada Lovelace", 0, "per"), mention("New York", 17, "loc")]
    spec["bio"]["join"] = ""
    assert field(spec, t=tokens, g=tags) == [mention("AdaLovelace", 0, "per"), mention("NewYork", 14, "loc")]


def test_bio_counts_in_the_raw_line() -> None:
    line = "play  the   wall now "
    expected = [mention("the   wall", 6, "track")]
    assert field({"bio": {"tokens": "x", "tags": "g"}}, x=line, g="O B-track I-track O ") == expected
    spec = {"bio": {"tokens": "t", "tags": "g", "text": "x"}}
    tags = ["O", "B-track", "I-track", "O"]
    assert field(spec, x=line, t=line.split(), g=tags) == expected
    with pytest.raises(DataError, match="token 2, 'play', does not stand in the text after"):
        field(spec, x=line, t=["the", "play", "wall", "now"], g=tags)


def test_bio_repair() -> None:
    data: dict[str, Any] = {"t": list("abcde"), "g": ["I-x", "I-y", "I-y", "O", "I-y"]}
    spec = {"bio": {"tokens": "t", "tags": "g", "join": ""}}
    assert field(spec, **data) == [mention("a", 0, "x"), mention("bc", 1, "y"), mention("e", 4, "y")]
    strict = {"bio": {"tokens": "t", "tags": "g", "repair": "strict"}}
    with pytest.raises(DataError, match=r"a\.jsonl:7: field 'f': tag 1, 'I-x', continues no mention"):
        field(strict, **data)
    assert field(strict, t=["a", "b"], g=["B-x", "B-x"]) == [mention("a", 0, "x"), mention("b", 2, "x")]


def test_bio_refuses_what_is_no_bio() -> None:
    spec = {"bio": {"tokens": "t", "tags": "g"}}
    with pytest.raises(DataError, match=r"a\.jsonl:7: field 'f': 2 tokens but 1 tags"):
        field(spec, t=["a", "b"], g=["O"])
    for tag in ("X-x", "B", "B-", "", "o", "PER"):
        with pytest.raises(DataError, match="tag 1 is"):
            field(spec, t=["a"], g=[tag])
    with pytest.raises(DataError, match="types alone are scheme: bare"):
        field(spec, t=["a"], g=["PER"])
    with pytest.raises(DataError, match="tag 1 is 'S-x'"):
        field({"bio": {"tokens": "t", "tags": "g", "scheme": "bio"}}, t=["a"], g=["S-x"])


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("auto", "B-x I-x O B-y B-y"),
        ("auto", "x-B x-I O y-B y-B"),
        ("auto", "B_x I_x O B_y B_y"),
        ("iob1", "I-x I-x O I-y B-y"),
        ("bioes", "B-x E-x O S-y S-y"),
        ("bilou", "B-x L-x O U-y U-y"),
        ("auto", "B-x E-x O S-y S-y"),
        ("auto", "B-x L-x O U-y U-y"),
        ("bmes", "B-x E-x O S-y S-y"),
    ],
)
@pytest.mark.parametrize("repair", ["conlleval", "strict"])
def test_schemes_of_tags(scheme: str, tags: str, repair: str) -> None:
    spec = {"bio": {"tokens": "t", "tags": "g", "join": "", "scheme": scheme, "repair": repair}}
    assert field(spec, t=list("abcde"), g=tags.split()) == [
        mention("ab", 0, "x"),
        mention("d", 3, "y"),
        mention("e", 4, "y"),
    ]


def test_schemes_that_mark_the_end_part_neighbours_and_are_strict_about_ends() -> None:
    spec = {"bio": {"tokens": "t", "tags": "g", "join": "", "scheme": "bmes"}}
    assert field(spec, t=list("abcde"), g=["B-x", "M-x", "E-x", "M-x", "E-x"]) == [
        mention("abc", 0, "x"),
        mention("de", 3, "x"),
    ]
    spec["bio"]["repair"] = "strict"
    for tags in ("B-x M-x O", "B-x B-x E-x", "B-x M-x M-x", "M-x E-x O"):
        with pytest.raises(DataError, match=r"no end|continues no mention"):
            field(spec, t=list("abc"), g=tags.split())


def test_bare_types_and_tags_that_are_numbers(tmp_path: Path) -> None:
    bare = {"bio": {"tokens": "t", "tags": "g", "join": "", "scheme": "bare"}}
    assert field(bare, t=list("abcd"), g=["B-cell", "B-cell", "x", "O"]) == [
        mention("ab", 0, "B-cell"),
        mention("c", 2, "x"),
    ]
    names = ["O", "B-x", "I-x"]
    (tmp_path / "names.json").write_text(json.dumps(names))
    for given in (names, "names.json"):
        spec = {"bio": {"tokens": "t", "tags": "g", "join": "", "names": given}}
        assert field(spec, tmp_path, t=list("abc"), g=[1, 2, 0]) == [mention("ab", 0, "x")]
        for wrong in (3, -1, True, "B-x"):
            with pytest.raises(DataError, match="is no number below 3"):
                field(spec, tmp_path, t=["a"], g=[wrong])


def test_how_offsets_count_and_surfaces_beside_them() -> None:
    text = "\U0001f389 Zo\u00eb in Oslo"
    items = [{"start": 3, "end": 5, "type": "per", "said": "Zo\u00eb"}]
    spec: dict[str, Any] = {"of": "x", "in": "t", "surface": "said"}
    good = {**spec, "ends": "inclusive", "units": "utf16"}
    assert field({"offsets": good}, x=items, t=text) == [{"text": Span("Zo\u00eb", 2, 5), "type": "per"}]
    with pytest.raises(
        DataError, match=r"from 3 to 5 is 'o\u00eb', the record says 'Zo\u00eb'; .* ends: inclusive and units: utf16"
    ):
        field({"offsets": spec}, x=items, t=text)
    with pytest.raises(DataError, match="is half a character"):
        field({"offsets": {**spec, "units": "utf16"}}, x=[{"start": 1, "end": 3, "type": "per", "said": None}], t=text)
    tokens = {"of": "x", "tokens": "t", "ends": "inclusive", "surface": "said"}
    found = field({"offsets": tokens}, x=[{"start": 0, "end": 1, "type": "a", "said": "New  York"}], t=["New", "York"])
    assert found == [{"text": Span("New York", 0, 8), "type": "a"}]
    with pytest.raises(DataError, match="the tokens from 0 to 1 are 'New', the record says 'York'"):
        field(
            {"offsets": {**tokens, "ends": "exclusive"}},
            x=[{"start": 0, "end": 1, "type": "a", "said": "York"}],
            t=["New"],
        )


def test_counting_is_told_from_surfaces() -> None:
    text = "\U0001f389 abc def"
    assert counting_of([(text, 2, 5, "abc")]) == Counting()
    assert counting_of([(text, 3, 6, "abc"), (text, 7, 10, "def")]) == Counting(utf16=True)
    assert counting_of([(text, 2, 4, "abc")]) == Counting(last=True)
    assert counting_of([(text, 3, 5, "abc")]) == Counting(last=True, utf16=True)
    assert counting_of([(text, 2, 5, "abc"), (text, 2, 4, "abc")]) is None
    assert counting_of([]) is None

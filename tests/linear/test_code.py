"""The code node: layout survives, raw where the vocabulary can say it."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2t.linear.parsed import Parsed
from t2t.linear.target import Target
from t2t.model.tokenizer import decode_texts, encode_texts, load_tokenizer, train_tokenizer
from t2t.structures import Json
from t2t.tasks.sources import data_dir

T5 = data_dir() / "sentencepiece_models" / "t5" / "spiece.model"
MBPP = data_dir() / "mbpp" / "mbpp.jsonl"
CODE = Target({"code": "code"}, lambda path: "t.yaml:1")
MARKED = Target(
    {
        "each": "items", "as": "{name} = {body}", "between": " ; ",
        "fields": {"name": {"text": None}, "body": {"code": None, "absent": "none"}},
    },
    lambda path: "t.yaml:1",
)  # fmt: skip
PIECES = [
    "def f(x):",
    "\n",
    "\r\n",
    "\t",
    " ",
    "    ",
    "{",
    "}",
    "[",
    "|",
    "||",
    ";",
    "=",
    "none",
    "x",
    "#",
    "\\",
    "`",
    "~^",
    "<b>",
]
PROGRAMS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@settings(max_examples=500, deadline=None)
@given(PROGRAMS | ANY)
def test_law_1(program: str) -> None:
    assert CODE.parse(CODE.render(program, {}), {}) == Parsed(program)
    value = [{"name": program, "body": program}, {"name": "f", "body": None}]
    assert MARKED.parse(MARKED.render(value, {}), {}) == Parsed(value)


@settings(max_examples=300, deadline=None)
@given(ANY | st.text(st.sampled_from("|n;= \n\t"), max_size=12))
def test_law_2_parse_is_total(text: str) -> None:
    assert CODE.parse(text, {}).value is None or isinstance(CODE.parse(text, {}).value, str)


@cache
def t5s_own():  # type: ignore[no-untyped-def]
    return load_tokenizer(T5, 32128)


@cache
def trained():  # type: ignore[no-untyped-def]
    return train_tokenizer(["def f(x):\n    return {x}\n", "a | b ; c = d"] * 5, 700)


def through(tokenizer: Json, tree: Target, value: Json) -> Parsed:
    return tree.parse(decode_texts(tokenizer, encode_texts(tokenizer, [tree.render(value, {})]))[0], {})


@settings(max_examples=300, deadline=None)
@given(PROGRAMS)
def test_law_3_with_a_tokenizer_trained_here(program: str) -> None:
    assert through(trained(), CODE, program) == Parsed(program)
    assert through(trained(), MARKED, [{"name": "f", "body": program}]).value == [{"name": "f", "body": program}]


@pytest.mark.skipif(not T5.exists(), reason=f"T5's vocabulary is not there: {T5}")
@settings(max_examples=300, deadline=None)
@given(PROGRAMS)
def test_law_3_with_t5s_vocabulary_and_its_unused_rows(program: str) -> None:
    assert through(t5s_own(), CODE, program) == Parsed(program)


def test_layout_stands_raw_inside_and_escaped_at_the_edges() -> None:
    assert CODE.render("\tif a | b:\n    {}\n", {}) == "|tif a |p b:\n    {}|n"


@pytest.mark.skipif(not MBPP.exists(), reason=f"no data set at {MBPP}")
def test_real_programs_survive() -> None:
    with MBPP.open(encoding="utf-8") as lines:
        programs = [json.loads(line)["code"] for line in lines]
    assert len(programs) == 974
    texts = decode_texts(trained(), encode_texts(trained(), [CODE.render(program, {}) for program in programs]))
    assert [CODE.parse(text, {}).value for text in texts] == programs

"""Law 3: parse(decode(encode(render(v)))) == v, up to the normaliser of the vocabulary."""

from __future__ import annotations

import unicodedata
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2t.linear.parsed import Parsed
from t2t.linear.target import Target
from t2t.model.tokenizer import decode_texts, encode_texts, load_tokenizer, train_tokenizer
from t2t.structures import Json
from t2t.tasks.sources import data_dir

LABELS = {"per": "person", "loc": "location", "other": "something else"}
SLOTS = {
    "each": "slots", "as": "{type} = {text}", "between": " ; ",
    "fields": {"type": {"label": LABELS}, "text": {"text": None, "absent": "unknown"}},
}  # fmt: skip
TREE = Target({"as": "{note} @ {slots}", "fields": {"note": {"text": None}, "slots": SLOTS}}, lambda path: "t.yaml:1")
T5 = data_dir() / "sentencepiece_models" / "t5" / "spiece.model"
# What T5's vocabulary can say or the escape spells; `{ } < \ ^ ~` and the backtick need the unused rows.
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SAYABLE = "abc XYZ 019 |;=@#,.:!?()[]/-_*+&%$>\"' \n\t\r  ；＝｜：　 ﬁ…é\u200b"


def values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Json]:
    slot = st.fixed_dictionaries({"type": st.sampled_from(list(LABELS)), "text": st.none() | texts})
    return st.fixed_dictionaries({"note": texts, "slots": st.lists(slot, max_size=3)})


def nfkc(value: Json) -> Json:
    if isinstance(value, str):
        return unicodedata.normalize("NFKC", value)
    if isinstance(value, list):
        return [nfkc(item) for item in value]
    return {key: nfkc(item) for key, item in value.items()} if isinstance(value, dict) else value


@cache
def trained():  # type: ignore[no-untyped-def]
    texts = ["find names in: Ada met Bob ; Ada = person", "找出名称：北京 = 地点 ; 上海", "none @ unknown"] * 5
    return train_tokenizer(texts, 700)


@cache
def t5(rows: int | None):  # type: ignore[no-untyped-def]
    return load_tokenizer(T5, rows)


@settings(max_examples=300, deadline=None)
@given(
    values(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text(st.sampled_from(SAYABLE), max_size=8)
    )
)
def test_a_tokenizer_trained_here_loses_nothing(value: Json) -> None:
    text = decode_texts(trained(), encode_texts(trained(), [TREE.render(value, {})]))[0]
    assert TREE.parse(text, {}) == Parsed(value)


needs_t5 = pytest.mark.skipif(not T5.exists(), reason=f"T5's vocabulary is not there: {T5}")


@needs_t5
@pytest.mark.parametrize(("rows", "alphabet"), [(None, SAYABLE), (32128, SAYABLE + "{}<\\^~`")])
def test_t5s_own_vocabulary_up_to_its_normaliser(rows: int | None, alphabet: str) -> None:
    @settings(max_examples=300, deadline=None)
    @given(values(st.text(st.sampled_from(alphabet), max_size=8)))
    def holds(value: Json) -> None:
        tokenizer = t5(rows)
        text = decode_texts(tokenizer, encode_texts(tokenizer, [TREE.render(value, {})]))[0]
        parsed = TREE.parse(text, {})
        assert parsed.ok
        assert nfkc(parsed.value) == nfkc(value)

    holds()


@needs_t5
def test_what_t5_cannot_say_is_lost_without_the_unused_rows() -> None:
    text = decode_texts(t5(None), encode_texts(t5(None), ["a { b"]))[0]
    assert text != "a { b"

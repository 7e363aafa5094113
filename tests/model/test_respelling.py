"""What a vocabulary lacks is written with what it has, and Chinese text gets its full-width marks back."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from t2t.linear.target import Target
from t2t.model.byte_vocabulary import SENTINELS, byte_backend
from t2t.model.sayable import Vocabulary
from t2t.model.tokenizer import decode_text, encode_texts, load_tokenizer, wrap
from t2t.structures import Span
from t2t.tasks.sources import data_dir

MODELS = data_dir() / "sentencepiece_models"
FILES = {
    "t5": MODELS / "t5" / "spiece.model",
    "mt5": MODELS / "mt5_zh_bojone" / "sentencepiece_cn.model",
    "japanese": MODELS / "t5_japanese_sonoisa" / "spiece.model",
}
pytestmark = pytest.mark.skipif(not all(map(Path.is_file, FILES.values())), reason=f"no {MODELS}")


@cache
def tokenizer(name: str) -> PreTrainedTokenizerFast:
    return load_tokenizer(FILES[name], 32_128 if name == "t5" else None)


def back(name: str, text: str) -> str:
    return decode_text(tokenizer(name), encode_texts(tokenizer(name), [text])[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("El Niño", "El Nino"),
        ("El Nin\u0303o", "El Nino"),  # composed by the vocabulary's normaliser, or not: the same
        ("Ždanov, Škoda", "Zdanov, Skoda"),
        ("façade é ü", "façade é ü"),  # which T5 has
        ("ế", "ê"),  # as few accents as need be are left off
        ("x\u0302 y", "x y"),
        ("Łódź ø", "<unk>ódz <unk>"),  # no decomposition
        ("北京", "<unk>"),
    ],
)
def test_letters_that_t5_lacks_lose_their_accents(text: str, said: str) -> None:
    assert back("t5", text) == said


def test_ordinary_text_keeps_its_ids() -> None:
    reference = sentencepiece.SentencePieceProcessor(model_file=str(FILES["japanese"]))
    for text in ("吾輩は猫である。", "ガラス が ぱ", "plain text, naïve señor"):
        assert encode_texts(tokenizer("japanese"), [text])[0][:-1] == reference.encode(text)


def test_bytes_say_everything() -> None:
    text = "El Niño Łódź ế x\u0302 北京"
    assert back("mt5", text) == text


@pytest.mark.parametrize("surface", ["Niño", "Łódź", "Dvořák", "São Tomé"])
def test_a_span_is_found_at_its_own_offsets(surface: str) -> None:
    target = Target({"span_of": "text", "gold": "m"}, lambda path: "t.yaml:1")
    source = f"Nina saw {surface} in Spain"
    fields = {"text": source, "m": {"text": surface, "start": 9}}
    text = target.render(target.gold(fields, "t"), fields)
    parsed = target.parse(back("t5", text), fields)
    assert isinstance(parsed.value, Span)
    assert (parsed.value.text, parsed.value.start, parsed.value.end) == (surface, 9, 9 + len(surface))
    assert parsed.ok


@pytest.mark.parametrize(
    "text",
    [
        "你好，世界？",
        "他说：“好！”（二〇一九年）",
        "北京（2019）；上海",
        "北京（2019、Beijing）。",
        "GDP，增长3:2，而1,200 a,b (c)",
        "故宫, 恭王府 (北京)",
        "a, b; c: d? e! (f)",
    ],
)
def test_chinese_gets_its_full_width_marks_back(text: str) -> None:
    assert back("mt5", text) == text


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab 1京上，,：:（()）！!？?；;。“”"), max_size=12))
def test_what_is_decoded_is_encoded_alike(text: str) -> None:
    """The ids of an output are those of its text, by which outputs are accepted."""
    said = back("mt5", text)
    assert encode_texts(tokenizer("mt5"), [said]) == encode_texts(tokenizer("mt5"), [text])


def test_marks_are_given_back_only_where_the_vocabulary_has_chinese_and_folds_them() -> None:
    assert back("t5", "北京，a") == "<unk>,a"
    own = wrap(byte_backend(), SENTINELS)
    assert decode_text(own, encode_texts(own, ["北京,上海，"])[0]) == "北京,上海，"


def test_sentinels_of_mt5_are_known_by_what_they_are() -> None:
    found = tokenizer("mt5")
    assert len(found) == 32_596
    assert [found.convert_tokens_to_ids(f"<extra_id_{n}>") for n in (0, 1, 99)] == [32_595, 32_594, 32_496]
    assert {32_595, 32_496} <= set(found.all_special_ids)
    assert back("mt5", "<extra_id_0> ▁<extra_id_1>").replace("▁", "") == "<extra_id_0> <extra_id_1>"
    (ids,) = encode_texts(found, ["a <extra_id_0> b"])
    assert not set(ids[:-1]) & set(found.all_special_ids)


@pytest.mark.parametrize(("rows", "sentinels"), [(None, 100), (32_128, 100), (32_040, 40), (32_000, 0), (31_000, 0)])
def test_sentinels_fill_the_rows_that_there_are(rows: int | None, sentinels: int) -> None:
    made = load_tokenizer(FILES["t5"], rows)
    assert sum(piece.startswith("<extra_id_") for piece in made.get_vocab()) == sentinels


def test_what_is_lost_is_told_by_character() -> None:
    vocabulary = Vocabulary(tokenizer("t5"))
    said = vocabulary.round_trip(["El Niño ñ", "Łódź", "fine…", "北"])
    assert [one.lost for one in said] == [True, True, False, True]
    assert [one.beyond_accents for one in said] == [False, True, False, True]
    assert [dict(vocabulary.lost_in(one)) for one in said] == [{"ñ": 2}, {"Ł": 1, "ź": 1}, {}, {"北": 1}]

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, T5Config

from t2t.errors import InputError
from t2t.model.pieces import ESCAPE
from t2t.model.tokenizer import decode_text, decode_texts, encode_texts, load_tokenizer, train_tokenizer, unsayable

TEXTS = [
    "find person, location in: Ada Lovelace lived in London = Paris ; Oslo @ 2024",
    "the storm closed the port ; the port stayed closed [ 12 ] ( x / y )",
    "我在北京工作。他在上海工作，也在北京学习。",
    "the person moved to the other location : the port",
] * 50
TOKENIZER = train_tokenizer(TEXTS, 700)
MARKS = list(";=@#|/,:[]()")
HOSTILE = [
    "", " ", "  ", " a", "a ", "a  b", "\n", "a\n\tb\r\n", "\x00", "▁", "▁▁a ▁", ESCAPE, ESCAPE + "u" + ESCAPE + "e▁",
    "<pad>", "</s>", "<unk>", "<extra_id_0> x", "a</s>b", "<0x41>", "<0x0A><0xE4>", "\U0001f468\u200d\U0001f469",
    "\U0001f44d\U0001f3fd", "龘靐", "\ufeffx", "\u00a0", "\u3000；", "İstanbul", "½ ﬁ Ａ", "\U0010ffff", "e\u0301",
    '{"a": [1, 2]} \\ ^ ~ ` <', "\u200b\u2028", "مرحبا", "if x:\n    return 1\n",
]  # fmt: skip


def ids(text: str) -> list[int]:
    return TOKENIZER(text)["input_ids"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_come_back(text: str) -> None:
    assert decode_text(TOKENIZER, ids(text)) == text
    assert TOKENIZER.decode(ids(text), skip_special_tokens=True) == text


@settings(max_examples=400, deadline=None)
@given(st.text() | st.text(alphabet="ab ▁<>/s\ufdd0ueé北\n\t0x41"))
def test_every_string_comes_back_and_gives_no_special_id(text: str) -> None:
    encoded = ids(text)
    assert decode_text(TOKENIZER, encoded) == text
    assert encoded[-1] == TOKENIZER.eos_token_id
    assert not set(encoded[:-1]) & set(TOKENIZER.all_special_ids)


def test_ids_stand_where_t5_has_them() -> None:
    size = len(TOKENIZER)
    assert (TOKENIZER.pad_token_id, TOKENIZER.eos_token_id, TOKENIZER.unk_token_id) == (0, 1, 2)
    sentinels = TOKENIZER.convert_tokens_to_ids([f"<extra_id_{n}>" for n in range(100)])
    assert sentinels == list(range(size - 1, size - 101, -1))
    assert size <= 700
    assert T5Config(vocab_size=size).vocab_size == size


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_costs_one_token_and_leaves_its_neighbours_alone(mark: str) -> None:
    left, right = ids("London")[:-1], ids("the person")
    assert ids(f"London {mark} the person") == [*left, TOKENIZER.convert_tokens_to_ids(f"▁{mark}"), *right]
    assert ids(f"London{mark} the person") == [*left, TOKENIZER.convert_tokens_to_ids(mark), *right]


def test_the_first_word_has_the_ids_of_any_other() -> None:
    assert ids("port the port")[:-1] == [*ids("port")[:-1], *ids("the")[:-1], *ids("port")[:-1]]


def test_no_piece_crosses_a_space() -> None:
    assert not [piece for piece in TOKENIZER.get_vocab() if "▁" in piece[1:]]


def test_every_printable_ascii_character_is_a_piece() -> None:
    vocabulary = TOKENIZER.get_vocab()
    assert not [chr(code) for code in range(0x21, 0x7F) if chr(code) not in vocabulary]
    assert len(ids("\n")) == 3  # the space before the first word, the line break, EOS


def test_a_chinese_mention_has_the_same_ids_in_source_and_target() -> None:
    mention = ids("北京")[1:-1]
    source = ids("我在北京工作")
    assert mention == TOKENIZER.convert_tokens_to_ids(["北", "京"])
    assert any(source[start : start + 2] == mention for start in range(len(source)))


def test_a_rare_character_is_bytes() -> None:
    assert TOKENIZER.convert_ids_to_tokens(ids("龘"))[1:-1] == ["<0xE9>", "<0xBE>", "<0x98>"]


def test_training_twice_gives_the_same_vocabulary() -> None:
    assert train_tokenizer(iter(TEXTS), 700).get_vocab() == TOKENIZER.get_vocab()


def test_too_small_a_vocabulary_is_refused() -> None:
    with pytest.raises(InputError, match="give at least"):
        train_tokenizer(TEXTS, 300)
    smallest = train_tokenizer(TEXTS, 500)
    assert len(smallest) == 500
    assert decode_text(smallest, smallest("北京 Oslo")["input_ids"]) == "北京 Oslo"


@pytest.mark.parametrize("beside", [False, True])
def test_saved_and_loaded_it_is_the_same(tmp_path, beside: bool) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    if beside:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5", "vocab_size": len(TOKENIZER)}))
    for loaded in (AutoTokenizer.from_pretrained(tmp_path), load_tokenizer(tmp_path)):
        for text in HOSTILE:
            assert loaded(text)["input_ids"] == ids(text)
            assert loaded.decode(ids(text), skip_special_tokens=True) == text
        assert decode_text(loaded, ids("<pad> x")) == "<pad> x"


def test_decoding_drops_pad_eos_and_sentinels_but_not_unk() -> None:
    word = ids("port")[:-1]
    sentinel = TOKENIZER.convert_tokens_to_ids("<extra_id_7>")
    assert decode_text(TOKENIZER, [0, sentinel, *word, 2, 1, 0, 0]) == "port<unk>"
    assert decode_texts(TOKENIZER, [word, []]) == ["port", ""]


def test_bytes_that_are_no_character_decode_without_an_error() -> None:
    half = TOKENIZER.convert_tokens_to_ids(["<0xE9>", "<0xBE>"])
    assert "\ufffd" in decode_text(TOKENIZER, half)


def test_there_is_nothing_it_cannot_say() -> None:
    assert not [text for text in HOSTILE if unsayable(TOKENIZER, text)]
    assert encode_texts(TOKENIZER, []) == []


def test_a_directory_without_a_tokenizer_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"no tokenizer\.json"):
        load_tokenizer(tmp_path)
    (tmp_path / "spiece.model").write_bytes(b"nothing")
    with pytest.raises(InputError):
        load_tokenizer(tmp_path)

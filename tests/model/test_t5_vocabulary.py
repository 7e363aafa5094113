import shutil
from pathlib import Path

import pytest
import sentencepiece
from transformers import AutoTokenizer

from t2t.errors import InputError
from t2t.model.t5_vocabulary import STAND_INS
from t2t.model.tokenizer import decode_text, load_tokenizer, unsayable
from t2t.tasks.sources import data_dir

SPIECE = data_dir() / "sentencepiece_models" / "t5" / "spiece.model"
TEXTS = data_dir() / "public_domain_text"
ROWS = 32_128
HOSTILE = [
    "{", "}", "<", "\\", "^", "~", "`", "a\nb", "a\tb", "a\r\nb", " a", "a ", "a  b", "  ", "<pad>", "</s>",
    "<unk> ~/x", "def f(x):\n    return {x: `1`}\n", "<extra_id_0> x", "a \n b", '{"a": [1, 2]}', "   a   b   ",
]  # fmt: skip

pytestmark = pytest.mark.skipif(not SPIECE.is_file(), reason=f"no {SPIECE}")


@pytest.fixture(scope="module")
def plain():
    return load_tokenizer(SPIECE)


@pytest.fixture(scope="module")
def extended():
    return load_tokenizer(SPIECE, ROWS)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    if not TEXTS.is_dir():
        pytest.skip(f"no {TEXTS}")
    found = [line for name in ("botchan.txt", "tinyshakespeare.txt", "wagahaiwa_nekodearu.txt")
             for line in (TEXTS / name).read_text(encoding="utf-8").splitlines() if line.strip()]  # fmt: skip
    return [line for line in found[:: len(found) // 1000] if not set(line) & set(STAND_INS) - {" "}][:990]


def test_a_bare_spiece_model_gives_the_ids_of_sentencepiece(plain, lines) -> None:
    reference = sentencepiece.SentencePieceProcessor(model_file=str(SPIECE))
    assert len(plain) == 32_100
    assert [plain(line)["input_ids"] for line in lines] == [[*reference.encode(line), 1] for line in lines]


def test_the_extension_leaves_ordinary_text_alone(plain, extended, lines) -> None:
    ordinary = [" ".join(line.split()) for line in lines]
    assert len(ordinary) >= 900
    assert [extended(line)["input_ids"] for line in ordinary] == [plain(line)["input_ids"] for line in ordinary]
    assert extended.convert_tokens_to_ids("<extra_id_0>") == 32_099


@pytest.mark.parametrize("text", HOSTILE)
def test_the_extension_says_what_t5_cannot(extended, text: str) -> None:
    ids = extended(text)["input_ids"]
    assert decode_text(extended, ids) == text
    assert not set(ids[:-1]) & set(extended.all_special_ids)
    assert max(ids) < ROWS


def test_the_new_pieces_take_the_unused_rows(extended) -> None:
    assert extended.convert_tokens_to_ids(list(STAND_INS.values())) == list(range(32_100, 32_111))


def test_without_spare_rows_nothing_is_added() -> None:
    assert len(load_tokenizer(SPIECE, 32_100)) == 32_100


def test_what_cannot_be_said(plain, extended) -> None:
    assert unsayable(plain, "}a{b}") == ["{", "}"]
    assert unsayable(plain, "a  b") == [" "]
    assert unsayable(plain, "fine") == []
    assert unsayable(extended, "İa中 { \ufdd0 \u00a0") == ["\u00a0", "İ", "中", "\ufdd0"]


def test_a_stand_in_written_in_text_is_unknown_and_nothing_else(extended) -> None:
    assert decode_text(extended, extended("a\ufdd0b")["input_ids"]) == "a<unk>b"


def test_specials_written_in_text_are_text_without_the_extension_too(plain) -> None:
    ids = plain("<pad> </s> <extra_id_3> <unk>")["input_ids"]
    assert not set(ids[:-1]) & (set(plain.all_special_ids) - {plain.unk_token_id})


@pytest.mark.parametrize("saved_by_transformers", [False, True])
def test_a_t5_directory_is_extended_by_the_rows_of_its_config(
    tmp_path: Path, extended, saved_by_transformers: bool
) -> None:
    shutil.copy(SPIECE, tmp_path / "spiece.model")
    (tmp_path / "config.json").write_text(f'{{"model_type": "t5", "vocab_size": {ROWS}}}')
    if saved_by_transformers:
        AutoTokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path)
        assert (tmp_path / "tokenizer.json").is_file()
    loaded = load_tokenizer(tmp_path)
    for text in [*HOSTILE, "The house is wonderful."]:
        assert loaded(text)["input_ids"] == extended(text)["input_ids"]


def test_the_extension_is_saved_and_loaded(tmp_path: Path, extended) -> None:
    extended.save_pretrained(tmp_path)
    for loaded in (AutoTokenizer.from_pretrained(tmp_path), load_tokenizer(tmp_path)):
        assert [decode_text(loaded, loaded(text)["input_ids"]) for text in HOSTILE] == HOSTILE


def test_another_kind_of_model_is_refused() -> None:
    bpe = data_dir() / "sentencepiece_models" / "hf_transformers_fixtures" / "test_sentencepiece_bpe.model"
    if not bpe.is_file():
        pytest.skip(f"no {bpe}")
    with pytest.raises(InputError, match="not a Unigram model"):
        load_tokenizer(bpe)

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2t.text import (
    CODES,
    ESCAPE,
    Escaper,
    compatibility_forms,
    fold,
    fold_character,
    folds_to,
    is_layout,
    nfkc,
)

SCALARS = st.text(st.characters(exclude_categories=["Cs"]))
HOSTILE = st.text(
    st.sampled_from("ab |;=:,#；＝：｜  \n\t\r\u00a0\u3000\u2581\u200d\ufeff…≠⩴⑴½́none0.psu4a"), max_size=12
)
MARKS = st.sets(st.sampled_from(";=:,#@/[]-("), max_size=5)
WORDS = st.sets(st.sampled_from(["none", "无", "a", "|", "unanswerable"]), max_size=2)


@given(SCALARS | HOSTILE, MARKS, WORDS)
def test_escape_round_trips_and_leaves_no_mark(value: str, marks: set[str], reserved: set[str]) -> None:
    escaper = Escaper(marks, reserved)
    written = escaper.write(value)
    assert escaper.read(written) == (value, [])
    assert marks.isdisjoint(nfkc(written))
    assert written
    assert written == written.strip()
    assert "  " not in written
    assert fold(written) not in {fold(word) for word in reserved}


@given(SCALARS | HOSTILE, WORDS | st.sets(SCALARS, max_size=2))
def test_what_folds_to_a_word_is_what_folded_equals_it(text: str, words: set[str]) -> None:
    for word in {fold(word) for word in words} | {fold(text)}:
        assert folds_to(text.strip(), word) == (fold(text) == word)


@given(SCALARS)
def test_normalised_escapes_still_read_as_before(value: str) -> None:
    """What a normaliser (NFKC) makes of a written value reads as what it makes of the value."""
    escaper = Escaper(";=", [])
    value = "".join(c for c in value if not unicodedata.combining(c))
    read, bad = escaper.read(nfkc(escaper.write(value)))
    assert not bad
    assert nfkc(read) == nfkc(value)


@given(HOSTILE)
def test_reading_is_total(text: str) -> None:
    value, bad = Escaper(";", ["none"]).read(text)
    assert isinstance(value, str)
    assert all(escape.startswith(ESCAPE) for escape in bad)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", "|0"),
        ("none", "|.none"),
        ("NONE", "|.NONE"),
        ("a;b", "a|mb"),
        ("a；b", "a|uff1bb"),
        ("|", "|p"),
        (" a  b ", "|sa |sb|s"),
        ("a\nb", "a|nb"),
        ("one two", "one two"),
        (";\u0301", "|m|u0301"),
    ],
)
def test_written_forms_are_fixed(value: str, written: str) -> None:
    assert Escaper(";", ["none"]).write(value) == written


def test_codes_are_a_bijection_on_ascii_letters() -> None:
    assert len(set(CODES.values())) == len(CODES)
    assert all(code.isascii() and code.isalpha() and code not in "uU" for code in CODES.values())


def test_no_character_outside_the_blocks_hides_a_mark() -> None:
    """The blocks that are looked through hold every character whose NFKC form has ASCII punctuation or space."""
    forms = compatibility_forms()
    for code in range(0x80, 0x110000):
        char = chr(code)
        form = unicodedata.normalize("NFKC", char) if not 0xD800 <= code < 0xE000 else char
        if form != char and any((c.isascii() and not c.isalnum()) or c.isspace() for c in form):
            assert char in forms
        if is_layout(char):
            assert char in Escaper((), ()).escaped


@pytest.mark.parametrize("escape", ["|", "|Z", "|u12", "|ud800", "|o"])
def test_an_escape_that_is_none_is_reported_and_kept(escape: str) -> None:
    assert Escaper((), ()).read(f"a {escape}") == (f"a {escape}", [escape[:2]])


def test_folding() -> None:
    assert fold("Ｎｏ  ＮＥ") == "no ne"
    assert fold_character("İ") == "i\u0307"
    assert fold_character("\u3000") == " "


@pytest.mark.parametrize("mark", ["\uff9e", "\uff9f", "\u0338"])
def test_nothing_melts_into_a_code_when_it_is_normalised(mark: str) -> None:
    escaper = Escaper("=", ())
    written = escaper.write(f"={mark}{mark}")
    assert nfkc(written) == written
    assert escaper.read(written) == (f"={mark}{mark}", [])

"""Texts of others are printed so that a terminal does nothing but show them."""

from __future__ import annotations

import io
import json

from t2t.terminal import Shown, shown


def test_controls_are_shown_and_lines_and_letters_stay() -> None:
    assert shown("a\x1b[2J\x07b\tc\n\u202eevil\u2069 北京 é\x85\x7f") == (
        "a\\u001b[2J\\u0007b\tc\n\\u202eevil\\u2069 北京 é\\u0085\\u007f"
    )


def test_a_line_of_json_says_the_same() -> None:
    row = {"text": "a\u202eb\x9b31m\x00\u2028"}
    assert json.loads(shown(json.dumps(row, ensure_ascii=False))) == row


def test_the_stream_stays_what_it_was() -> None:
    under = io.StringIO()
    stream = Shown(under)
    print("a\x1bb", file=stream)  # type: ignore[call-overload]
    stream.writelines(["\x00", "c"])
    stream.flush()
    assert under.getvalue() == "a\\u001bb\n\\u0000c"
    assert not stream.isatty()

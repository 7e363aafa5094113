"""What is printed for people: control characters in others' texts are shown, not obeyed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

# C0 but tab and the ends of lines, DEL, C1, and the characters that turn the direction of a line around. As these
# escapes are in JSON, a line of JSON says the same as before.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def shown(text: str) -> str:
    """``text`` with its control characters as ``\\uXXXX``."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Shown:
    """A text stream that shows what is written to it; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(shown(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self._stream.writelines(map(shown, lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def show_controls() -> None:
    """From now on standard output shows control characters; called once, by what starts a command."""
    if not isinstance(sys.stdout, Shown):
        sys.stdout = Shown(sys.stdout)

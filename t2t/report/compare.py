"""Two texts side by side, with what differs marked."""

from __future__ import annotations

import difflib
import re
from html import escape

# Words, runs of spaces, and single characters: Chinese has no spaces to cut at.
_PIECE = re.compile(r"[a-zA-Z0-9\u00c0-\u024f]+|\s+|.", re.DOTALL)
_SIMILAR = 0.35  # below, marks would be confetti
_LIMIT = 1500  # pieces; the comparison is quadratic


def compare(gold: str, text: str) -> tuple[str, str]:
    """HTML of both texts; what only the first has is in ``<del>``, what only the second has in ``<ins>``.

    Texts that have little in common, or are very long, are shown without marks. Everything is escaped.
    """
    first, second = _PIECE.findall(gold), _PIECE.findall(text)
    if max(len(first), len(second)) > _LIMIT:
        return escape(gold), escape(text)
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    if matcher.ratio() < _SIMILAR:
        return escape(gold), escape(text)
    left, right = [], []
    for kind, i, j, k, m in matcher.get_opcodes():
        left.append(_marked(first[i:j], "del" if kind != "equal" else ""))
        right.append(_marked(second[k:m], "ins" if kind != "equal" else ""))
    return "".join(left), "".join(right)


def _marked(pieces: list[str], tag: str) -> str:
    text = escape("".join(pieces))
    return f"<{tag}>{text}</{tag}>" if tag and text else text

"""Chinese text cut for scoring: every CJK character is a token, other words stay whole."""

from __future__ import annotations

import re

_CJK = r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}_])\w)+(?:\.\d+)*")


def chinese_tokens(text: str) -> list[str]:
    """Characters and lower-cased words of ``text`` without punctuation, Chinese or Western; ``3.5`` is one word."""
    return _TOKEN.findall(text.lower())


def is_chinese(language: str) -> bool:
    """True if a task's language is, or holds, Chinese (``zh``, ``zh-Hant``, ``en,zh``)."""
    return bool(re.search(r"\bzh\b", language.replace("_", "-")))


class ChineseTokenizer:
    """``chinese_tokens`` in the form that rouge-score wants."""

    def tokenize(self, text: str) -> list[str]:
        """The tokens of ``text``."""
        return chinese_tokens(text)

"""Chinese and Japanese text cut for scoring: every character of these scripts is a token, other words stay whole."""

from __future__ import annotations

import re

_HAN = r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = r"\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff"
_TOKEN = re.compile(rf"[{_HAN}{_KANA}]|(?:(?![{_HAN}{_KANA}_])\w)+(?:\.\d+)*")


def character_tokens(text: str) -> list[str]:
    """Characters and lower-cased words of ``text`` without punctuation, East Asian or Western; ``3.5`` is one word."""
    return _TOKEN.findall(text.lower())


def is_chinese(language: str) -> bool:
    """True if a task's language is, or holds, Chinese (``zh``, ``zh-Hant``, ``en,zh``)."""
    return _holds(language, "zh")


def is_japanese(language: str) -> bool:
    """True if a task's language is, or holds, Japanese."""
    return _holds(language, "ja")


def without_spaces(language: str) -> bool:
    """True if words are not written apart, so that characters are compared: Chinese and Japanese."""
    return is_chinese(language) or is_japanese(language)


def _holds(language: str, code: str) -> bool:
    return re.search(rf"\b{code}\b", language.replace("_", "-")) is not None


class CharacterTokenizer:
    """``character_tokens`` in the form that rouge-score wants."""

    def tokenize(self, text: str) -> list[str]:
        """The tokens of ``text``."""
        return character_tokens(text)

"""Text of any script cut for scoring: every Chinese, Japanese or Thai character is a token, other words stay whole."""

from __future__ import annotations

import re

_HAN = r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = r"\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff"
# Thai, Lao, Burmese and Khmer write no spaces either; a letter and the signs above and below it are one token.
_NO_SPACES = r"\u0e01-\u0e2e\u0e30\u0e32\u0e33\u0e3f-\u0e46\u0e81-\u0eb0\u1000-\u102a\u1780-\u17a2"
_SIGNS = r"\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_SIGNS_NO_SPACES = r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u102b-\u103e\u17b6-\u17d3"
_SINGLE = f"{_HAN}{_KANA}{_NO_SPACES}"
_TOKEN = re.compile(rf"[{_SINGLE}][{_SIGNS_NO_SPACES}]*|(?:(?![{_SINGLE}_])[\w{_SIGNS}])+(?:\.\d+)*")


def character_tokens(text: str) -> list[str]:
    """Characters and lower-cased words of ``text`` in any script, without punctuation; ``3.5`` is one word."""
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


def is_english(language: str) -> bool:
    """True if a task's language is English."""
    return re.fullmatch(r"en([-_].*)?", language) is not None


class CharacterTokenizer:
    """``character_tokens`` in the form that rouge-score wants."""

    def tokenize(self, text: str) -> list[str]:
        """The tokens of ``text``."""
        return character_tokens(text)

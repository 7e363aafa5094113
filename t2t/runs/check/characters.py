"""Which characters do not come back from a tokenizer's ids, and in which field they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from t2t.text import nfkc

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Said:
    """A text as ids and what they give back."""

    text: str
    length: int
    back: str

    @property
    def lost(self) -> bool:
        """True if the text comes back otherwise, and not just in its compatibility form (NFKC)."""
        return self.text != self.back and nfkc(self.text) != nfkc(self.back)


class Vocabulary:
    """A tokenizer that is asked in batches, and remembers what it does to single characters."""

    def __init__(self, folder: Path) -> None:
        from t2t.model.tokenizer import load_tokenizer

        self.tokenizer: PreTrainedTokenizerFast = load_tokenizer(folder)
        self._returned: dict[str, str] = {}

    def say(self, texts: Sequence[str]) -> list[Said]:
        """Each text through the tokenizer and back."""
        from t2t.model.tokenizer import decode_texts, encode_texts

        ids = encode_texts(self.tokenizer, texts)
        back = decode_texts(self.tokenizer, ids)
        return [Said(text, len(row), other) for text, row, other in zip(texts, ids, back, strict=True)]

    def culprits(self, said: Said) -> set[str]:
        """The characters of a text to which something happens; the space alone if none of the others is to blame."""
        characters = set(said.text) - {" "}
        new = sorted(characters - self._returned.keys())
        for char, probe in zip(new, self.say([f"x{char}x" for char in new]), strict=True):
            self._returned[char] = probe.back[1:-1] if probe.back[:1] + probe.back[-1:] == "xx" else probe.back
        return {char for char in characters if self._returned[char] != char} or {" "}

    def loses(self, char: str) -> bool:
        """True if one of the culprits comes back as something else than its compatibility form (NFKC)."""
        return nfkc(self._returned.get(char, "")) != nfkc(char)


def count_characters(found: dict[str, Counter[str]], place: str, text: str, characters: set[str]) -> None:
    """Add to ``found`` how often each of ``characters`` stands in ``text``."""
    counts = Counter(char for char in text if char in characters)
    if counts:
        found.setdefault(place, Counter()).update(counts)

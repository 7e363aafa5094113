"""What a vocabulary cannot say: which texts come back from their ids otherwise, by which characters, and whether that
stops a run. Training and ``t2t check`` judge by this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from transformers import PreTrainedTokenizerFast

from t2t.errors import VocabularyError
from t2t.linear.target import Target
from t2t.model.tokenizer import decode_texts, encode_texts
from t2t.text import fold, fold_character, is_accent, nfkc

_SHOWN = 10  # characters that are named
_ANOTHER = (
    "fine-tune an mT5 (examples/finetune_zh.yaml), or train a tokenizer here with model: from_scratch:, "
    "both of which say every character"
)


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A text, how many ids it has, and what they give back."""

    text: str
    length: int
    back: str

    @property
    def lost(self) -> bool:
        """True if the text comes back otherwise, and not just in its compatibility form (NFKC)."""
        return self.text != self.back and nfkc(self.text) != nfkc(self.back)

    @property
    def beyond_accents(self) -> bool:
        """True if more than accents is lost."""
        return self.lost and _bare(self.text) != _bare(self.back)


def _bare(text: str) -> str:
    return "".join(part for char in nfkc(text) for part in fold_character(char) if not is_accent(part))


class Vocabulary:
    """A tokenizer that is asked in batches, and remembers what it does to single characters."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self._returned: dict[str, str] = {}

    def round_trip(self, texts: Sequence[str]) -> list[RoundTrip]:
        """Each text through the tokenizer and back."""
        return self.hear(texts, encode_texts(self.tokenizer, texts))

    def hear(self, texts: Sequence[str], rows: Sequence[Sequence[int]]) -> list[RoundTrip]:
        """Each text with what its ids give back."""
        backs = decode_texts(self.tokenizer, rows)
        return [RoundTrip(text, len(row), back) for text, row, back in zip(texts, rows, backs, strict=True)]

    def culprits(self, said: RoundTrip) -> set[str]:
        """The characters of a text to which something happens; the space alone if none of the others is to blame."""
        characters = set(said.text) - {" "}
        new = sorted(characters - self._returned.keys())
        for char, probe in zip(new, self.round_trip([f"x{char}x" for char in new]), strict=True):
            self._returned[char] = probe.back[1:-1] if probe.back[:1] + probe.back[-1:] == "xx" else probe.back
        return {char for char in characters if self._returned[char] != char} or {" "}

    def loses(self, char: str) -> bool:
        """True if one of the culprits comes back as something else than its compatibility form (NFKC)."""
        return nfkc(self._returned.get(char, "")) != nfkc(char)

    def count(self, text: str, characters: set[str]) -> Counter[str]:
        """How often each of ``characters`` is in ``text``; of spaces, how many are lost."""
        counts = Counter(char for char in text if char in characters)
        if " " in counts:
            (said,) = self.round_trip([f"x{text}x"])  # a space at the edge of a field is inside the whole text
            counts[" "] -= said.back.count(" ")
        return +counts

    def lost_in(self, said: RoundTrip) -> Counter[str]:
        """The characters that are lost in a text, with how often; empty where nothing is."""
        if not said.lost:
            return Counter()
        characters = self.culprits(said)
        return self.count(said.text, {char for char in characters if self.loses(char)} or characters)


def check_words(target: Target, vocabulary: Vocabulary) -> None:
    """VocabularyError for a mark, a label or a reserved word that does not come back, with its line."""
    for what, word, where in _fixed_words(target):
        (said,) = vocabulary.round_trip([f"a {word} a" if what == "mark" else word])
        if fold(said.back) != fold(said.text):
            found = f"the vocabulary cannot say the {what} {word!r}, which comes back as {said.back!r}"
            raise VocabularyError(where, found, f"write another, or {_ANOTHER}")


def _fixed_words(target: Target) -> Iterator[tuple[str, str, str]]:
    """Marks, labels and reserved words of a tree, each with what it is and its line."""
    yield from (("mark", mark, target.root.place.line()) for mark in target.alphabet.marks)
    for node in target.nodes.values():
        yield from ((what, word, node.place.line(key)) for what, word, key in node.fixed_words())


def refusal(
    where: str,
    name: str,
    targets: tuple[int, int, int],
    characters: Mapping[str, int],
    unsayable: Literal["keep", "stop"] = "keep",
    share: float = 0.05,
) -> VocabularyError | None:
    """Why a task cannot be trained with a vocabulary; None if it can.

    ``targets``: how many there are, how many of them change, and how many lose more than an accent.
    """
    n, changed, lost = targets
    if unsayable == "stop" and changed:
        found = f"{name}: {unsayable_summary(targets, characters)}, and the run file says unsayable: stop"
        return VocabularyError(where, found, f"say unsayable: keep, or {_ANOTHER}")
    if lost > share * n:
        found = f"{name}: {lost:,} of {n:,} targets lose more than an accent, characters {_named(characters)}"
        return VocabularyError(where, found, f"{_ANOTHER}; or raise unsayable_share: (now {share:g})")
    return None


def unsayable_summary(targets: tuple[int, int, int], characters: Mapping[str, int]) -> str:
    """How many targets change, and by which characters, in words."""
    return f"{targets[1]:,} of {targets[0]:,} targets changed, characters {_named(characters)}"


def _named(characters: Mapping[str, int]) -> str:
    ranked = sorted(characters.items(), key=lambda pair: (-pair[1], pair[0]))
    more = f" and {len(ranked) - _SHOWN} more" if len(ranked) > _SHOWN else ""
    return ", ".join(f"{char!r} {count:,}" for char, count in ranked[:_SHOWN]) + more

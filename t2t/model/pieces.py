"""Which pieces a trained vocabulary holds, and how text is cut before pieces are looked up.

Text is cut so that a span has the same ids wherever it stands: a word carries the space before it (``▁word``),
every mark, digit and control character is a cut of its own (with the space before it), and every character of a
script written without spaces is one cut, its space apart. So no piece crosses a space, a mark never changes its
neighbours' ids, and a Chinese mention has the same ids in the source and in the target.
"""

from __future__ import annotations

import io
import math
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import sentencepiece
from tokenizers import Regex, normalizers, pre_tokenizers

SPACE = "▁"
# A noncharacter, which no text for interchange holds; texts that do hold it keep it (it is escaped by itself).
ESCAPE = "\ufdd0"
ESCAPED_SPACE = ESCAPE + "u"
ESCAPED_ESCAPE = ESCAPE + "e"

_ALONE = r"\p{P}\p{S}\p{Nd}\p{Cc}"
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}"
_CUTS = "|".join(
    [
        rf"{SPACE}?[{_ALONE}&&[^{SPACE}]]",
        rf"[{_UNSPACED}]",
        rf"{SPACE}?[^{SPACE}{_ALONE}{_UNSPACED}]+",
        SPACE,
    ]
)
_PRINTABLE = tuple(chr(code) for code in range(0x21, 0x7F))
_LINE = ("\n", "\t", "\r")
_MARKS = tuple(char for char in _PRINTABLE if not char.isalpha())
_COVERAGE = 0.9995
_LONGEST_PIECE = 16

Pieces = list[tuple[str, float]]


def normalizer() -> normalizers.Normalizer:
    """Identity on every string, written with ``▁`` for the space and one ``▁`` put before the first word."""
    steps = [(ESCAPE, ESCAPED_ESCAPE), (SPACE, ESCAPED_SPACE), (" ", SPACE)]
    replaced = [normalizers.Replace(old, new) for old, new in steps]
    return normalizers.Sequence([*replaced, normalizers.Prepend(SPACE)])


def pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    """The cuts described above."""
    return pre_tokenizers.Split(Regex(_CUTS), behavior="isolated")


def count_cuts(texts: Iterable[str]) -> Counter[str]:
    """How often each cut is in ``texts``. Words are counted first, so that each distinct one is cut once."""
    words: Counter[str] = Counter()
    for text in texts:
        words.update(text.split(" "))
    write, cut = normalizer().normalize_str, pre_tokenizer().pre_tokenize_str
    cuts: Counter[str] = Counter()
    for word, count in words.items():
        for piece, _ in cut(write(word)):
            cuts[piece] += count
    return cuts


def choose_pieces(cuts: Counter[str], room: int) -> Pieces:
    """At most ``room`` pieces with scores (natural log-probabilities), best first.

    Always there: the space, every printable ASCII character, line break, tab, and each mark and digit with its
    space. Then the characters that cover 99.95% of the text (at most half the room; the rarer are left to bytes),
    then the pieces of a unigram model (Kudo 2018) of the words. What the words leave free goes to more characters.
    """
    characters = _count_characters(cuts)
    required = [SPACE, *_PRINTABLE, *_LINE, *(SPACE + mark for mark in _MARKS)]
    ranked = [c for c, _ in sorted(characters.items(), key=lambda item: (-item[1], item[0])) if c not in set(required)]
    free = room - len(required)
    kept = ranked[: min(free // 2, _covering(ranked, characters))]
    words = _words_of(cuts, {*required, *kept})
    scores = _unigram(words, free - len(kept) + len({*required, *kept} & set("".join(words))))
    learned = [piece for piece in scores if len(piece) > 1 and piece not in required][: free - len(kept)]
    kept = ranked[: free - len(learned)]
    return _scored([*required, *kept], learned, scores, characters)


def smallest_room() -> int:
    """The pieces that every vocabulary holds, bytes and special tokens aside."""
    return 1 + len(_PRINTABLE) + len(_LINE) + len(_MARKS)


def _count_characters(cuts: Counter[str]) -> Counter[str]:
    characters: Counter[str] = Counter()
    for cut, count in cuts.items():
        for char in cut:
            characters[char] += count
    for char in (ESCAPE, *(chr(code) for code in range(0x20) if chr(code) not in _LINE)):
        del characters[char]
    return characters


def _covering(ranked: list[str], characters: Counter[str]) -> int:
    wanted = _COVERAGE * sum(characters.values())
    covered = sum(characters.values()) - sum(characters[c] for c in ranked)
    for number, char in enumerate(ranked):
        if covered >= wanted:
            return number
        covered += characters[char]
    return len(ranked)


def _words_of(cuts: Counter[str], alphabet: set[str]) -> Counter[str]:
    """The cuts of several characters, broken where a character is left to bytes."""
    words: Counter[str] = Counter()
    for cut, count in cuts.items():
        known = "".join(char if char in alphabet else "\n" for char in cut)
        for part in known.split("\n"):
            if len(part.lstrip(SPACE)) > 1 or (len(part) == 2 and part[1].isalpha()):
                words[part] += count
    return words


def _unigram(words: Counter[str], size: int) -> dict[str, float]:
    """Pieces and scores of a unigram model of ``words`` with about ``size`` pieces, best first."""
    if not words or size <= 0:
        return {}
    out = io.BytesIO()
    alphabet = len(set("".join(words))) + 1
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder, "words.tsv")
        listed = sorted(words.items(), key=lambda item: (-item[1], item[0]))
        lines.write_text("".join(f"{word}\t{count}\n" for word, count in listed), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(lines),
            input_format="tsv",
            model_writer=out,
            model_type="unigram",
            vocab_size=max(size, alphabet + 1) + 1,
            hard_vocab_limit=False,
            character_coverage=1.0,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            split_by_unicode_script=False,
            split_by_number=False,
            max_sentencepiece_length=_LONGEST_PIECE,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    model = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    return {model.id_to_piece(i): model.get_score(i) for i in range(1, model.get_piece_size())}


def _scored(single: list[str], learned: list[str], scores: dict[str, float], characters: Counter[str]) -> Pieces:
    """Learned scores where there are any; else a character's own log-frequency, below every learned score it meets."""
    total = sum(characters.values()) + 1.0
    worst = min(scores.values(), default=0.0)

    def score(piece: str) -> float:
        if piece in scores:
            return scores[piece]
        # A mark with its space scores as the mark does, so more than the two apart.
        return min(math.log((characters[piece[-1]] + 0.5) / total), worst) if piece != SPACE else -2.0

    pieces = [(piece, score(piece)) for piece in dict.fromkeys([*single, *learned])]
    return sorted(pieces, key=lambda item: -item[1])

"""Random texts of a grammar, for tests of its laws."""

from __future__ import annotations

from random import Random

from t2t.linear.grammar import Copy, FreeText, Grammar, Literal, OneOf, Repeat, Sequence, Subset
from t2t.text import CODES, chunk_pattern, written_forms

_CHARACTERS = [*"abc XYZ 09 |;=#@.:", *CODES, "é", "野", "\u0301", "\ufdd0", "\u2581", "\U0001f600", "\ue000"]


def sample(grammar: Grammar, random: Random) -> str | None:
    """One text of ``grammar``; None if it has none."""
    match grammar:
        case Literal(text):
            return text
        case Sequence(parts):
            texts = [sample(part, random) for part in parts]
            return None if None in texts else "".join(text or "" for text in texts)
        case OneOf(options):
            texts = [sample(option, random) for option in options]
            found = [text for text in texts if text is not None]
            return random.choice(found) if found else None
        case Repeat(item, between, most):
            texts = [sample(item, random) for _ in range(random.randint(1, min(most or 3, 40)))]
            return None if None in texts else between.join(text or "" for text in texts)
        case Subset(words, between):
            kept = [word for word in words if random.random() < 0.5]
            return between.join(kept or [random.choice(words)])
        case FreeText(escaped):
            return _free_text(escaped, random)
        case Copy():
            return _copy(grammar, random)


def _free_text(escaped: frozenset[str], random: Random) -> str:
    pattern = chunk_pattern(escaped)
    codes = [f"|{code}" for code in CODES.values()] + ["|u0301", "|ud7ff", "|ue000", "|U10ffff", "|U01f600"]
    raw = [char for char in _CHARACTERS if pattern.fullmatch(char)]
    text = random.choice([*raw, *codes])
    for _ in range(random.randint(0, 8)):
        text += random.choice(["", "", " "]) + random.choice(random.choice([raw, codes]))
    return text


def _copy(grammar: Copy, random: Random) -> str | None:
    source = grammar.source
    if not source:
        return None
    start = random.randrange(len(source))
    end = random.randint(start + 1, min(len(source), start + 8))
    text = ""
    for at in range(start, end):
        forms = written_forms(source[at], grammar.escaped)
        edge = source[at] == " " and (at in (start, end - 1) or source[at - 1] == " ")
        text += forms[1] if edge else random.choice(forms)
    if grammar.numbered and random.random() < 0.5:
        places = sum(source.startswith(source[start:end], at) for at in range(len(source)))
        text += f" #{random.randint(1, places)}"
    return text

"""What the sentences are filled with: names and facts, for training or held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from t2t.atlas.chinese import compose
from t2t.atlas.names import (
    KINDS,
    LONGEST_CHINESE,
    LONGEST_LATIN,
    Entity,
    Name,
    facts,
    fold,
    held_out_strings,
    is_held_out,
    short_names,
)
from t2t.draws import number_of

RELATIONS = {"currency": ("country", "currency"), "language": ("country", "language"), "place": ("city", "country")}
COMPOSED = {False: 12000, True: 2500}
COMPOSED_FACTS = 8000
COMMON_SHARE = 0.2
INVENTED_SHARE = 0.5
TOO_COMMON = 5


@dataclass(frozen=True, slots=True)
class Pool:
    """Names by kind and facts by relations (``"currency"``, ``"currency language"``: the head, then the tails).

    ``common`` are the names of the text's own language, drawn more often; all are sorted, distinct strings. With
    ``held`` (the folded names held out; for training) half of the names are invented anew at each draw, the beginning
    of one joined to the end of another of its kind: however small the world is, its names cannot be learned by heart.
    """

    names: Mapping[str, tuple[str, ...]]
    common: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, tuple[tuple[str, ...], ...]]
    held: frozenset[str] | None = None
    chinese: bool = False

    def name(self, rng: Random, kind: str) -> str:
        """A name of ``kind``, one in five times from the text's own language."""
        real = rng.choice(self.common[kind] if rng.random() < COMMON_SHARE else self.names[kind])
        return self._invented(rng, kind, real) if self._invents(rng) else real

    def fact(self, rng: Random, relations: str) -> tuple[str, ...]:
        """The head and the tails of a fact; where one is invented all its names are."""
        row = rng.choice(self.facts[relations])
        if not self._invents(rng):
            return row
        kinds = (RELATIONS[relations.split()[0]][0], *(RELATIONS[relation][1] for relation in relations.split()))
        return tuple(self._invented(rng, kind, name) for kind, name in zip(kinds, row, strict=True))

    def _invents(self, rng: Random) -> bool:
        return self.held is not None and rng.random() < INVENTED_SHARE

    def _invented(self, rng: Random, kind: str, real: str) -> str:
        """The beginning of ``real`` and the end of another name; ``real`` itself where that is no name."""
        other = rng.choice(self.names[kind])
        cut, rest = rng.randrange(1, len(real)), other[rng.randrange(1, len(other)) :]
        name = real[:cut] + (rest if real[cut - 1] in " -" else rest[0].lower() + rest[1:])
        runs = character_runs(fold(name)) if self.chinese else word_runs(fold(name))
        longest = LONGEST_CHINESE if self.chinese else LONGEST_LATIN
        tidy = name == " ".join(name.split()) and 4 - self.chinese <= len(name) <= longest
        return name if tidy and self.held is not None and self.held.isdisjoint(runs) else real


def word_runs(name: str) -> set[str]:
    """Every run of whole words of a folded Latin name."""
    words = name.split()
    return {" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}


def character_runs(name: str) -> set[str]:
    """Every run of two or more characters of a Chinese name."""
    return {name[i:j] for i in range(len(name)) for j in range(i + 2, len(name) + 1)}


def separate(train: set[str], held: set[str], runs: Callable[[str], set[str]]) -> tuple[set[str], set[str]]:
    """Folded names made disjoint: no held-out name is inside a training name.

    A held-out name that is inside many training names (``Dollar``) is a word rather than a name and is dropped;
    otherwise the training names that hold it are.
    """
    inside = Counter(run for name in train for run in runs(name) if run in held)
    held = {name for name in held if inside[name] <= TOO_COMMON}
    return {name for name in train if not runs(name) & held}, held


def _by_kind(pairs: Iterable[tuple[str, str]], allowed: set[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for kind, text in pairs:
        if fold(text) in allowed:
            found[kind].setdefault(fold(text), text)
    return {kind: tuple(sorted(texts.values())) for kind, texts in found.items()}


def _facts(names: Iterable[Name], allowed: set[str]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Facts with head and tails named in one locale, or in any two; the names of a fact are apart from each other.

    Told in one locale only, facts are so few that a model learns them by heart instead of reading.
    """
    kept = [name for name in names if fold(name.text) in allowed]
    by_locale: dict[str, dict[Entity, str]] = {}
    for name in kept:
        by_locale.setdefault(name.locale, {})[name.entity] = name.text
    one = _facts_of_locales(by_locale)
    return {relations: tuple(sorted({*rows, *_across_locales(relations, kept)})) for relations, rows in one.items()}


def _across_locales(relations: str, names: Sequence[Name]) -> Iterator[tuple[str, ...]]:
    """Each fact once for each name of its head, with names of its tails drawn from all locales."""
    rng = Random(number_of(f"across {relations}"))
    texts: dict[Entity, list[str]] = {}
    for name in names:
        texts.setdefault(name.entity, []).append(name.text)
    tails: dict[Entity, dict[str, list[Entity]]] = {}
    for fact in facts():
        if fact.head in texts and fact.tail in texts:
            tails.setdefault(fact.head, {}).setdefault(fact.relation, []).append(fact.tail)
    for head, known in tails.items():
        if all(relation in known for relation in relations.split()):
            for text in texts[head]:
                row = (text, *(rng.choice(texts[rng.choice(known[relation])]) for relation in relations.split()))
                if _is_apart(row):
                    yield row


def _facts_of_locales(by_locale: Mapping[str, Mapping[Entity, str]]) -> dict[str, tuple[tuple[str, ...], ...]]:
    found: dict[str, set[tuple[str, ...]]] = {relation: set() for relation in (*RELATIONS, "currency language")}
    for spoken in by_locale.values():
        tails: dict[Entity, dict[str, str]] = {}
        for fact in facts():
            if fact.head in spoken and fact.tail in spoken:
                found[fact.relation].add((spoken[fact.head], spoken[fact.tail]))
                tails.setdefault(fact.head, {})[fact.relation] = spoken[fact.tail]
        for head, tail in tails.items():
            if "currency" in tail and "language" in tail:
                found["currency language"].add((spoken[head], tail["currency"], tail["language"]))
    return {relations: tuple(sorted(filter(_is_apart, rows))) for relations, rows in found.items()}


def _is_apart(row: tuple[str, ...]) -> bool:
    """Whether no name of a fact is inside another one (Surinam in Dollar surinam)."""
    folded = " / ".join(row).casefold()
    return all(folded.count(name.casefold()) == 1 for name in row)


def _composed_facts(names: Mapping[str, tuple[str, ...]], salt: str) -> dict[str, tuple[tuple[str, ...], ...]]:
    rng = Random(number_of(salt))
    rows = {
        relation: tuple((rng.choice(names[a]), rng.choice(names[b])) for _ in range(COMPOSED_FACTS))
        for relation, (a, b) in RELATIONS.items()
    }
    kinds = ("country", "currency", "language")
    both = tuple(tuple(rng.choice(names[kind]) for kind in kinds) for _ in range(COMPOSED_FACTS))
    return {**rows, "currency language": both}


@cache
def _sides(script: str, reserved: frozenset[str]) -> tuple[set[str], set[str]]:
    """The folded names for training and those held out; neither holds a word of ``reserved`` (pattern words)."""
    train = {fold(n.text) for n in short_names(script) if not is_held_out(n.entity)} - held_out_strings() - reserved
    held = {fold(n.text) for n in short_names(script) if is_held_out(n.entity)} - reserved
    if script == "chinese":
        for side, into in ((False, train), (True, held)):
            for texts in _composed(side).values():
                into.update(texts)
        train -= held | held_out_strings()
        return separate(train, held, character_runs)
    return separate(train, held, word_runs)


@cache
def _composed(held: bool) -> dict[str, list[str]]:
    names = [n for n in short_names("chinese") if is_held_out(n.entity) == held]
    return compose(names, COMPOSED[held], f"composed {'held' if held else 'train'}")


@cache
def pool(language: str, held: bool, reserved: frozenset[str]) -> Pool:
    """The names and facts for texts in ``language`` ("en": names of all Latin-script locales, or "zh").

    ``held``: those of held-out entities, which no training pool holds in any locale.
    """
    script = "chinese" if language == "zh" else "latin"
    allowed = _sides(script, reserved)[held]
    mine = [n for n in short_names(script) if is_held_out(n.entity) == held]
    own = _by_kind(((n.entity[0], n.text) for n in mine if n.locale in (language, "zh_Hant")), allowed)
    kept_apart = None if held else frozenset(_sides(script, reserved)[True] | held_out_strings() | reserved)
    if script == "latin":
        return Pool(_by_kind(((n.entity[0], n.text) for n in mine), allowed), own, _facts(mine, allowed), kept_apart)
    composed = [(kind, text) for kind, texts in _composed(held).items() for text in texts]
    names = _by_kind([*((n.entity[0], n.text) for n in mine), *composed], allowed)
    invented = _composed_facts(names, f"facts {held}")
    real = _facts(mine, allowed)
    facts_of = {relations: real[relations] + invented[relations] for relations in invented}
    return Pool(names, own, facts_of, kept_apart, chinese=True)

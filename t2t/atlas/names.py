"""The names of Unicode CLDR, read through Babel, by entity and locale, and the split of the entities.

An entity is a pair (kind, code): ("country", "FR"), ("city", "Europe/Paris"), ("language", "fr"),
("currency", "EUR"). Its side (held out or not) depends on the entity alone, never on a seed or a locale.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from babel import localedata
from babel.core import get_global
from babel.languages import get_official_languages

from t2t.draws import number_of
from t2t.text import fold as fold_text

Entity: TypeAlias = tuple[str, str]
KINDS = ("country", "city", "language", "currency")
CHINESE_LOCALES = ("zh", "zh_Hant", "zh_Hant_HK", "yue", "yue_Hans", "ja")
HELD_OUT_PERCENT = 15
LONGEST_LATIN, LONGEST_CHINESE, MOST_WORDS = 20, 6, 3
RAREST_LETTER = 150  # a letter in fewer names costs byte pieces and teaches nothing
NOT_A_COUNTRY = frozenset({"ZZ", "XA", "XB", "EU", "EZ", "UN", "QO", "AQ"})
NOT_A_LANGUAGE = frozenset({"und", "mul", "zxx", "mis", "root", "art"})


def fold(name: str) -> str:
    """``name`` as names are compared: NFKC, case folded, hyphens as spaces."""
    return " ".join(fold_text(name).replace("-", " ").split())


@dataclass(frozen=True, slots=True)
class Fact:
    """An official relation of CLDR: ``head`` (a country or a city) is in ``relation`` to ``tail``."""

    head: Entity
    relation: str
    tail: Entity


@cache
def facts() -> tuple[Fact, ...]:
    """The currency in use and the official languages of each country, and the country of each city."""
    found: list[Fact] = []
    for code, currencies in sorted(get_global("territory_currencies").items()):
        if is_country(code):
            head = ("country", code)
            found += [Fact(head, "currency", ("currency", c)) for c, _, end, tender in currencies if tender and not end]
            languages = get_official_languages(code)
            found += [Fact(head, "language", ("language", c.split("_")[0])) for c in languages]
    for zone, code in sorted(get_global("zone_territories").items()):
        if is_city(zone):
            found.append(Fact(("city", zone), "place", ("country", code)))
    return tuple(found)


def is_country(code: str) -> bool:
    """Whether a CLDR territory code is that of one country or dependency."""
    return len(code) == 2 and code.isalpha() and code not in NOT_A_COUNTRY


def is_city(zone: str) -> bool:
    """Whether a time zone is named after a place in a country."""
    return "/" in zone and not zone.startswith("Etc/") and is_country(get_global("zone_territories").get(zone, "ZZ"))


@cache
def users() -> dict[Entity, tuple[str, ...]]:
    """For each currency in use and each official language: the codes of its countries."""
    found: dict[Entity, list[str]] = {}
    for fact in facts():
        if fact.relation != "place":
            found.setdefault(fact.tail, []).append(fact.head[1])
    return {entity: tuple(codes) for entity, codes in found.items()}


@cache
def is_held_out(entity: Entity) -> bool:
    """Whether an entity is kept for evaluation.

    A country by its hash; a city as its country; a currency in use or an official language as most of its
    countries (so that held-out facts exist); every other one by its hash.
    """
    kind, code = entity
    if kind == "city":
        return is_held_out(("country", get_global("zone_territories").get(code, "ZZ")))
    codes = users().get(entity)
    if codes:
        return 2 * sum(is_held_out(("country", c)) for c in codes) > len(codes)
    return number_of(f"{kind} {code}") % 100 < HELD_OUT_PERCENT


def own_names(locale: str) -> Iterator[tuple[Entity, str]]:
    """Every name that CLDR writes down for ``locale`` itself, not those that it inherits."""
    data = localedata.load(locale, merge_inherited=False)
    for code, name in data.get("territories", {}).items():
        if is_country(code) and isinstance(name, str):
            yield ("country", code), name
    for code, name in data.get("languages", {}).items():
        if "_" not in code and code not in NOT_A_LANGUAGE and isinstance(name, str):
            yield ("language", code), name
    for code, name in data.get("currency_names", {}).items():
        if code not in ("XXX", "XTS") and isinstance(name, str):
            yield ("currency", code), name
    for zone, words in data.get("time_zones", {}).items():
        if is_city(zone) and isinstance(words.get("city"), str):
            yield ("city", zone), words["city"]
    if locale == "en":
        cities = (zone for zone in get_global("zone_territories") if is_city(zone))
        yield from ((("city", zone), zone.split("/")[-1].replace("_", " ")) for zone in cities)


@cache
def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("LATIN ")


def is_latin_name(name: str) -> bool:
    """Whether ``name`` is written in Latin letters, with spaces, hyphens and apostrophes at most."""
    if " -" in name or "- " in name:
        return False
    return name[0].isalpha() and name[-1].isalpha() and all(_is_latin(c) or c in " -'’" for c in name)


def is_chinese_name(name: str) -> bool:
    """Whether ``name`` is written in Chinese characters alone."""
    return all("\u4e00" <= c <= "\u9fff" for c in name)


def takes_article(name: str) -> bool:
    """Whether an English country name sounds wrong without "the" in a sentence."""
    return (
        name.startswith(("United ", "Isle "))
        or name.endswith((" Islands", " Republic", " Territory"))
        or (name in ("Netherlands", "Philippines", "Maldives", "Comoros", "Bahamas", "Gambia", "Seychelles"))
    )


@dataclass(frozen=True, slots=True)
class Name:
    """A surface of an entity in a locale."""

    entity: Entity
    locale: str
    text: str


@cache
def raw_names() -> tuple[Name, ...]:
    """All names of all locales in Latin or Chinese letters, of any length, with a capital first letter."""
    found: list[Name] = []
    for locale in sorted(localedata.locale_identifiers()):
        chinese = locale in CHINESE_LOCALES
        for entity, text in own_names(locale):
            text = unicodedata.normalize("NFC", text).strip()
            if not text or text == entity[1]:
                continue
            if chinese and is_chinese_name(text):
                found.append(Name(entity, locale, text))
            elif not chinese and is_latin_name(text) and not (locale == "en" and takes_article(text)):
                found.append(Name(entity, locale, text[0].upper() + text[1:]))
    return tuple(found)


@cache
def short_names(script: str) -> tuple[Name, ...]:
    """The names in ``script`` ("latin" or "chinese") that are short, use letters common among them, and
    belong to one kind only (``Singapore`` is a city and a country: no context-free type)."""
    fits = _fits_chinese if script == "chinese" else _fits_latin
    names = [n for n in raw_names() if (n.locale in CHINESE_LOCALES) == (script == "chinese") and fits(n.text)]
    letters = Counter(c for text in {n.text for n in names} for c in set(text))
    rarest = 8 if script == "chinese" else RAREST_LETTER
    kinds: dict[str, set[str]] = {}
    for name in raw_names():
        kinds.setdefault(fold(name.text), set()).add(name.entity[0])
    return tuple(n for n in names if len(kinds[fold(n.text)]) == 1 and all(letters[c] >= rarest for c in n.text))


def _fits_latin(text: str) -> bool:
    return 4 <= len(text) <= LONGEST_LATIN and not text.isupper() and len(text.split()) <= MOST_WORDS


def _fits_chinese(text: str) -> bool:
    return 2 <= len(text) <= LONGEST_CHINESE


@cache
def held_out_strings() -> frozenset[str]:
    """The folded form of every name, in any locale and of any length, of a held-out entity."""
    return frozenset(fold(n.text) for n in raw_names() if is_held_out(n.entity))

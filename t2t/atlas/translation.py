"""Parallel sentences: every name is seen in training, its company in a sentence is new in test.

Names are those of countries, cities, languages and currencies in common use that read well without an article in
English and German. Which side a sentence is on depends on its set of names alone, so no pair of names of test
occurs together in training, in any pattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from random import Random

from t2t.atlas import parts_parallel
from t2t.atlas.bank import Bank
from t2t.atlas.names import fold, held_out_strings, is_held_out, raw_names
from t2t.atlas.pools import character_runs, word_runs
from t2t.atlas.sentence_pattern import Slot, expand_pair, parse_pattern, slots
from t2t.draws import number_of

COMMON = {
    "country": "AL AM AR AT BD BE BG BO BR CA CL CN CO CR CU DE DK DZ EC EE EG ES FI FR GE GH GR HR HU ID IE IL IN "
    "IS IT JM JO JP KE KR KZ LT LV MA MG MX MY NG NO NZ PA PE PK PL PT PY QA RO RS RU SE SI SN SG SY TH "
    "TN TZ UG UY VE VN ZM",
    "language": "ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id is it ja ko lt lv mn ms nl pl pt ro ru "
    "sk sl sr sv sw ta th tr uk ur vi zh",
    "currency": "AUD BRL CAD CHF CLP CNY CZK DKK EUR GBP HUF IDR INR ISK JPY KRW MXN MYR NOK NZD PLN RUB SEK THB TRY "
    "USD",
    "city": "Africa/Accra Africa/Cairo Africa/Casablanca Africa/Lagos Africa/Nairobi Africa/Tunis America/Bogota "
    "America/Caracas America/Chicago America/Havana America/Lima America/Montevideo America/Panama "
    "America/Toronto America/Vancouver Asia/Bangkok Asia/Dhaka Asia/Dubai Asia/Jakarta Asia/Manila "
    "Asia/Seoul Asia/Shanghai Asia/Tokyo Australia/Sydney Europe/Amsterdam Europe/Athens Europe/Berlin "
    "Europe/Brussels Europe/Budapest Europe/Copenhagen Europe/Dublin Europe/Helsinki Europe/Lisbon "
    "Europe/London Europe/Madrid Europe/Moscow Europe/Oslo Europe/Paris Europe/Prague Europe/Rome "
    "Europe/Sofia Europe/Vienna Europe/Warsaw Europe/Zurich",
}
_WHOLE = {
    "zh": Bank(
        (
            "{country} trades with {country:b}.\t{country}与{country:b}进行贸易。",
            "{country} shares a border with {country:b}.\t{country}与{country:b}接壤。",
            "Many people in {country} speak {language}.\t{country}有许多人说{language}。",
            "Schools in {country} teach {language}.\t{country}的学校教{language}。",
            "The book was translated from {language} into {language:b}.\t这本书从{language}译成{language:b}。",
            "A flight leaves {city} for {city:b}.\t一架航班从{city}飞往{city:b}。",
            "The train from {city} to {city:b} is late.\t从{city}到{city:b}的火车晚点了。",
            "My friend lives in {city} and learns {language}.\t我的朋友住在{city}，正在学{language}。",
            "She flew from {country} to {city}.\t她从{country}飞到{city}。",
            "Banks in {city} sell {currency}.\t{city}的银行出售{currency}。",
            "He paid in {currency} in {country}.\t他在{country}用{currency}付款。",
            "I changed {currency} into {currency:b}.\t我把{currency}换成了{currency:b}。",
        ),
        (
            "Many people in {city} learn {language}.\t{city}有许多人学{language}。",
            "He flew from {city} to {country}.\t他从{city}飞到{country}。",
            "Banks in {country} sell {currency}.\t{country}的银行出售{currency}。",
        ),
    ),
    "de": Bank(
        (
            "{country} trades with {country:b}.\t{country} handelt mit {country:b}.",
            "{country} shares a border with {country:b}.\t{country} grenzt an {country:b}.",
            "Many people in {country} speak {language}.\tViele Menschen in {country} sprechen {language}.",
            "Schools in {country} teach {language}.\tSchulen in {country} unterrichten {language}.",
            "Letters in {language} and {language:b} arrived.\tBriefe auf {language} und {language:b} kamen an.",
            "A flight leaves {city} for {city:b}.\tEin Flug geht von {city} nach {city:b}.",
            "The train from {city} to {city:b} is late.\tDer Zug von {city} nach {city:b} hat Verspätung.",
            "My friend lives in {city} and learns {language}.\tMein Freund wohnt in {city} und lernt {language}.",
            "She flew from {country} to {city}.\tSie flog von {country} nach {city}.",
            "We travelled from {city} to {country}.\tWir reisten von {city} nach {country}.",
            "He lived in {country} and in {country:b}.\tEr lebte in {country} und in {country:b}.",
            "I understand {language} and speak {language:b}.\tIch verstehe {language} und spreche {language:b}.",
        ),
        (
            "Many people in {city} learn {language}.\tViele Menschen in {city} lernen {language}.",
            "He flew from {city} to {country}.\tEr flog von {city} nach {country}.",
            "She lives in {country} and speaks {language}.\tSie wohnt in {country} und spricht {language}.",
        ),
    ),
}
PARALLEL = {language: bank.with_combined(parts_parallel.PARALLEL[language]) for language, bank in _WHOLE.items()}
SIDES = {0: "test", 1: "valid"}  # of ten parts


@cache
def vocabulary(language: str) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """By kind: (English name, name in ``language``) of the common entities that are not held out and whose names
    hold none of a held-out entity (澳大利亚元 holds 澳大利亚)."""
    wanted = {(kind, code) for kind, codes in COMMON.items() for code in codes.split()}
    spoken = {(n.locale, n.entity): n.text for n in raw_names() if n.entity in wanted and not is_held_out(n.entity)}
    found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in COMMON}
    for kind, code in sorted(wanted):
        pair = (spoken.get(("en", (kind, code))), _name_in(spoken, language, (kind, code)))
        if pair[0] and pair[1] and not any(_holds_held_out(name) for name in pair if name):
            found[kind].append((pair[0], pair[1]))
    return {kind: tuple(pairs) for kind, pairs in found.items()}


def _holds_held_out(name: str) -> bool:
    runs = word_runs(fold(name)) if name.isascii() or " " in name else character_runs(name) | word_runs(fold(name))
    return bool(runs & held_out_strings())


def _name_in(spoken: Mapping[tuple[str, tuple[str, str]], str], language: str, entity: tuple[str, str]) -> str | None:
    """The name in ``language``; German writes down only the cities whose name differs from the zone's."""
    name = spoken.get((language, entity))
    return spoken.get(("en", entity)) if name is None and language == "de" and entity[0] == "city" else name


def side_of(names: list[str]) -> str:
    """The split that a set of (English) names belongs to."""
    return SIDES.get(number_of(" + ".join(sorted(names))) % 10, "train")


def translation(rng: Random, language: str, split: str) -> dict[str, str] | None:
    """A ``source`` sentence in English and its ``translation``; ``patterns`` has new patterns and test's sets."""
    source, target = expand_pair(rng.choice(PARALLEL[language].of(split == "patterns")), rng)
    drawn = {slot.role: rng.choice(vocabulary(language)[slot.kind]) for slot in slots(source)}
    english = [pair[0] for pair in drawn.values()]
    if len(set(english)) < len(english) or side_of(english) != ("test" if split == "patterns" else split):
        return None
    return {"source": _fill(source, drawn, 0), "translation": _fill(target, drawn, 1)}


def _fill(pattern: str, drawn: Mapping[str, tuple[str, str]], side: int) -> str:
    return "".join(drawn[p.role][side] if isinstance(p, Slot) else p for p in parse_pattern(pattern))

"""English sentence patterns. Each bank is a pair: the patterns of train and test, and those of split ``patterns``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from t2t.atlas import parts_en
from t2t.atlas.bank import Bank, Patterns
from t2t.atlas.stories_en import DETAILS, DIALOGUE, NEWS

TOPIC = {
    "geography": Bank(
        (
            "{country} has high mountains in the north.",
            "A long river runs through {city}.",
            "{country} shares a border with {country:b}.",
            "{city} lies on the coast of {country}.",
            "The highest peak of {country} is covered with snow.",
            "Most lakes of {country} are in the south.",
        ),
        ("A river marks the border of {country}.", "The coast near {city} has many lakes and mountains."),
    ),
    "currency": Bank(
        (
            "The {currency} lost value against the {currency:b}.",
            "New coins of the {currency} were shown today.",
            "The central bank of {country} raised its rates.",
            "Shops in {city} accept the {currency}.",
            "One banknote of the {currency} is green.",
            "Prices in {country} are given in {currency}.",
        ),
        (
            "The bank showed a new banknote of the {currency}.",
            "The value of the {currency} fell against the {currency:b}.",
        ),
    ),
    "language": Bank(
        (
            "Children in {country} learn {language} at school.",
            "{language} has many words from {language:b}.",
            "The grammar of {language} is hard to learn.",
            "She speaks {language} with an accent from {city}.",
            "A new dictionary of {language} was printed.",
            "Most poems were translated from {language}.",
        ),
        ("A new grammar of {language} was printed in {city}.", "He learns words of {language} from a dictionary."),
    ),
    "time": Bank(
        (
            "Clocks in {city} show noon.",
            "{city} is two hours ahead of {city:b}.",
            "{country} will move its clocks in spring.",
            "The sun rises early in {city}.",
            "It is midnight in {country}.",
            "{country} and {country:b} share a time zone.",
        ),
        ("The clocks of {country} are an hour ahead of {city}.", "In {city} the sun rises at noon."),
    ),
    "travel": Bank(
        (
            "Flights to {city} leave every morning.",
            "Many tourists visit {country} in summer.",
            "The hotel in {city} is fully booked.",
            "A train ticket from {city} to {city:b} is cheap.",
            "Travellers need a visa for {country}.",
            "Our guide in {city} speaks {language}.",
        ),
        ("Tourists booked every hotel in {country}.", "A ticket for a flight to {city} is cheap in summer."),
    ),
    "trade": Bank(
        (
            "{country} exports coffee to {country:b}.",
            "Farmers in {country} sell more rice abroad.",
            "The factory in {city} ships steel to {country}.",
            "{country} signed a contract to buy wheat.",
            "Merchants from {city} import cotton.",
            "Exports from {country} to {city} grew.",
        ),
        ("Merchants in {city} sell coffee and cotton abroad.", "{country} imports steel and wheat from {country:b}."),
    ),
}
INTENT = {
    "book flight": Bank(
        (
            "Book a flight from {city:from} to {city:to}.",
            "I want to fly to {city:to} from {city:from}.",
            "Find me a plane that leaves {city:from} for {city:to}.",
            "Get me a plane ticket to {city:to}.",
        ),
        ("I want a plane ticket from {city:from} to {city:to}.",),
    ),
    "convert money": Bank(
        (
            "Change {amount} {currency:from} into {currency:to}.",
            "How much is {amount} {currency:from} in {currency:to}?",
            "I need to turn {amount} {currency:from} into {currency:to}.",
            "What do I get in {currency:to} for {amount} {currency:from}?",
        ),
        ("I want to change {amount} {currency:from} into {currency:to}.",),
    ),
    "translate": Bank(
        (
            "Translate this letter from {language:from} into {language:to}.",
            "Can you put this page into {language:to}?",
            "I need this poem in {language:to}, it is written in {language:from}.",
            "Please translate my {language:from} notes into {language:to}.",
        ),
        ("Please translate this page into {language:to}.",),
    ),
    "ask time": Bank(
        ("What time is it in {city:place}?", "Tell me the hour in {city:place}.", "Is it late in {city:place} now?"),
        ("Tell me what time it is now in {city:place}.",),
    ),
    "ask currency": Bank(
        (
            "Which money do they use in {country:place}?",
            "What can I pay with in {country:place}?",
            "Tell me the currency of {country:place}.",
        ),
        ("Which currency can I use in {country:place}?",),
    ),
    "ask language": Bank(
        (
            "Which language do people speak in {country:place}?",
            "What is spoken in {country:place}?",
            "Tell me the language of {country:place}.",
        ),
        ("What language is spoken in {country:place}?",),
    ),
}
NER = Bank(
    (
        "The port of {city} trades with the government of {country}.",
        "A bridge in the city of {city} was closed.",
        "The mayor of {city} speaks {language} well.",
        "The people of {country} pay in {currency}.",
        "Lessons in {language} start soon.",
        "The army of {country} left the border.",
        "A ticket costs nine {currency} at the station of {city}.",
        "The president of {country} read a letter in {language}.",
        "The streets of {city} were full of people from the state of {country}.",
        "Banks sold the currency {currency} today.",
        "The parliament of {country} met in the town of {city}.",
        "A book in {language} costs six {currency}.",
        "The citizens of {country} read {language} and speak {language:b}.",
        "The exchange of {currency} for {currency:b} was stopped.",
    ),
    (
        "The citizens of {country} speak {language} in the streets of {city}.",
        "The government of {country} sold the currency {currency}.",
        "A letter in {language} was read at the port of {city}.",
        "The mayor of {city} met the president of {country}.",
    ),
)
PLAIN = Bank(
    (
        "The weather was fine on {day}.",
        "About {amount} people were hurt.",
        "Prices went up again on {day}.",
        "The {day} meeting was short.",
        "On {day} some {amount} trains were late.",
        "At least {amount} readers wrote letters.",
        "The Old Bridge will be painted on {day}.",
        "Doctors asked for {amount} more beds.",
    ),
    (
        "The meeting on the Old Bridge was short on {day}.",
        "On {day} at least {amount} trains were late again.",
        "Doctors wrote {amount} letters on {day}.",
    ),
)
FACTS = {
    "currency": Bank(
        (
            "{country:head} uses the {currency}.",
            "People in {country:head} pay with the {currency}.",
            "The currency of {country:head} is the {currency}.",
            "The {currency} is the money of {country:head}.",
        ),
        ("The {currency} is the currency that {country:head} uses.", "The money of {country:head} is the {currency}."),
    ),
    "language": Bank(
        (
            "People in {country:head} speak {language}.",
            "{language} is spoken in {country:head}.",
            "The language of {country:head} is {language}.",
            "The laws of {country:head} are written in {language}.",
        ),
        ("{language} is the language of {country:head}.", "The people of {country:head} speak {language}."),
    ),
    "place": Bank(
        (
            "{city:head} lies in {country:place}.",
            "{city:head} is a city in {country:place}.",
            "{country:place} is home to the city of {city:head}.",
            "The town of {city:head} belongs to {country:place}.",
        ),
        ("{city:head} is a town in {country:place}.", "The city of {city:head} lies in {country:place}."),
    ),
    "currency language": Bank(
        (
            "{country:head} uses the {currency} and speaks {language}.",
            "In {country:head} people pay with the {currency} and speak {language}.",
        ),
        ("People in {country:head} use the {currency} and speak {language}.",),
    ),
}
ASIDES = Bank(
    (
        "The road to {city} is closed.",
        "A student of {language} won a prize.",
        "The team from {country} arrived late.",
        "The price of the {currency} did not change.",
        "Rain fell in {city} all day.",
        "A ship left {city} for {country}.",
    ),
    ("The team from {city} won a prize.", "Snow fell in {country} all night."),
)
QUESTIONS = {
    "currency": Bank(
        ("What does {country:head} pay with?", "Which currency does {country:head} use?"),
        ("What is the currency of {country:head}?",),
    ),
    "language": Bank(
        ("What is spoken in {country:head}?", "Which language does {country:head} speak?"),
        ("What is the language of {country:head}?",),
    ),
    "place": Bank(
        ("Where does {city:head} lie?", "Which country is {city:head} in?"),
        ("In which country does {city:head} lie?",),
    ),
}
EVENTS = {
    "visit": Bank(
        (
            "Ministers of {country:guest} [visited] {city:host}.",
            "{city:host} [welcomed] guests from {country:guest}.",
            "The king of {country:guest} [travelled to] {city:host}.",
            "Students from {city:guest} [toured] {country:host}.",
        ),
        (
            "Guests from {city:guest} [visited] {country:host}.",
            "The ministers of {country:guest} [toured] {city:host}.",
        ),
    ),
    "trade": Bank(
        (
            "{country:seller} [exported] rice to {country:buyer}.",
            "{country:buyer} [bought] steel from {country:seller}.",
            "Farmers in {country:seller} [sold] tea to {city:buyer}.",
            "Coffee from {country:seller} was [delivered] to {city:buyer}.",
        ),
        (
            "Steel from {country:seller} was [sold] to {country:buyer}.",
            "{city:buyer} [bought] coffee from {country:seller}.",
        ),
    ),
    "adoption": Bank(
        (
            "{country:place} [adopted] the {currency:money}.",
            "The {currency:money} was [introduced] in {country:place}.",
            "The bank of {country:place} [switched] to the {currency:money}.",
        ),
        ("The bank of {country:place} [introduced] the {currency:money}.",),
    ),
    "teaching": Bank(
        (
            "Schools in {city:place} [taught] {language:subject}.",
            "{language:subject} was [studied] in {country:place}.",
            "Teachers [explained] {language:subject} to children in {city:place}.",
        ),
        ("{language:subject} was [taught] in the schools of {country:place}.",),
    ),
}


def _combined(banks: Mapping[str, Bank], more: Mapping[str, tuple[str, ...]]) -> dict[str, Bank]:
    return {name: bank.with_combined(more.get(name, ())) for name, bank in banks.items()}


ENGLISH = Patterns(
    TOPIC,
    _combined(INTENT, parts_en.INTENT),
    NER.with_combined(parts_en.NER),
    PLAIN.with_combined(parts_en.PLAIN),
    _combined(FACTS, parts_en.FACTS),
    ASIDES.with_combined(parts_en.ASIDES),
    _combined(QUESTIONS, parts_en.QUESTIONS),
    _combined(EVENTS, parts_en.EVENTS),
    NEWS,
    DETAILS,
    replace(
        DIALOGUE,
        opening=DIALOGUE.opening.with_combined(parts_en.OPENING),
        answers=_combined(DIALOGUE.answers, parts_en.ANSWERS),
        changes=DIALOGUE.changes.with_combined(parts_en.CHANGES),
    ),
)

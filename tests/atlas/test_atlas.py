"""The atlas: what its splits promise, scanned in what it generates."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest

from t2t.atlas.bank import Bank
from t2t.atlas.families import FAMILIES
from t2t.atlas.names import KINDS, facts, fold, held_out_strings, is_held_out, raw_names
from t2t.atlas.pools import RELATIONS, character_runs, word_runs
from t2t.atlas.sentence_pattern import DAYS, PARTS, expand, expand_pair, is_combined, parse_pattern
from t2t.atlas.source import LANGUAGES, PATTERNS, SIZES, make, names
from t2t.atlas.translation import PARALLEL, side_of, vocabulary
from t2t.config.shipped_files import TEMPLATES
from t2t.errors import TemplateError
from t2t.structures import Json
from t2t.tasks.record import RawRecord
from t2t.tasks.task import load_task

TASKS = [(family, language) for family, languages in LANGUAGES.items() for language in languages]
EXTRACTION = [(family, language) for family, language in TASKS if family != "translation"]
TEMPLATE_NAMES = sorted(f"atlas/{path.stem}" for path in (TEMPLATES / "atlas").glob("*.yaml"))
SMALL = {"train": 1500, "valid": 60, "test": 300, "patterns": 200}


def patterns_of(family: str, patterns: Any) -> list[Bank]:
    """The banks whose sentences say what the examples of ``family`` hold (distractors left out)."""
    told = {
        "topic": [*patterns.topic.values()],
        "intent": [*patterns.intent.values()],
        "ner": [patterns.ner],
        "relation": [*patterns.facts.values()],
        "event": [*patterns.events.values()],
        "qa": [*(patterns.facts[r] for r in RELATIONS), *patterns.questions.values()],
        "choice": [*(patterns.facts[r] for r in RELATIONS), *patterns.questions.values()],
        "summary": [story.key for story in patterns.news],
        "dialogue": [patterns.dialogue.opening, *patterns.dialogue.answers.values(), patterns.dialogue.changes],
    }
    return told[family]


@cache
def generated(family: str, language: str, split: str, seed: int = 1) -> tuple[RawRecord, ...]:
    spec = {"format": "atlas", "family": family, "language": language, "seed": seed, **SMALL}
    return tuple(make(spec, Path(), "t.yaml:1").records(split))


def strings(value: Json) -> Iterator[str]:
    """Every string in a record."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from strings(each)


def spans(value: Json) -> Iterator[dict[str, Json]]:
    """Every gold span in a record."""
    if isinstance(value, dict) and "start" in value:
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from spans(each)


def source_text(data: dict[str, Json]) -> str:
    """The field that spans are found in."""
    return next(data[field] for field in ("text", "context", "passage", "history") if field in data)


def gold_names(data: dict[str, Json], language: str) -> Iterator[str]:
    """The names that a model has to copy or tell apart: no triggers, days or amounts."""
    yield from data.get("options", [])
    triggers = [event["trigger"]["text"] for event in data.get("events", [])]
    for span in spans(data):
        if span["text"] not in (*triggers, *DAYS[language]) and not span["text"].isdigit():
            yield span["text"]


def runs_of(text: str, language: str) -> set[str]:
    """The pieces of a text that a name could be: runs of up to six words, or of up to eight characters."""
    if language == "zh":
        return {text[i:j] for i in range(len(text)) for j in range(i + 2, min(i + 8, len(text)) + 1)}
    words = fold(re.sub(r"[^\w\s'’-]", " ", text)).split()
    return {" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, min(i + 6, len(words)) + 1)}


@cache
def train_runs(language: str) -> frozenset[str]:
    """All runs in the training texts of every task that is (also) in ``language``."""
    tasks = [task for task in TASKS if language in task[1].split("-")]
    texts = {text for task in tasks for record in generated(*task, "train") for text in strings(record.data)}
    return frozenset(run for text in texts for run in runs_of(text, language))


@pytest.mark.parametrize(("family", "language"), TASKS)
def test_records_depend_on_the_seed_and_the_index_alone(family: str, language: str) -> None:
    spec = {"family": family, "language": language, "seed": 1, "train": 40}
    again = [record.data for record in make(spec, Path(), "t.yaml:1").records("train")]
    assert again == [record.data for record in generated(family, language, "train")[:40]]
    assert again != [record.data for record in generated(family, language, "train", seed=2)[:40]]


@pytest.mark.parametrize(("family", "language"), TASKS)
def test_sizes_and_ids(family: str, language: str) -> None:
    records = [record for split in SMALL for record in generated(family, language, split)]
    assert len(records) == sum(SMALL.values())
    assert len({record.id for record in records}) == len(records)
    assert records[0].where == f"atlas {family} {language} train:1"


@pytest.mark.parametrize(("family", "language"), EXTRACTION)
@pytest.mark.parametrize("split", ["valid", "test", "patterns"])
def test_names_of_evaluation_never_stand_in_training_texts(family: str, language: str, split: str) -> None:
    found = {name for record in generated(family, language, split) for name in gold_names(record.data, language)}
    assert len(found) >= 30 or family in ("topic", "summary")
    assert not {name if language == "zh" else fold(name) for name in found} & train_runs(language)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_training_pool_has_no_name_of_a_held_out_entity(language: str) -> None:
    train, held = ({fold(n) for k in KINDS for n in names(language, side).names[k]} for side in (False, True))
    runs = character_runs if language == "zh" else word_runs
    assert not train & held_out_strings()
    assert not {run for name in train for run in runs(name)} & held
    assert {fold(n) for rows in names(language, True).facts.values() for row in rows for n in row} <= held
    assert {fold(n) for rows in names(language, False).facts.values() for row in rows for n in row} <= train


def test_all_locales_of_an_entity_are_on_one_side() -> None:
    sides: dict[str, set[bool]] = {}
    pools = {side: {fold(n) for k in KINDS for n in names("en", side).names[k]} for side in (False, True)}
    for name in raw_names():
        for side, known in pools.items():
            if fold(name.text) in known:
                sides.setdefault(name.entity[0] + name.entity[1], set()).add(side)
                assert not (is_held_out(name.entity) and not side)
    assert Counter(map(len, sides.values()))[1] > 1000


def test_cities_go_with_their_country_and_there_are_held_out_facts() -> None:
    places = [fact for fact in facts() if fact.relation == "place"]
    assert all(is_held_out(fact.head) == is_held_out(fact.tail) for fact in places)
    held = Counter(fact.relation for fact in facts() if is_held_out(fact.head) and is_held_out(fact.tail))
    assert min(held[relation] for relation in ("currency", "language", "place")) >= 10


@pytest.mark.parametrize(("language", "least"), [("en", 45_000), ("zh", 45_000)])
def test_there_are_too_many_names_to_memorise(language: str, least: int) -> None:
    pool = names(language, held=False)
    assert sum(len(pool.names[kind]) for kind in KINDS) >= least
    assert all(2 <= len(name) <= 20 for kind in KINDS for name in pool.names[kind])
    assert not {c for kind in KINDS for name in pool.names[kind] for c in name} & set("|;=@#[](),./0123456789")


@pytest.mark.parametrize("language", list(PARALLEL))
def test_translation_has_seen_names_in_new_combinations(language: str) -> None:
    known = {english for pairs in vocabulary(language).values() for english, _ in pairs}
    pattern = re.compile("|".join(sorted(map(re.escape, known), key=len, reverse=True)))
    sets = {
        split: {frozenset(pattern.findall(r.data["source"])) for r in generated("translation", f"en-{language}", split)}
        for split in SMALL
    }
    assert not sets["train"] & (sets["test"] | sets["patterns"] | sets["valid"])
    assert set().union(*sets["test"], *sets["patterns"]) <= set().union(*sets["train"])
    assert all(side_of(sorted(names_)) == "test" for names_ in sets["test"])


def test_translation_uses_no_held_out_name() -> None:
    held = {fold(n) for language in ("en", "zh") for k in KINDS for n in names(language, True).names[k]}
    assert not held & {fold(n) for to in PARALLEL for pairs in vocabulary(to).values() for pair in pairs for n in pair}


@pytest.mark.parametrize(("family", "language"), EXTRACTION)
def test_each_task_has_enough_patterns(family: str, language: str) -> None:
    banks = patterns_of(family, PATTERNS[language])
    assert len({text for bank in banks for text in bank.seen}) >= 8
    assert len({text for bank in banks for text in bank.unseen}) >= 3


@pytest.mark.parametrize("bank", PARALLEL.values(), ids=list(PARALLEL))
def test_translation_has_enough_patterns(bank: Bank) -> None:
    assert len(set(bank.seen)) >= 8
    assert len(set(bank.unseen)) >= 3


def all_of(pair: str) -> Iterator[str]:
    """All that a parallel pattern can say."""
    source, target = pair.split("\t")
    for places in product(*(range(count + 1) for count in groups(source))):
        both = [re.split("<([^>]*)>", side) for side in (source, target)]
        for pieces in both:
            pieces[1::2] = [words.split("|")[place] for words, place in zip(pieces[1::2], places, strict=True)]
        yield "\t".join("".join(pieces) for pieces in both)


def groups(text: str) -> list[int]:
    return [words.count("|") for words in re.findall("<([^>]*)>", text)]


@pytest.mark.parametrize("bank", PARALLEL.values(), ids=list(PARALLEL))
def test_both_sides_of_a_translation_have_the_same_groups_and_none_is_on_both_banks(bank: Bank) -> None:
    assert [pair for pair in bank.seen if len({str(groups(side)) for side in pair.split("\t")}) > 1] == []
    said = {tuple(pair.split("\t")) for whole in bank.seen for pair in all_of(whole)}
    assert not {expand_pair(pair, Random(0)) for pair in bank.unseen} & said
    assert {expand_pair(pair, Random(seed)) for pair in bank.seen for seed in range(20)} <= said
    assert len(said) > 150


@pytest.mark.parametrize("language", list(PATTERNS))
def test_no_pattern_is_on_both_sides(language: str) -> None:
    seen = [text for bank in PATTERNS[language].banks for text in bank.seen]
    unseen = [text for bank in PATTERNS[language].banks for text in bank.unseen]
    sayable = [re.compile(as_regex(text, language)) for text in seen]
    assert unseen
    assert [text for text in unseen if any(one.fullmatch(shape(text)) for one in sayable)] == []
    assert not any(is_combined(text) for text in unseen)
    assert all(texts.count(text) == 1 for texts in (seen, unseen) for text in texts)


PIECES = re.compile(r"\$([A-Z]+)|<([^<>]*)>|\{([a-z]+)(?::([a-z]+))?\}|[\[\]]|([^$<{\[\]]+)")


def as_regex(pattern: str, language: str, slot: Callable[[str], str] = lambda role: "_") -> str:
    """A regular expression, any case, for all that a pattern can say; ``slot`` of a role in place of what fills it."""

    def one(text: str) -> str:
        return "".join(map(piece, PIECES.finditer(text)))

    def piece(match: re.Match[str]) -> str:
        part, words, kind, role, literal = match.groups()
        if kind:
            return slot(role or kind)
        several = PARTS[language][part] if part else None if words is None else words.split("|")
        return re.escape(literal or "") if several is None else f"(?:{'|'.join(map(one, several))})"

    return f"(?i:{one(pattern)})"


def test_a_combined_pattern_says_one_of_its_parts() -> None:
    assert as_regex("$V <a|b {city}> [c].", "en", str.upper).endswith("(?:a|b\\ CITY)\\ c\\.)")
    said = {expand("$A <x|y>.", {"A": ("one <two|three>", "{city:a}")}, Random(seed)) for seed in range(40)}
    first = ("One two", "One three", "{city:a}")
    assert said == {f"{one} {word}." for one in first for word in "xy"}


@pytest.mark.parametrize("language", list(PATTERNS))
def test_every_part_is_used_and_every_used_part_is_there(language: str) -> None:
    seen = [text for bank in PATTERNS[language].banks for text in bank.seen]
    used = {name for text in seen for name in re.findall(r"\$([A-Z]+)", text)}
    assert used == set(PARTS[language])


def shape(pattern: str) -> str:
    """A pattern without what fills it."""
    return "".join(piece if isinstance(piece, str) else piece.words or "_" for piece in parse_pattern(pattern))


def test_split_patterns_is_made_of_unseen_sentences() -> None:
    banks = [PATTERNS["en"].ner, PATTERNS["en"].plain]
    plain = re.compile("|".join([*DAYS["en"], r"\d+"]))
    shapes = {
        side: re.compile("|".join(as_regex(text, "en") for bank in banks for text in bank.of(side)))
        for side in (False, True)
    }
    for split, side in (("train", False), ("test", False), ("patterns", True)):
        for record in generated("ner", "en", split):
            text = record.data["text"]
            for mention in reversed(record.data["mentions"]):
                text = text[: mention["text"]["start"]] + "_" + text[mention["text"]["end"] :]
            said = re.findall(r"[^.?]+[.?]", re.sub("([.?]) ", r"\1", plain.sub("_", text)))
            assert [one for one in said if not shapes[side].fullmatch(one)] == []


@pytest.mark.parametrize(("family", "language"), EXTRACTION)
def test_gold_spans_stand_where_they_say_and_nowhere_else(family: str, language: str) -> None:
    for split in ("train", "test", "patterns"):
        for record in generated(family, language, split):
            about = {"about": record.data.get("about")}  # is in the question
            rest = {key: value for key, value in record.data.items() if key != "about"}
            for text, data in ((source_text(rest), rest), (record.data.get("question", ""), about)):
                for span in spans(data):
                    assert text[span["start"] : span["end"]] == span["text"]
                    assert text.casefold().count(span["text"].casefold()) == 1


@pytest.mark.parametrize(("family", "language"), EXTRACTION)
def test_test_repeats_no_training_text(family: str, language: str) -> None:
    known = {source_text(record.data) for record in generated(family, language, "train")}
    again = [r for r in generated(family, language, "test") if source_text(r.data) in known]
    gold = {"ner": "mentions", "event": "events"}.get(family)
    with_names = [record for record in again if gold is None or record.data[gold]]
    assert with_names == []  # a text without any name may come again


def matcher(pattern: str, head: str, language: str) -> str:
    """A regular expression for the sentences of a pattern about ``head`` (``(?P<head>.+)`` for any)."""
    return as_regex(pattern, language, lambda role: head if role == "head" else "(?P<tail>[^.。]+)")


def answer_by_rule(data: dict[str, Json], language: str) -> str | None:
    """What the context says in answer to the question, read with the patterns themselves."""
    for relation, bank in PATTERNS[language].questions.items():
        asked = [
            m["head"] for q in bank.seen if (m := re.fullmatch(matcher(q, "(?P<head>.+)", language), data["question"]))
        ]
        for head in asked:
            for pattern in PATTERNS[language].facts[relation].seen:
                if found := re.search(rf"(^|[.。]\s?){matcher(pattern, re.escape(head), language)}", data["context"]):
                    return found["tail"]
    return None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_answers_follow_from_the_context_alone(language: str) -> None:
    records = [record.data for record in generated("qa", language, "train")]
    for data in records:
        assert (data["answer"] and data["answer"]["text"]) == answer_by_rule(data, language)
    assert 0.15 < sum(data["answer"] is None for data in records) / len(records) < 0.35


@pytest.mark.parametrize("language", ["en", "zh"])
def test_right_options_are_in_the_passage_and_at_every_place(language: str) -> None:
    records = [record.data for record in generated("choice", language, "train")]
    assert all(data["answer"] in data["passage"] for data in records)
    assert all(len({fold(option) for option in data["options"]}) == 3 for data in records)
    places = Counter(data["options"].index(data["answer"]) for data in records)
    assert min(places.values()) > len(records) / 4
    two = sum(sum(option in data["passage"] for option in data["options"]) > 1 for data in records)
    assert two > len(records) / 5


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_changed_destination_is_the_last_one_said(language: str) -> None:
    changed = [
        data
        for data in (record.data for record in generated("dialogue", language, "train"))
        if data["state"][0]["value"]["start"] > len(data["history"]) // 2
    ]
    assert changed
    assert all(data["state"][0]["slot"] == "destination" for data in changed)


@pytest.mark.parametrize(("family", "language"), TASKS)
def test_generation_is_fast(family: str, language: str) -> None:
    source = make({"family": family, "language": language, "train": 2000}, Path(), "t.yaml:1")
    next(source.records("train"))  # names are read once a process
    begin = time.process_time()
    count = sum(1 for _ in source.records("train"))
    assert count / (time.process_time() - begin) > 5_000  # some 25,000 on an idle core


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"family": "nerr", "language": "en"}, "unknown family 'nerr' of source atlas; did you mean 'ner'?"),
        ({"language": "en"}, "unknown family None"),
        ({"family": "ner", "language": "de"}, "unknown language 'de'"),
        (
            {"family": "translation", "language": "en"},
            "unknown language 'en' of source atlas; use one of: en-de, en-zh",
        ),
        ({"family": "ner", "language": "en", "tran": 5}, "unknown key 'tran' of source atlas; did you mean 'train'?"),
        ({"family": "ner", "language": "en", "train": "many"}, "train: 'many' is no whole number"),
        ({"family": "ner", "language": "en", "test": -1}, "test: -1 is no whole number"),
    ],
)
def test_mistakes_are_told(spec: dict[str, Json], message: str) -> None:
    with pytest.raises(TemplateError) as error:
        make({"format": "atlas", **spec}, Path(), "x.yaml:4")
    assert str(error.value).startswith("x.yaml:4: ")
    assert message in str(error.value)


def test_fingerprint_follows_the_settings() -> None:
    one, same, other = (
        make({"family": "ner", "language": "en", "seed": seed}, Path(), "x").fingerprint() for seed in (1, 1, 2)
    )
    assert one == same != other
    assert make({"family": "ner", "language": "en"}, Path(), "x").sizes == SIZES


def test_there_is_a_template_for_every_task() -> None:
    loaded = [load_task(name).template.source for name in TEMPLATE_NAMES]
    assert {(source["family"], source["language"]) for source in loaded} == set(TASKS)
    assert len(FAMILIES) + 1 == 10


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_templates_say_their_gold_and_read_it_back(name: str) -> None:
    task = load_task(name)
    for split in ("valid", "patterns"):
        for example in task.examples(split):
            parsed = task.parse(task.target_text(example), example)
            assert parsed.value == example.gold
            assert not parsed.issues
            assert len(task.prompt(example)) < 330

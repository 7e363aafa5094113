"""The atlas as a source of records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import babel

from t2t.atlas.bank import Patterns
from t2t.atlas.families import FAMILIES, Data, Setting
from t2t.atlas.names import fold
from t2t.atlas.patterns_en import ENGLISH
from t2t.atlas.patterns_zh import CHINESE
from t2t.atlas.pools import Pool, character_runs, pool, word_runs
from t2t.atlas.sentence_pattern import PARTS, literals
from t2t.atlas.translation import PARALLEL, translation
from t2t.draws import number_of
from t2t.errors import TemplateError
from t2t.registry import did_you_mean
from t2t.structures import Json
from t2t.tasks.bad_records import STOP, BadRecords
from t2t.tasks.sources.base import RawRecord

SIZES = {"train": 20000, "valid": 200, "test": 500, "patterns": 300}
PATTERNS: Mapping[str, Patterns] = {"en": ENGLISH, "zh": CHINESE}
LANGUAGES: Mapping[str, tuple[str, ...]] = {
    **{family: tuple(PATTERNS) for family in FAMILIES},
    "translation": tuple(f"en-{language}" for language in PARALLEL),
}
TRIES = 1000


@cache
def reserved(language: str) -> frozenset[str]:
    """What is in the patterns themselves and can therefore be no name: runs of words or of characters."""
    texts = [text for bank in PATTERNS[language].banks for text in (*bank.seen, *bank.unseen)]
    texts += [text for bank in PARALLEL.values() for text in (*bank.seen, *bank.unseen)]
    texts += [text for parts in PARTS.values() for several in parts.values() for text in several]
    said = {fold(piece) for text in texts for piece in literals(text)}
    if language == "zh":
        return frozenset(run for literal in said for run in character_runs(literal))
    cleaned = ("".join(c if c.isalpha() else " " for c in literal) for literal in said)
    return frozenset(run for literal in cleaned for run in word_runs(literal))


def names(language: str, held: bool) -> Pool:
    """The names and facts of ``language``, for training or held out."""
    return pool(language, held, reserved(language))


@dataclass(frozen=True, slots=True)
class AtlasSource:
    """Generated records of one family in one language; record ``i`` of a split depends on nothing but
    (seed, family, language, split, i)."""

    family: str
    language: str
    seed: int
    sizes: Mapping[str, int]

    def splits(self) -> list[str]:
        """``train``, ``valid``, ``test``, ``patterns``."""
        return list(self.sizes)

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        """The records of ``split``, made one by one; none is bad."""
        for index in range(self.sizes[split]):
            name = f"{self.family}-{self.language}-{split}-{index}"
            yield RawRecord(f"atlas {self.family} {self.language} {split}:{index + 1}", name, self._make(split, index))

    def _make(self, split: str, index: int) -> Data:
        rng = Random(number_of(self.seed, self.family, self.language, split, index))
        for _ in range(TRIES):
            data = self._try(rng, split)
            if data is not None:
                return data
        raise RuntimeError(f"no clear example of {self.family} in {self.language} after {TRIES} tries")

    def _try(self, rng: Random, split: str) -> Data | None:
        if self.family == "translation":
            return translation(rng, self.language.removeprefix("en-"), split)
        held = names(self.language, split != "train")
        setting = Setting(rng, held, PATTERNS[self.language], self.language, split == "patterns")
        return FAMILIES[self.family](setting)

    def fingerprint(self) -> str:
        """SHA-256 of the settings, the generator's code and the version of Babel (whose CLDR gives the names)."""
        settings = json.dumps([self.family, self.language, self.seed, dict(self.sizes), babel.__version__])
        code = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
        return hashlib.sha256(settings.encode() + code).hexdigest()


def make(spec: Mapping[str, Json], base: Path, where: str) -> AtlasSource:
    """The source that a template asks for: ``{format: atlas, family: ner, language: en, seed: 1, train: 20000, ...}``.

    ``seed`` and the sizes may be left out; ``base`` plays no part. Raises TemplateError (at ``where``) for an unknown
    key, family or language and for a number that is not one.
    """
    settings = {key: value for key, value in spec.items() if key != "format"}
    known = ["family", "language", "seed", *SIZES]
    for key in settings:
        if key not in known:
            raise TemplateError(where, f"unknown key {key!r} of source atlas", did_you_mean(str(key), known))
    family = _one_of("family", settings.get("family"), list(LANGUAGES), where)
    language = _one_of("language", settings.get("language"), list(LANGUAGES[family]), where)
    sizes = {split: _number(split, settings.get(split, size), where) for split, size in SIZES.items()}
    return AtlasSource(family, language, _number("seed", settings.get("seed", 1), where), sizes)


def _one_of(key: str, value: Json, known: list[str], where: str) -> str:
    if value not in known:
        raise TemplateError(where, f"unknown {key} {value!r} of source atlas", did_you_mean(str(value), known))
    return str(value)


def _number(key: str, value: Json, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TemplateError(where, f"{key}: {value!r} is no whole number", f"write {key} as 0 or more")
    return value

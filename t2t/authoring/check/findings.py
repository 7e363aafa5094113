"""What was found in a task, split by split. All of it is bounded, however long the data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from t2t.structures import Json

SHOWN = 5  # messages of one kind that are kept
_EXACT = 256  # lengths below are counted exactly, longer ones to within 1 in 128


@dataclass(slots=True)
class Messages:
    """How many there were, and the first few."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, message: object) -> None:
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(str(message))

    def to_json(self) -> Json:
        return {"count": self.count, "first": self.first}


class LengthCounts:
    """The lengths of many texts, in characters or tokens, as a histogram. ``limit``: what a run cuts at by default."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.n = self.over = self.longest = 0
        self._counts: Counter[int] = Counter()

    def add(self, length: int) -> None:
        self.n += 1
        self.longest = max(self.longest, length)
        self.over += self.limit is not None and length > self.limit
        shift = max(0, length.bit_length() - _EXACT.bit_length() + 1)
        self._counts[length >> shift << shift] += 1

    def quantile(self, share: float) -> int:
        """The length below which ``share`` of the texts stay."""
        left = share * self.n
        for length, count in sorted(self._counts.items()):
            left -= count
            if left < 0:
                return length
        return self.longest

    def histogram(self) -> dict[int, int]:
        """Upper ends (powers of two) and how many texts have at most that length, and more than the one before."""
        found: Counter[int] = Counter()
        for length, count in self._counts.items():
            found[1 << max(0, length - 1).bit_length()] += count
        return dict(sorted(found.items()))

    def to_json(self) -> Json:
        shown = {"median": self.quantile(0.5), "p95": self.quantile(0.95), "longest": self.longest}
        cut = {} if self.limit is None else {"limit": self.limit, "over_limit": self.over}
        return {**shown, **cut, "histogram": {str(end): count for end, count in self.histogram().items()}}


@dataclass(slots=True)
class Findings:
    """One split. By field ``characters`` has what the vocabulary cannot say, ``normalised`` what comes back in its
    compatibility form; ``targets_changed`` come back otherwise, ``targets_lost`` and not for accents alone;
    ``kinds`` what the values are; ``labels``: by path, how often each was gold; ``ceilings``: metric, value, best;
    ``conflicting`` examples have a prompt with another gold too, and ``best_guess`` is the share that can be right all
    the same; ``language``: a line where it is another than the template says; ``in_words``: mentions that cut one."""

    split: str
    prompts: LengthCounts
    targets: LengthCounts
    n: int = 0
    empty: int = 0
    errors: Messages = field(default_factory=Messages)
    bad: Messages = field(default_factory=Messages)
    spans: int = 0
    ambiguous: int = 0
    offsets_lost: int = 0
    not_in_source: Messages = field(default_factory=Messages)
    unreachable: Messages = field(default_factory=Messages)
    answers_cut: int = 0
    unshortened: int = 0
    lost_at_seams: int = 0
    characters: dict[str, Counter[str]] = field(default_factory=dict)
    normalised: dict[str, Counter[str]] = field(default_factory=dict)
    targets_changed: int = 0
    targets_lost: int = 0
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    kinds: dict[str, Counter[str]] = field(default_factory=dict)
    ceilings: list[tuple[str, float, float]] = field(default_factory=list)
    repeated: int = 0
    in_train: int = 0
    conflicting: int = 0
    best_guess: float = 1.0
    language: str | None = None
    in_words: Messages = field(default_factory=Messages)

    @property
    def mixed(self) -> dict[str, Counter[str]]:
        """The fields whose values are of more than one kind; null beside a kind is none of its own."""
        return {name: kinds for name, kinds in self.kinds.items() if len(kinds.keys() - {"null"}) > 1}

    def to_json(self) -> Json:
        plain = ["n", "empty", "spans", "ambiguous", "offsets_lost", "answers_cut", "unshortened"]
        plain.append("lost_at_seams")
        return {
            "split": self.split,
            **{name: getattr(self, name) for name in plain},
            "not_in_source": self.not_in_source.count,
            "not_in_source_first": self.not_in_source.first,
            "unreachable": self.unreachable.to_json(),
            "errors": self.errors.to_json(),
            "bad_records": self.bad.to_json(),
            "prompt": self.prompts.to_json(),
            "target": self.targets.to_json(),
            "characters": {place: dict(found.most_common()) for place, found in self.characters.items()},
            "normalised": {place: dict(found.most_common()) for place, found in self.normalised.items()},
            "targets_changed": self.targets_changed,
            "targets_lost": self.targets_lost,
            "labels": {path: dict(found.most_common()) for path, found in self.labels.items()},
            "mixed": {name: dict(kinds) for name, kinds in self.mixed.items()},
            "ceilings": [{"metric": name, "value": value, "best": best} for name, value, best in self.ceilings],
            "conflicting": self.conflicting,
            "best_guess": self.best_guess,
            "language": self.language,
            "in_words": self.in_words.to_json(),
            "repeated": self.repeated,
            "in_train": self.in_train,
        }


@dataclass(slots=True)
class Report:
    """One task. ``failed``: why it could not be checked at all; ``unreachable``: why its data were not to be had, which
    is no error; ``token_task``: what it is if it is one."""

    task: str
    unit: str
    version: int = 0
    on_bad: str = "stop"
    notes: list[str] = field(default_factory=list)
    splits: list[Findings] = field(default_factory=list)
    failed: str | None = None
    unreachable: str | None = None
    token_task: str | None = None

    @property
    def errors(self) -> int:
        """How many errors there are; a bad record is one unless the template skips it."""
        bad = 0 if self.on_bad == "skip" else sum(findings.bad.count for findings in self.splits)
        return (self.failed is not None) + bad + sum(findings.errors.count for findings in self.splits)

    def to_json(self) -> Json:
        head: dict[str, Json] = {"task": self.task, "version": self.version, "unit": self.unit, "on_bad": self.on_bad}
        head |= {"token_task": self.token_task, "notes": self.notes}
        return {
            **head,
            "failed": self.failed,
            "unreachable": self.unreachable,
            "splits": [findings.to_json() for findings in self.splits],
        }

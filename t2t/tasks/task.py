"""A task: a template bound to its source. Records in; prompts, targets and parsed structures out.

The face of three parts that know nothing of each other: reading (records to fields), wording (prompts) and answering
(targets and parsed outputs).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path

from t2t.config.shipped_files import template_files
from t2t.config.template import Template, read_template, read_templates
from t2t.config.token_task import TokenTask
from t2t.errors import InputError, RunFileError, UnreachableGold
from t2t.linear.grammar import Grammar
from t2t.linear.parsed import Parsed, TargetPart
from t2t.linear.prompt import Prompt
from t2t.linear.target import Target
from t2t.registry import did_you_mean
from t2t.structures import Example, Json, Rendered, Value
from t2t.tasks.answering import Answering
from t2t.tasks.bad_records import BadRecords, OnBad
from t2t.tasks.reading import Reading
from t2t.tasks.sources import RawRecord, Source
from t2t.tasks.wanted_types import WantedTypes, with_set
from t2t.tasks.wording import PromptPlace, Wording


class Task:
    """A compiled template. Nothing is read from the data before ``examples`` is called.

    Args:
        template: as its file says it.
        limit: how many examples of the training split a run trains on (None: all); solved examples and other mentions
            come from those. Label sets that are read from the data come from all of it.
        solved: prompts and targets of solved examples, where no data are at hand to draw them from.

    Raises:
        TemplateError: the template is wrong; the message says FILE:LINE, what was found and what to do.
    """

    def __init__(
        self, template: Template, limit: int | None = None, solved: Sequence[tuple[str, str]] | None = None
    ) -> None:
        self.template = template
        self.limit = limit
        self.name = template.task
        self.version = template.version
        self.language = template.languages[0]
        self.metrics = template.metrics
        self.metrics_where = template.where(("metrics",))
        self._reading = Reading(template)
        self._answering = Answering(template, self._reading.each_of_training)
        self._wording = Wording(template, lambda: self.target, self._drawn_from, self.target_text, solved)
        self._all_types: Target | None = None
        if not self._answering.reads_sets:
            self.compile()

    def compile(self) -> list[Prompt]:
        """The prompts, with all of the template tried: TemplateError for what is wrong in target or prompts."""
        return self.prompts

    @property
    def target(self) -> Target:
        """The target tree; label sets that are in files or in the training data are read for it."""
        return self._answering.target

    @property
    def target_spec(self) -> Json:
        """The target as YAML would have it, with all label sets written out."""
        return self._answering.spec

    def solved(self) -> Iterator[tuple[str, str]]:
        """Prompts and targets of the examples that ``few_shot:`` draws from; none without it."""
        return self._wording.solved()

    @property
    def types(self) -> WantedTypes | None:
        """Which types of the target prompts ask for; None where the template does not sample them."""
        return self._wording.types

    def with_types(self, words: Sequence[str]) -> Task:
        """This task asking for a user's own types. RunFileError if its template does not sample types."""
        if self.types is None:
            raise RunFileError("--types", f"{self.name} does not sample types", "add types: sampled to its template")
        asked = self.types.asked(words, "--types")
        spec = with_set(self.template.target, self.types.node.place.path, asked)
        task = Task(replace(self.template, target=spec), self.limit)
        task._all_types = self.target
        return task

    @cached_property
    def prompts(self) -> list[Prompt]:
        """The wordings of the prompt, compiled."""
        prompts = self._wording.prompts
        self._answering.check()
        return prompts

    def _drawn_from(self, split: str) -> Iterator[Example]:
        return islice(self.examples(split), self.limit if split == "train" else None)

    @property
    def token_task(self) -> TokenTask | None:
        """The token task that this is, whose prompts and targets are ids; None for a task of strings."""
        return self.template.token_task

    @property
    def source(self) -> Source:
        """The source of the raw records."""
        return self._reading.source

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the template, its data, its label sets, and the files and the Python code that it names.

        It changes when what the task yields may change.
        """
        sets, code = self._answering.digests()
        content = [self.template.canonical(), self.source.fingerprint(), sets, self._reading.digests(), code]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def splits(self) -> list[str]:
        """The names of the splits that the source has."""
        return self.source.splits()

    @property
    def on_bad(self) -> OnBad:
        """Whether a bad record stops or is skipped."""
        return self.template.on_bad

    def examples(self, split: str, bad: BadRecords | None = None) -> Iterator[Example]:
        """The examples of a split in the order of the source; ``bad`` (default: as ``on_bad`` says) gets bad records.

        A record is bad if it cannot be read, mapped or understood as gold; where bad ones are skipped, also if prompt
        or target cannot be written, so that every example given here can be used.
        """
        bad = BadRecords(self.on_bad) if bad is None else bad
        return bad.each(self.source.records(split, bad), self.example if bad.on_bad == "stop" else self._writable)

    def _writable(self, raw: RawRecord) -> Example:
        example = self.example(raw)
        self._wording.check_writable(example)
        self.shorten_length(example)
        with suppress(UnreachableGold):
            for window in self.windows(example):
                self.target_text(window)
        self.references(example)
        return example

    def example(self, raw: RawRecord) -> Example:
        """One raw record as an example."""
        fields = self._reading.fields(raw)
        gold = (self._all_types or self.target).gold(fields, raw.where)
        if self._all_types is not None and self.types is not None:
            gold = self.types.only(gold, list(self.types.words))
        return Example(raw.id, fields, gold, raw.where)

    def drawn(self, example: Example, *, seed: int = 0, epoch: int | None = None) -> Example:
        """The example as an epoch sees it: with ``replace_mentions:`` some of its mentions are others, as a function of
        (seed, epoch, id); without ``epoch`` itself. Prompt and target of the epoch are those of this example."""
        return self._wording.drawn(example, seed, epoch)

    def prompt(self, example: Example, *, seed: int = 0, epoch: int | None = None, keep: int | None = None) -> str:
        """The prompt. With ``epoch`` one of the wordings is drawn by weight as a function of (seed, epoch, id),
        without it the first is taken; so are the exemplars of ``few_shot``. ``keep``: how many characters of the
        ``shorten`` field stay."""
        return self._wording.prompt(example, seed, epoch, keep)

    def asks(self, prompt: str, example: Example) -> bool:
        """False if evaluation never asks for an example, or its first window, by this prompt.

        With ``shorten`` it may be cut to any length. With ``few_shot`` this is not known: True.
        """
        return self._wording.asks(prompt, self.windows(example)[0])

    def wording(self, seed: int, epoch: int, id_: str) -> int:
        """The wording that an example is asked in: its place among the template's prompts."""
        return self._wording.index(seed, epoch, id_)

    def shorten_length(self, example: Example) -> int | None:
        """How many characters the ``shorten`` field has; None if the template allows no cut."""
        return self._wording.shorten_length(example)

    @property
    def prompts_vary(self) -> bool:
        """True if the prompt or target of an example may differ from epoch to epoch."""
        return len(self.template.prompts) > 1 or self._wording.draws_more

    def in_each_wording(self) -> list[Task]:
        """This task in each of its wordings alone; empty where more than the wording may differ from epoch to epoch."""
        if self._wording.draws_more:
            return []
        return [Task(replace(self.template, prompts=(variant,)), self.limit) for variant in self.template.prompts]

    def target_text(self, example: Example, *, seed: int = 0, epoch: int | None = None) -> str:
        """The target string of the gold value; with ``epoch``, of its part that the prompt asks for."""
        return self.target.render(self.asked(example, seed=seed, epoch=epoch), example.fields, example.where)

    def asked(self, example: Example, *, seed: int = 0, epoch: int | None = None) -> Value:
        """The gold value; with ``epoch`` and ``types:``, its part that the prompt asks for."""
        return self._wording.asked(example, seed, epoch)

    def render(self, example: Example) -> Rendered:
        """Prompt and target as evaluation sees them."""
        return Rendered(example.id, self.name, self.prompt(example), self.target_text(example))

    def parse(self, text: str, example: Example) -> Parsed:
        """What a model's output says about this example."""
        return self._answering.parse(text, example)

    def windows(self, example: Example) -> list[Example]:
        """What the model reads of an example: its windows, with the gold inside; without ``window:`` itself."""
        return self._answering.windows(example)

    def window_starts(self, example: Example) -> list[int]:
        """At which character of its field each of the windows begins; 0 for an example that is read whole."""
        return self._answering.window_starts(example)

    def places(self, window: Example, prompt: str) -> list[PromptPlace]:
        """Where in the ``prompt`` of an example, or of a window of one, its fields stand; see ``Wording.places``."""
        return self._wording.places(window, prompt)

    def parts(self, text: str) -> list[TargetPart]:
        """What in an output says one thing each: an item of a list, a field, the whole answer."""
        return self.target.parts(text)

    def windowed(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The windows of all examples."""
        for example in examples:
            yield from self.windows(example)

    def parse_windows(self, outputs: Sequence[tuple[str, float | None]], example: Example) -> Parsed:
        """What the outputs for the windows of an example, with their scores, say about the whole of it."""
        return self._answering.parse_windows(outputs, example)

    def parse_gold(self, example: Example) -> Parsed:
        """What the gold says when it is fed back as the output, window by window."""
        return self.parse_windows([(self.target_text(window), 0.0) for window in self.windows(example)], example)

    @property
    def constrainable(self) -> bool:
        """True if outputs can be held to the target language."""
        return self.target.constrainable

    def grammar(self, example: Example) -> Grammar:
        """The outputs for this example that parse strictly; for constrainable tasks only."""
        return self._answering.grammar(example)

    def closed_texts(self, example: Example) -> tuple[str, ...]:
        """All outputs that there are for this example, where its answer is a label or a choice; none elsewhere."""
        return self._answering.closed_texts(example)

    def references(self, example: Example) -> list[Value]:
        """All acceptable gold values, at least one, as the record has them: never rounded, folded or reordered."""
        references = self._answering.references(example)
        if self._all_types is None or self.types is None:
            return references
        return [self.types.only(reference, list(self.types.words)) for reference in references]

    def is_unreachable(self, example: Example) -> bool:
        """True if no output can say the gold of an example, since training never saw its label."""
        if not self._answering.reads_sets:
            return False
        try:
            for window in self.windows(example):
                self.target_text(window)
        except UnreachableGold:
            return True
        return False


def named_tasks(name: str) -> list[str]:
    """The names of the tasks that a name stands for: NAME/VARIANT for each variant of a file with ``for:``."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else template_files().get(name)
    try:
        found = [template.variant for template in read_templates(path)] if path is not None else []
    except InputError:
        found = []
    return [f"{name}/{variant}" for variant in found if variant] or [name]


def load_task(name: str, where: str = "task", limit: int | None = None) -> Task:
    """The task called FAMILY/NAME, or the one in a YAML file; with ``/VARIANT`` behind it where that has ``for:``.

    ``limit`` as in ``Task``. RunFileError with a hint if there is none.
    """
    if found := re.fullmatch(r"(.+?\.ya?ml)(?:/(.+))?", name):
        path, variant = Path(found[1]), found[2]
        if not path.exists():
            raise RunFileError(where, f"there is no file {found[1]!r}", "correct the path")
        return Task(read_template(path, variant), limit)
    files = template_files()
    family, _, rest = name.partition("/")
    stem, _, variant = rest.partition("/")
    if f"{family}/{stem}" not in files:
        raise RunFileError(where, f"unknown task {name!r}", did_you_mean(name, files))
    return Task(read_template(files[f"{family}/{stem}"], variant or None), limit)

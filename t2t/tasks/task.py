"""A task: a template bound to its source. Records in; prompts, targets and parsed structures out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path

from t2t.config.library import template_files
from t2t.config.template import Template, read_template, read_templates
from t2t.config.token_task import TokenTask
from t2t.errors import DataError, InputError, RunFileError, TemplateError
from t2t.linear.branches import Each
from t2t.linear.grammar import Grammar
from t2t.linear.inline import Inline
from t2t.linear.leaves import Label
from t2t.linear.parsed import Parsed
from t2t.linear.prompt import Prompt, PromptList
from t2t.linear.python_node import PythonNode
from t2t.linear.scope import Expression, Scope, kind_of
from t2t.linear.target import Target
from t2t.registry import did_you_mean
from t2t.structures import Example, Record, Rendered, Value
from t2t.tasks.bad_records import BadRecords, OnBad
from t2t.tasks.few_shot import Exemplars
from t2t.tasks.fields import SideFile, compile_fields
from t2t.tasks.label_sets import has_open_sets, resolve_sets
from t2t.tasks.mentions import Mentions
from t2t.tasks.sources import RawRecord, Source, build_source
from t2t.tasks.wanted_types import WantedTypes, with_set
from t2t.tasks.windows import Windows


class Task:
    """A compiled template. Nothing is read from the data before ``examples`` is called.

    Args:
        template: as its file says it.
        limit: how many examples of the training split a run trains on (None: all); solved examples and other mentions
            come from those. Label sets that are read from the data come from all of it.

    Raises:
        TemplateError: the template is wrong; the message says FILE:LINE, what was found and what to do.
    """

    def __init__(self, template: Template, limit: int | None = None) -> None:
        self.template = template
        self.limit = limit
        self.name = template.task
        self.version = template.version
        self.language = template.languages[0]
        self.metrics = template.metrics
        self.metrics_where = template.where(("metrics",))
        self._references = (
            Expression(template.references, template.where(("references",))) if template.references else None
        )
        self._files: list[SideFile] = []
        self._map = compile_fields(template.fields, template.path.parent, template.where(("fields",)), self._files)
        self._exemplars = self._few_shot()
        self._all_types: Target | None = None
        self._open = has_open_sets(template.target)
        if not self._open:
            self.compile()

    def compile(self) -> list[Prompt]:
        """The prompts, with all of the template tried: TemplateError for what is wrong in target or prompts."""
        return self.prompts

    @cached_property
    def target(self) -> Target:
        """The target tree; label sets that stand in files or in the training data are read for it."""
        spec = self.template.target
        if self._open:
            spec = resolve_sets(spec, self._each_train, self.template.path.parent, self._target_line)
        return Target(spec, self._target_line)

    def _target_line(self, path: tuple[str | int, ...]) -> str:
        return self.template.where(("target", *path))

    def _each_train(self, use: Callable[[Record, str], None]) -> None:
        """``use`` the fields and the place of each training record; one for which it raises DataError is bad."""
        bad = BadRecords(self.on_bad)
        for _ in bad.each(self.source.records("train", bad), lambda raw: use(self._map(raw), raw.where)):
            pass

    @cached_property
    def types(self) -> WantedTypes | None:
        """Which types of the target prompts ask for; None where the template does not sample them."""
        settings = self.template.types
        if settings is None:
            return None
        return WantedTypes(settings, self.target, self.name, self.template.where(("types",)))

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
        template = self.template
        lists = {
            name: PromptList(spec, lambda path, name=name: template.where(("lists", name, *path)))  # type: ignore[misc]
            for name, spec in template.lists.items()
        }
        varying = self.types.placeholder if self.types else None
        prompts = [
            Prompt(variant.text, self.target.words, lists, self._prompt_line(index), varying)
            for index, variant in enumerate(template.prompts)
        ]
        self._check_shorten(prompts)
        self._check_window(prompts)
        self._check_mentions(prompts)
        self._check_metrics()
        for index, prompt in enumerate(prompts):
            if varying and varying not in prompt.names:
                found = "types: are sampled, but the prompt does not list them"
                raise TemplateError(self._prompt_line(index), found, f"write {{{varying}}} into it")
        return prompts

    @cached_property
    def _mentions(self) -> Mentions | None:
        settings = self.template.replace_mentions
        if settings is None:
            return None
        where = self.template.where(("replace_mentions",))
        return Mentions(settings, self.target, self.name, where, lambda: self._drawn_from("train"))

    def _drawn_from(self, split: str) -> Iterator[Example]:
        return islice(self.examples(split), self.limit if split == "train" else None)

    def _few_shot(self) -> Exemplars | None:
        settings = self.template.few_shot
        if settings is None:
            return None

        def render(example: Example, wording: int) -> tuple[str, str]:
            return self._worded(example, example.fields, wording, 0, None), self.target_text(example)

        return Exemplars(settings, self.name, lambda: self._drawn_from(settings.split), render)

    def _prompt_line(self, index: int) -> str:
        path = ("prompt",) if len(self.template.prompts) == 1 else ("prompts", index)
        return self.template.where(path)

    def _check_shorten(self, prompts: list[Prompt]) -> None:
        shorten = self.template.shorten
        if shorten is None:
            return
        where = self.template.where(("shorten",))
        if shorten.field in self.template.lists:
            found = f"shorten: {shorten.field!r} stands under lists:"
            raise TemplateError(where, found, "only a field that is a text can be cut")
        for prompt in prompts:
            if shorten.field not in prompt.names:
                found = f"shorten: field {shorten.field!r} does not stand in the prompt"
                raise TemplateError(where, found, did_you_mean(shorten.field, prompt.names))

    def _check_window(self, prompts: list[Prompt]) -> None:
        if self._windows is None:
            return
        where, field = self.template.where(("window",)), self._windows.settings.field
        if self._exemplars is not None:
            todo = "leave one of them out"
            raise TemplateError(where, "window: and few_shot: do not go together, exemplars are whole texts", todo)
        for prompt in prompts:
            if field not in prompt.names:
                found = f"window: field {field!r} does not stand in the prompt"
                raise TemplateError(where, found, did_you_mean(field, prompt.names))

    def _check_mentions(self, prompts: list[Prompt]) -> None:
        if self._mentions is None:
            return
        field = self._mentions.field
        if field in self.template.lists:
            found = f"replace_mentions: exchanges mentions in {field!r}, which stands under lists:"
            raise TemplateError(self.template.where(("lists", field)), found, "give the list another name")
        for index, prompt in enumerate(prompts):
            if field not in prompt.names:
                found = f"replace_mentions: exchanges mentions in {field!r}, which the prompt does not show"
                raise TemplateError(self._prompt_line(index), found, f"write {{{field}}} into it")

    def _check_metrics(self) -> None:
        """Where the whole target is a list, metrics read no list of another name."""
        root = self.target.root
        if not isinstance(root, Each | Inline):
            return
        if not re.fullmatch(r"[\w.-]+", root.expression.text):
            return  # an expression gives the list no name
        name = root.expression.text.rpartition(".")[2]
        for place, spec in enumerate(self.template.metrics):
            arguments = next(iter(spec.values())) if isinstance(spec, dict) else None
            over = arguments.get("over") if isinstance(arguments, dict) else None
            if isinstance(over, str) and over and over.split(".")[0] != name:
                found = f"the metric reads {over!r}, but the whole target is the list {name!r}"
                where = self.template.where(("metrics", place))
                raise TemplateError(where, found, f"write over: {name}, or leave over: out")

    @cached_property
    def _windows(self) -> Windows | None:
        settings = self.template.window
        return None if settings is None else Windows(settings, self.target, self.template.where(("window",)))

    @property
    def token_task(self) -> TokenTask | None:
        """The token task that this is, whose prompts and targets are ids; None for a task of strings."""
        return self.template.token_task

    @cached_property
    def source(self) -> Source:
        """The source of the raw records."""
        return build_source(dict(self.template.source), self.template.path.parent, self.template.where(("source",)))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the template, its data, its label sets, and the files and the Python code that it names.

        It changes when what the task yields may change.
        """
        nodes = self.target.nodes.values()
        sets = [node.words() for node in nodes if isinstance(node, Label)] if self._open else []
        beside = [file.digest() for file in self._files]
        code = [node.code_digest() for node in nodes if isinstance(node, PythonNode)]
        content = [self.template.canonical(), self.source.fingerprint(), sets, beside, code]
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
        for prompt in self.prompts:
            prompt.render(example.fields, example.where)
        self.shorten_length(example)
        for window in self.windows(example):
            self.target_text(window)
        self.references(example)
        return example

    def example(self, raw: RawRecord) -> Example:
        """One raw record as an example."""
        fields = self._map(raw)
        gold = (self._all_types or self.target).gold(fields, raw.where)
        if self._all_types is not None and self.types is not None:
            gold = self.types.only(gold, list(self.types.words))
        return Example(raw.id, fields, gold, raw.where)

    def drawn(self, example: Example, *, seed: int = 0, epoch: int | None = None) -> Example:
        """The example as an epoch sees it: with ``replace_mentions:`` some of its mentions are others, as a function of
        (seed, epoch, id); without ``epoch`` itself. Prompt and target of the epoch are those of this example."""
        return example if self._mentions is None or epoch is None else self._mentions.drawn(example, seed, epoch)

    def prompt(self, example: Example, *, seed: int = 0, epoch: int | None = None, keep: int | None = None) -> str:
        """The prompt. With ``epoch`` one of the wordings is drawn by weight as a function of (seed, epoch, id),
        without it the first is taken; so are the exemplars of ``few_shot``. ``keep``: how many characters of the
        ``shorten`` field stay."""
        wording = 0 if epoch is None else self.wording(seed, epoch, example.id)
        fields = example.fields if keep is None else self._shortened(example.fields, keep)
        prompt = self._worded(example, fields, wording, seed, epoch)
        return prompt if self._exemplars is None else self._exemplars.before(prompt, example, wording, seed, epoch)

    def asks(self, prompt: str, example: Example) -> bool:
        """False if evaluation never asks for an example, or its first window, by this prompt.

        With ``shorten`` it may be cut to any length. With ``few_shot`` this is not known: True.
        """
        if self._exemplars is not None:
            return True
        first = self.windows(example)[0]
        own = self._worded(first, first.fields, 0, 0, None)
        length = self.shorten_length(first)
        if prompt == own or not length:
            return prompt == own
        shortest = len(self.prompt(first, keep=0))
        keep, rest = divmod(len(prompt) - shortest, (len(own) - shortest) // length)
        return not rest and 0 <= keep < length and prompt == self.prompt(first, keep=keep)

    def _worded(self, example: Example, fields: Record, wording: int, seed: int, epoch: int | None) -> str:
        if self.types is not None:
            wanted = self.types.wanted(example.gold, example.id, seed, epoch)
            fields = {**fields, self.types.placeholder: self.types.shown(wanted)}
        return self.prompts[wording].render(fields, example.where)

    def wording(self, seed: int, epoch: int, id_: str) -> int:
        """The wording that an example is asked in: its place among the template's prompts."""
        if len(self.template.prompts) == 1:
            return 0
        weights = [variant.weight for variant in self.template.prompts]
        digest = hashlib.blake2b(f"{seed}/{epoch}/{self.name}/{id_}".encode(), digest_size=8).digest()
        point = int.from_bytes(digest) / 2**64 * sum(weights)
        for index, weight in enumerate(weights):
            point -= weight
            if point < 0:
                return index
        return len(weights) - 1

    def _shortened(self, fields: Record, keep: int) -> Record:
        shorten = self.template.shorten
        if shorten is None:
            return fields
        text = fields[shorten.field]
        cut = text[:keep] if shorten.keep == "start" else text[max(len(text) - keep, 0) :]
        return {**fields, shorten.field: cut}

    def shorten_length(self, example: Example) -> int | None:
        """How many characters the ``shorten`` field has; None if the template allows no cut."""
        shorten = self.template.shorten
        if shorten is None:
            return None
        text = example.fields.get(shorten.field)
        if not isinstance(text, str):
            found = f"field {shorten.field!r} under shorten: is {kind_of(text)}"
            raise DataError(example.where, found, "only a text can be cut")
        return len(text)

    @property
    def prompts_vary(self) -> bool:
        """True if the prompt or target of an example may differ from epoch to epoch."""
        return len(self.template.prompts) > 1 or self._draws_more

    def in_each_wording(self) -> list[Task]:
        """This task in each of its wordings alone; empty where more than the wording may differ from epoch to epoch."""
        if self._draws_more:
            return []
        return [Task(replace(self.template, prompts=(variant,)), self.limit) for variant in self.template.prompts]

    @property
    def _draws_more(self) -> bool:
        template = self.template
        drawn = (self._exemplars, template.types, template.replace_mentions, template.token_task)
        return any(one is not None for one in drawn)

    def target_text(self, example: Example, *, seed: int = 0, epoch: int | None = None) -> str:
        """The target string of the gold value; with ``epoch``, of its part that the prompt asks for."""
        return self.target.render(self.asked(example, seed=seed, epoch=epoch), example.fields, example.where)

    def asked(self, example: Example, *, seed: int = 0, epoch: int | None = None) -> Value:
        """The gold value; with ``epoch`` and ``types:``, its part that the prompt asks for."""
        if self.types is None or epoch is None:
            return example.gold
        return self.types.only(example.gold, self.types.wanted(example.gold, example.id, seed, epoch))

    def render(self, example: Example) -> Rendered:
        """Prompt and target as evaluation sees them."""
        return Rendered(example.id, self.name, self.prompt(example), self.target_text(example))

    def parse(self, text: str, example: Example) -> Parsed:
        """What a model's output says about this example."""
        return self.target.parse(text, example.fields, example.where)

    def windows(self, example: Example) -> list[Example]:
        """What the model reads of an example: its windows, with the gold inside; without ``window:`` itself."""
        return [example] if self._windows is None else self._windows.of(example)

    def windowed(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The windows of all examples."""
        for example in examples:
            yield from self.windows(example)

    def parse_windows(self, outputs: Sequence[tuple[str, float | None]], example: Example) -> Parsed:
        """What the outputs for the windows of an example, with their scores, say about the whole of it."""
        windows = self.windows(example)
        if len(outputs) != len(windows):
            found = f"{len(outputs)} outputs for {len(windows)} windows"
            raise DataError(example.where, found, "generate the predictions again")
        parsed = [self.parse(text, window) for (text, _), window in zip(outputs, windows, strict=True)]
        if self._windows is None or len(windows) == 1:
            return parsed[0]
        return self._windows.join(example, parsed, [score for _, score in outputs])

    def parse_gold(self, example: Example) -> Parsed:
        """What the gold says when it is fed back as the output, window by window."""
        return self.parse_windows([(self.target_text(window), 0.0) for window in self.windows(example)], example)

    @property
    def constrainable(self) -> bool:
        """True if outputs can be held to the target language."""
        return self.target.constrainable

    def grammar(self, example: Example) -> Grammar:
        """The outputs for this example that parse strictly; for constrainable tasks only."""
        return self.target.grammar(example.fields, example.where)

    def references(self, example: Example) -> list[Value]:
        """All acceptable gold values, at least one."""
        if self._references is None:
            return [example.gold]
        golds = self._references.read(example.fields, example.where)
        if not isinstance(golds, list) or not golds:
            raise DataError(
                example.where, f"references: {self._references.text!r} is no list with an entry", "correct it"
            )
        scope = Scope(example.fields, example.where)
        return [None if gold is None else self.target.root.normal(gold, scope) for gold in golds]


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
        if not path.is_file():
            raise RunFileError(where, f"there is no file {found[1]!r}", "correct the path")
        return Task(read_template(path, variant), limit)
    files = template_files()
    family, _, rest = name.partition("/")
    stem, _, variant = rest.partition("/")
    if f"{family}/{stem}" not in files:
        raise RunFileError(where, f"unknown task {name!r}", did_you_mean(name, files))
    return Task(read_template(files[f"{family}/{stem}"], variant or None), limit)

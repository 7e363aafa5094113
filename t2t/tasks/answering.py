"""What stands on the target's side of a template: the tree, its windows, its label sets, and the references."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from t2t.config.template import Template
from t2t.errors import DataError, TemplateError
from t2t.linear.grammar import Grammar
from t2t.linear.parsed import Parsed
from t2t.linear.scope import Expression
from t2t.linear.target import Target
from t2t.structures import Example, Json, Value
from t2t.tasks.label_sets import EachTrain, has_open_sets, resolve_sets
from t2t.tasks.task_windows import Windows


class Answering:
    """How a template's answers are written and read.

    Args:
        template: as its file says it.
        each_of_training: hands over the fields of each training record, for label sets that are in the data.

    TemplateError for a mistake in ``references:``; those in ``target:`` are told when ``target`` is first asked for.
    """

    def __init__(self, template: Template, each_of_training: EachTrain) -> None:
        self._template = template
        self._each_of_training = each_of_training
        self.reads_sets = has_open_sets(template.target)
        given = template.references
        self._references = Expression(given, template.where(("references",))) if given else None

    @cached_property
    def spec(self) -> Json:
        """The target as the template has it; label sets that are in files or in the training data are read for it."""
        spec = self._template.target
        if not self.reads_sets:
            return spec
        return resolve_sets(spec, self._each_of_training, self._template.path.parent, self._line)

    @cached_property
    def target(self) -> Target:
        """The target tree."""
        return Target(self.spec, self._line)

    def _line(self, path: tuple[str | int, ...]) -> str:
        return self._template.where(("target", *path))

    @cached_property
    def _windows(self) -> Windows | None:
        settings = self._template.window
        return None if settings is None else Windows(settings, self.target, self._template.where(("window",)))

    def check(self) -> None:
        """TemplateError for windows or metrics that do not fit the target."""
        _ = self._windows
        self._check_metrics()

    def _check_metrics(self) -> None:
        """Where the whole target is a list, metrics read no list of another name."""
        root = self.target.root
        if not (root.many and root.children):
            return
        if not re.fullmatch(r"[\w.-]+", root.expression.text):
            return  # an expression gives the list no name
        name = root.expression.text.rpartition(".")[2]
        for place, spec in enumerate(self._template.metrics):
            arguments = next(iter(spec.values())) if isinstance(spec, dict) else None
            over = arguments.get("over") if isinstance(arguments, dict) else None
            if isinstance(over, str) and over and over.split(".")[0] != name:
                found = f"the metric reads {over!r}, but the whole target is the list {name!r}"
                where = self._template.where(("metrics", place))
                raise TemplateError(where, found, f"write over: {name}, or leave over: out")

    def windows(self, example: Example) -> list[Example]:
        """What the model reads of an example: its windows, with the gold inside; without ``window:`` itself."""
        return [example] if self._windows is None else self._windows.of(example)

    def window_starts(self, example: Example) -> list[int]:
        """At which character of the field each of the windows begins."""
        return [0] if self._windows is None else self._windows.starts(example)

    def parse(self, text: str, example: Example) -> Parsed:
        """What a model's output says about an example, or a window of one."""
        return self.target.parse(text, example.fields, example.where)

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

    def grammar(self, example: Example) -> Grammar:
        """The outputs for an example that parse strictly; for constrainable targets only."""
        return self.target.grammar(example.fields, example.where)

    def closed_texts(self, example: Example) -> tuple[str, ...]:
        """All outputs that there are for an example, where its answer is a label or a choice; none elsewhere."""
        return self.target.closed_texts(example.fields, example.where)

    def references(self, example: Example) -> list[Value]:
        """All acceptable gold values, at least one, as the record has them."""
        if self._references is None:
            if self.target.refers_as_it_is:
                return [example.gold]
            return [self.target.reference(example.fields, example.where)]
        golds = self._references.read(example.fields, example.where)
        if not isinstance(golds, list) or not golds:
            found = f"references: {self._references.text!r} is no list with an entry"
            raise DataError(example.where, found, "correct it")
        fields, where = example.fields, example.where
        return [None if gold is None else self.target.reference_of(gold, fields, where) for gold in golds]

    def digests(self) -> list[Json]:
        """What the template's text does not say of its answers: label sets that were read, code that it names."""
        nodes = self.target.nodes.values()
        sets = [node.words() for node in nodes if node.labels()] if self.reads_sets else []
        return [sets, self.target.code_digests]

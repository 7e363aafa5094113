"""Tasks as a model folder keeps them: everything resolved, so that nothing of the training data is read again.

``tasks.json`` holds, for each task, its template with label sets written out, its first wording, solved examples for
``few_shot:``, the limits of lengths in tokens, and how long the targets of each task are. It is data: what a stranger's
folder says is checked as a template is, and code that a template names is not kept.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import numpy as np

from t2t.config.run import Lengths
from t2t.config.settings import read_settings
from t2t.config.template import FewShot, PromptVariant, Shorten, Template, Types
from t2t.config.window import WindowSettings
from t2t.errors import DataError, InputError
from t2t.linear.node_kinds import closed_names
from t2t.linear.scope import Expression
from t2t.registry import did_you_mean
from t2t.structures import Example, Json
from t2t.tasks.expressions import Mismatch, Reader
from t2t.tasks.fields import SideFile, compile_field
from t2t.tasks.json_text import parse_json
from t2t.tasks.record import RawRecord
from t2t.tasks.task import Task

FILE = "tasks.json"
FORM = 1  # rises when older programs could not read the file
_NEARLY_ALL = 0.999
_SOLVED = 64  # examples that stand in for the training split in prompts with exemplars
_MOST_BYTES = 1 << 27
_SETS = ("label", "labels")  # where label sets are in a file that does not say it


def keep(
    tasks: Sequence[Task], lengths: Lengths, version: str, target_tokens: Mapping[str, int] = MappingProxyType({})
) -> str:
    """The content of ``tasks.json`` for the tasks that have outputs and name no code. ``target_tokens``: of tasks by
    name, what nearly all of their targets have at most (see ``usual_length``)."""
    kept = [_kept(task) for task in tasks if task.token_task is None and not task.target.code_digests]
    known = {task.name: target_tokens[task.name] for task in tasks if task.name in target_tokens}
    content = {"form": FORM, "t2t": version, "lengths": asdict(lengths), "target_tokens": known, "tasks": kept}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _kept(task: Task) -> dict[str, Json]:
    template, sets = task.template, closed_names()
    return {
        "task": task.name,
        "version": task.version,
        "description": template.description,
        "languages": list(template.languages),
        "data": dict(template.data),
        "fields": None if template.fields is None else dict(template.fields),
        "lists": dict(template.lists),
        "prompt": template.prompts[0].text,
        "shorten": None if template.shorten is None else template.shorten.model_dump(),
        "window": None if template.window is None else template.window.model_dump(),
        "types": None if template.types is None else template.types.model_dump(),
        "few_shot": None if template.few_shot is None else template.few_shot.model_dump(),
        "solved": [list(pair) for pair in islice(task.solved(), _SOLVED)],
        "target": _plain(task.target_spec, sets),
        "sets": sets,
        "metrics": list(template.metrics),
    }


def _plain(spec: Json, sets: Collection[str]) -> Json:
    """A target as JSON has it: mappings of labels, under the keys ``sets``, are lists of pairs, whose keys may be
    numbers and switches."""
    if not isinstance(spec, Mapping):
        return spec
    return {key: _pairs(value) if key in sets else _plain(value, sets) for key, value in spec.items()}


def _pairs(labels: Json) -> list[list[Json]]:
    given = labels.items() if isinstance(labels, Mapping) else zip(labels, labels, strict=True)
    return [list(pair) for pair in given]


def _filled(spec: Json, sets: Collection[str]) -> Json:
    """The target again."""
    if not isinstance(spec, Mapping):
        return spec
    return {key: dict(inner) if key in sets else _filled(inner, sets) for key, inner in spec.items()}


class KeptTasks:
    """The tasks of a model folder, and the lengths that it was trained with.

    ``target_tokens``: see ``keep``; a folder of an older version has none. InputError where the folder keeps no tasks,
    or what it keeps cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        content = _content(self.path)
        try:
            self.lengths = read_settings(Lengths, content["lengths"])
            self.target_tokens = _target_tokens(content)
            self._specs: dict[str, dict[str, Json]] = {one["task"]: one for one in content["tasks"]}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(str(self.path), f"it holds no tasks ({error})", "train again, or put it back") from None
        self._tasks: dict[str, Answerer] = {}

    @property
    def names(self) -> list[str]:
        return list(self._specs)

    def get(self, name: str | None) -> Answerer:
        """The task called ``name``; the only one where it is None. InputError with a hint if there is none."""
        if name is None and len(self._specs) == 1:
            (name,) = self._specs
        if name is None or name not in self._specs:
            found = "the model has several tasks" if name is None else f"the model has no task {name!r}"
            raise InputError(str(self.path), found, f"name one: {', '.join(self.names)}"
                             if name is None else did_you_mean(name, self.names))  # fmt: skip
        if name not in self._tasks:
            try:
                self._tasks[name] = Answerer(_task(self._specs[name], self.path))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                found = f"what it says of {name!r} cannot be read ({error})"
                raise InputError(str(self.path), found, "train again, or put it back") from None
        return self._tasks[name]


def usual_length(lengths: Sequence[int]) -> int:
    """What 99.9% of the lengths are at most, one of them."""
    return int(np.quantile(lengths, _NEARLY_ALL, method="inverted_cdf"))


def target_tokens(folder: Path) -> Mapping[str, int]:
    """Of the tasks of a model folder what nearly all targets have at most; empty where it keeps none (see ``keep``).

    InputError where what it keeps cannot be read.
    """
    return KeptTasks(folder).target_tokens if (folder / FILE).is_file() else {}


def _target_tokens(content: Mapping[str, Json]) -> Mapping[str, int]:
    found = {str(name): int(tokens) for name, tokens in content.get("target_tokens", {}).items()}
    if any(tokens < 1 for tokens in found.values()):
        raise ValueError("a target has a token at least")
    return found


def _content(path: Path) -> dict[str, Json]:
    todo = "train with this version of t2t, which keeps them, or name the folder model/ of a run"
    if not path.is_file():
        raise InputError(str(path.parent), f"the model does not keep its tasks (no {FILE})", todo)
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(str(path), "it is too large", todo)
    content = parse_json(path.read_text(encoding="utf-8"), str(path))
    if not isinstance(content, dict) or content.get("form") != FORM:
        found = f"it is of form {content.get('form') if isinstance(content, dict) else None!r}, not {FORM}"
        raise InputError(str(path), found, "use the version of t2t that it was trained with")
    return content


def _task(spec: Mapping[str, Json], path: Path) -> Task:
    name = spec["task"]
    few_shot = spec["few_shot"]
    template = Template(
        task=name,
        variant=None,
        version=spec["version"],
        description=spec["description"],
        languages=tuple(spec["languages"]),
        data={},
        source={},
        on_bad="skip",
        fields=spec["fields"],
        lists=spec["lists"],
        prompts=(PromptVariant(text=spec["prompt"]),),
        shorten=None if spec["shorten"] is None else Shorten(**spec["shorten"]),
        few_shot=None if few_shot is None else FewShot.model_validate(few_shot, by_name=True),
        types=None if spec["types"] is None else Types(**spec["types"]),
        replace_mentions=None,
        window=None if spec["window"] is None else WindowSettings(**spec["window"]),
        token_task=None,
        target=_filled(spec["target"], spec.get("sets", _SETS)),
        references=None,
        metrics=tuple(spec["metrics"]),
        path=path,
        where=lambda keys: f"{path}: {name}",
    )
    solved = [(prompt, target) for prompt, target in spec["solved"]]
    return Task(template, solved=solved if few_shot is not None else None)


class Answerer:
    """A task for records without gold: of each only the fields are read that the prompt and the answers need.

    A field is read as the template's ``fields:`` say, or else taken as it is under its own name, so that records in the
    form of the training data and plain ones do alike.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.needed = _needed(task)
        given = task.template.fields
        self._gold = task.target.root.expression.root if task.target.root.labels() else None
        names = (*self.needed, *(() if self._gold is None else (self._gold,)))
        self._readers = {name: self._reader(name, given) for name in names}

    def _reader(self, name: str, given: Mapping[str, Json] | None) -> Reader | None:
        if given is None or name not in given or given[name] == name:
            return None
        files: list[SideFile] = []
        read = compile_field(given[name], self.task.template.path.parent, f"{self.task.name}: fields: {name}", files)
        return None if files else read  # the files of the training data are not here, and others are not looked for

    @property
    def name(self) -> str:
        return self.task.name

    @property
    def text_field(self) -> str | None:
        """The field that a line of text alone stands for; None where more than a text is needed."""
        template = self.task.template
        long = template.shorten.field if template.shorten else template.window.field if template.window else None
        return self.needed[0] if len(self.needed) == 1 else long if len(self.needed) == 0 else None

    def example(self, raw: RawRecord, named: Collection[str] = ()) -> Example:
        """A record as an example without gold; the fields ``named`` are read under their own names alone.

        DataError where a field is missing, or of a kind that cannot be used.
        """
        fields = {name: self._field(name, raw, name in named) for name in self.needed}
        example = Example(raw.id, fields, None, raw.where)
        self.task.prompt(example)
        self.task.shorten_length(example)
        for window in self.task.windows(example) if self.task.constrainable else ():
            self.task.grammar(window)
        return example

    def gold_labels(self, raw: RawRecord, named: Collection[str] = ()) -> list[Json]:
        """The gold of a record, where the whole target is labels and the record has it; else nothing."""
        if self._gold is None:
            return []
        try:
            field = self._field(self._gold, raw, self._gold in named)
            found = self.task.target.root.expression.read({self._gold: field}, raw.where)
        except DataError:
            return []
        return found if isinstance(found, list) else [] if found is None else [found]

    def _field(self, name: str, raw: RawRecord, named: bool) -> Json:
        read, found = self._readers[name], None
        if read is not None and not named:
            try:
                found = read(raw.data)
            except (Mismatch, DataError):
                found = None
        if found is None and name in raw.data:
            found = raw.data[name]
        if found is None:
            has = ", ".join(map(str, raw.data)) or "nothing"
            is_null = name in raw.data
            found_ = f"{name!r} is null" if is_null else f"the record has no {name!r} (it has {has})"
            todo = "give it a value" if is_null else f"add it, or say which field it is: --field {name}=FIELD"
            raise DataError(raw.where, f"{found_}, which {self.task.name} reads", todo)
        return found


def _needed(task: Task) -> tuple[str, ...]:
    """The fields that the prompt shows, that spans are in, and that options are taken from."""
    lists = [spec["each"] for name, spec in task.template.lists.items() if name in task.prompts[0].names]
    shown = [name for name in task.prompts[0].names if name not in task.template.lists]
    types = task.types.placeholder if task.types is not None else None
    names = [*shown, *(Expression(text, task.name).root for text in lists), *task.target.reads]
    return tuple(dict.fromkeys(name for name in names if name != types))

"""Task templates: the only reader of task_templates/FAMILY/NAME.yaml."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from t2t.config.mistakes import first_mistake
from t2t.config.yaml_file import read_yaml
from t2t.errors import TemplateError
from t2t.registry import did_you_mean

UNVERIFIED = "unverified"  # revision: of a data set of the hub whose commit nobody has seen
_CANONICAL = ("task", "version", "source", "on_bad", "fields", "lists", "target")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _WeightedPrompt(_Strict):
    text: str
    weight: Annotated[float, Field(gt=0)] = 1.0


class _Shorten(_Strict):
    field: str
    keep: Literal["start", "end"] = "start"


class _TemplateFile(_Strict):
    task: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)+$")]
    version: Annotated[int, Field(ge=1)]
    description: str = ""
    language: Annotated[str | list[str], Field(min_length=1)] = "en"
    data: dict[str, str] = {}
    source: dict[str, Any]
    on_bad: Literal["stop", "skip"] = "stop"
    fields: dict[str, Any] | None = None
    lists: dict[str, Any] = {}
    prompt: str | None = None
    prompts: list[_WeightedPrompt] | None = None
    shorten: _Shorten | None = None
    target: dict[str, Any]
    references: str | None = None
    metrics: list[str | dict[str, dict[str, Any] | str | None]]


@dataclass(frozen=True, slots=True)
class PromptVariant:
    """One wording of the prompt and how often training draws it, relative to the others."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Shorten:
    """The one field that may be cut so that the prompt fits, and which end of it stays."""

    field: str
    keep: Literal["start", "end"]


@dataclass(frozen=True, slots=True)
class Template:
    """A task template as its file says it, checked for form; ``where`` gives FILE:LINE for a path of keys."""

    task: str
    version: int
    description: str
    languages: tuple[str, ...]
    data: Mapping[str, str]
    source: Mapping[str, Any]
    on_bad: Literal["stop", "skip"]
    fields: Mapping[str, Any] | None
    lists: Mapping[str, Any]
    prompts: tuple[PromptVariant, ...]
    shorten: Shorten | None
    target: Mapping[str, Any]
    references: str | None
    metrics: tuple[str | Mapping[str, Mapping[str, Any] | str | None], ...]
    path: Path
    where: Callable[[tuple[str | int, ...]], str] = field(compare=False)

    @property
    def unverified(self) -> bool:
        """True if a data set of the hub is read whose revision nobody has seen."""
        return _is_unverified(self.source) or any(map(_is_unverified, self.source.values()))

    def canonical(self) -> str:
        """The content that decides what the task is, as text with a fixed order of keys: for fingerprints."""
        content = {name: getattr(self, name) for name in _CANONICAL}
        content["prompts"] = [(prompt.text, prompt.weight) for prompt in self.prompts]
        content["shorten"] = None if self.shorten is None else (self.shorten.field, self.shorten.keep)
        content["references"] = self.references
        return json.dumps(content, ensure_ascii=False, default=str)


def _is_unverified(spec: Any) -> bool:
    return isinstance(spec, Mapping) and spec.get("format") == "hub" and spec.get("revision") == UNVERIFIED


def line_finder(name: str, lines: Mapping[tuple[str | int, ...], int]) -> Callable[[tuple[str | int, ...]], str]:
    """A function from a path of keys to FILE:LINE; a path without a line of its own has its parent's."""

    def where(path: tuple[str | int, ...]) -> str:
        while path and path not in lines:
            path = path[:-1]
        return f"{name}:{lines.get(path, 1)}"

    return where


def read_template(path: Path) -> Template:
    """The template in ``path``. TemplateError, with FILE:LINE, for anything that is not as the language wants it."""
    data, lines = read_yaml(path, TemplateError)
    where = line_finder(str(path), lines)
    try:
        parsed = _TemplateFile.model_validate(data)
    except ValidationError as error:
        raise _first_error(error, data, where) from None
    place, names = path.resolve().with_suffix("").parts, tuple(parsed.task.split("/"))
    if place[-len(names) :] != names:
        found = f"task: {parsed.task!r} does not fit the file's place"
        raise TemplateError(where(("task",)), found, f"name it {'/'.join(place[-2:])!r}")
    for index, spec in enumerate(parsed.metrics):
        if isinstance(spec, dict) and len(spec) != 1:
            todo = "write a name, or one name with its arguments: {accuracy: {of: KEY}}"
            raise TemplateError(where(("metrics", index)), f"a metric is {spec!r}", todo)
    return _frozen(parsed, path, where)


def _frozen(parsed: _TemplateFile, path: Path, where: Callable[[tuple[str | int, ...]], str]) -> Template:
    languages = (parsed.language,) if isinstance(parsed.language, str) else tuple(parsed.language)
    shorten = None if parsed.shorten is None else Shorten(parsed.shorten.field, parsed.shorten.keep)
    return Template(
        task=parsed.task,
        version=parsed.version,
        description=parsed.description,
        languages=languages,
        data=parsed.data,
        source=parsed.source,
        on_bad=parsed.on_bad,
        fields=parsed.fields,
        lists=parsed.lists,
        prompts=_prompts(parsed, where),
        shorten=shorten,
        target=parsed.target,
        references=parsed.references,
        metrics=tuple(parsed.metrics),
        path=path,
        where=where,
    )


def _prompts(parsed: _TemplateFile, where: Callable[[tuple[str | int, ...]], str]) -> tuple[PromptVariant, ...]:
    if (parsed.prompt is None) == (not parsed.prompts):
        raise TemplateError(where(()), "a template has either prompt: or prompts:", "keep one of them")
    if parsed.prompt is not None:
        return (PromptVariant(parsed.prompt, 1.0),)
    return tuple(PromptVariant(prompt.text, prompt.weight) for prompt in parsed.prompts or ())


def _first_error(error: ValidationError, data: Any, where: Callable[[tuple[str | int, ...]], str]) -> TemplateError:
    first = first_mistake(error, data)
    path, key = first.path, first.key
    if first.kind == "extra_forbidden":
        known = _TemplateFile.model_fields if len(path) == 1 else _Shorten.model_fields | _WeightedPrompt.model_fields
        return TemplateError(where(path), f"unknown key {key!r}", did_you_mean(key, known))
    if first.kind == "missing":
        return TemplateError(where(path[:-1]), f"key {key!r} is missing", "add it")
    if first.kind == "string_pattern_mismatch":
        todo = "write FAMILY/NAME of letters, digits, _, . and -, each beginning with a letter or digit"
        return TemplateError(where(path), f"{key}: {first.given!r} is no name", todo)
    return TemplateError(where(path), f"{key}: {first.found}", "correct it")

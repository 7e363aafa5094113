"""Task templates: the only reader of task_templates/FAMILY/NAME.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from t2t.config.mistakes import first_mistake
from t2t.config.replacement import Chance, MentionSettings
from t2t.config.settings import TemplateSection
from t2t.config.shipped_files import is_unverified, metric_names
from t2t.config.token_task import TokenTask, TokenTaskSection, read_token_task
from t2t.config.variants import Where, line_finder, of_variant, variants
from t2t.config.window import WindowSettings, check_window
from t2t.config.yaml_file import read_yaml
from t2t.errors import TemplateError
from t2t.registry import did_you_mean

_CANONICAL = ("task", "version", "source", "on_bad", "fields", "lists", "target")
TASK_NAME = r"^[^\W_][\w.-]*(/[^\W_][\w.-]*)+$"  # letters of any script


class PromptVariant(TemplateSection):
    """One wording of the prompt and how often training draws it, relative to the others."""

    text: str
    weight: Annotated[float, Field(gt=0)] = 1.0


class Shorten(TemplateSection):
    """The one field that may be cut so that the prompt fits, and which end of it stays."""

    field: str
    keep: Literal["start", "end"] = "start"


_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*")  # BCP 47
_Shots = Annotated[int, Field(ge=1, le=64)]


class FewShot(TemplateSection):
    """How many exemplars of which split are in front of the prompt, and how: ``as_`` has {prompt} and {target}."""

    k: _Shots
    split: Annotated[str, Field(alias="from")] = "train"
    as_: Annotated[str, Field(alias="as")] = "{prompt} => {target}"
    between: str = " ; "


class Types(TemplateSection):
    """The label node whose types the prompt asks for (None: the only one), and the chances that training draws by."""

    node: str | None = None
    keep: Chance = 0.8
    negatives: Chance = 0.5


class _TemplateFile(TemplateSection):
    task: Annotated[str, Field(pattern=TASK_NAME)]
    version: Annotated[int, Field(ge=1)]
    description: str = ""
    language: Annotated[str | list[str], Field(min_length=1)] = "en"
    data: dict[str, str] = Field(default_factory=dict)
    source: dict[str, Any]
    on_bad: Literal["stop", "skip"] = "stop"
    fields: dict[str, Any] | None = None
    lists: dict[str, Any] = Field(default_factory=dict)
    prompt: str | None = None
    prompts: list[PromptVariant] | None = None
    shorten: Shorten | None = None
    few_shot: _Shots | FewShot | None = None
    types: Literal["sampled"] | Types | None = None
    replace_mentions: Chance | MentionSettings | None = None
    window: WindowSettings | None = None
    token_task: TokenTaskSection | None = None
    target: dict[str, Any] | None = None
    references: str | None = None
    metrics: list[str | dict[str, dict[str, Any] | str | None]] | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A task template as its file says it, checked for form; ``where`` gives FILE:LINE for a path of keys."""

    task: str
    variant: str | None
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
    few_shot: FewShot | None
    types: Types | None
    replace_mentions: MentionSettings | None
    window: WindowSettings | None
    token_task: TokenTask | None
    target: Mapping[str, Any]
    references: str | None
    metrics: tuple[str | Mapping[str, Mapping[str, Any] | str | None], ...]
    path: Path
    where: Where = field(compare=False)

    @property
    def unverified(self) -> bool:
        """True if a data set of the hub is read whose revision nobody has seen."""
        return is_unverified(self.source)

    def canonical(self) -> str:
        """The content that decides what the task is, as text with a fixed order of keys: for fingerprints."""
        content = {name: getattr(self, name) for name in _CANONICAL}
        content["prompts"] = [(prompt.text, prompt.weight) for prompt in self.prompts]
        content["shorten"] = None if self.shorten is None else (self.shorten.field, self.shorten.keep)
        content["references"] = self.references
        if self.few_shot is not None:
            content["few_shot"] = self.few_shot.model_dump()
        for name in ("types", "replace_mentions", "window"):
            if (settings := getattr(self, name)) is not None:
                content[name] = settings.model_dump()
        if self.token_task is not None:
            content["token_task"] = asdict(self.token_task)
        return json.dumps(content, ensure_ascii=False, default=str)


def read_template(path: Path, variant: str | None = None) -> Template:
    """The template in ``path``, of a file with ``for:`` the one of a ``variant``.

    TemplateError, with FILE:LINE, for anything that is not as the language wants it.
    """
    data, lines = read_yaml(path, TemplateError)
    return _read(data, variant, path, line_finder(str(path), lines))


def read_templates(path: Path) -> list[Template]:
    """The template in ``path``, or all of a file with ``for:``; errors as in ``read_template``."""
    data, lines = read_yaml(path, TemplateError)
    where = line_finder(str(path), lines)
    return [_read(data, name, path, where) for name in variants(data, where) or [None]]


def _read(data: dict[Any, Any], variant: str | None, path: Path, where: Where) -> Template:
    data = of_variant(data, variant, where)
    try:
        parsed = _TemplateFile.model_validate(data)
    except ValidationError as error:
        raise _first_error(error, data, where) from None
    place, names = path.resolve().with_suffix("").parts, tuple(parsed.task.split("/"))
    if place[-len(names) :] != names:
        found = f"task: {parsed.task!r} does not fit the file's place"
        raise TemplateError(where(("task",)), found, f"name it {'/'.join(place[-2:])!r}")
    metric_names(parsed.metrics or (), where)
    return _frozen(parsed, variant, path, where)


def _frozen(parsed: _TemplateFile, variant: str | None, path: Path, where: Where) -> Template:
    languages = (parsed.language,) if isinstance(parsed.language, str) else tuple(parsed.language)
    for language in languages:
        if not _LANGUAGE.fullmatch(language):
            todo = "write a code such as en, zh or zh-Hant, or a list of them"
            raise TemplateError(where(("language",)), f"language: {language!r} is no code of a language", todo)
    if parsed.window is not None:
        check_window(parsed.window, where)
    given = parsed.replace_mentions
    token_task = None
    if parsed.token_task is not None:
        token_task = read_token_task(parsed.token_task, parsed.model_fields_set, where)
    prompts, target, metrics = _own_texts(parsed, where) if token_task is None else _token_task_texts(token_task)
    return Template(
        task=parsed.task if variant is None else f"{parsed.task}/{variant}",
        variant=variant,
        version=parsed.version,
        description=parsed.description,
        languages=languages,
        data=parsed.data,
        source=parsed.source,
        on_bad=parsed.on_bad,
        fields=parsed.fields,
        lists=parsed.lists,
        prompts=prompts,
        shorten=parsed.shorten,
        few_shot=_few_shot(parsed, where),
        types=Types() if parsed.types == "sampled" else parsed.types,
        replace_mentions=MentionSettings(chance=given) if isinstance(given, float) else given,
        window=parsed.window,
        token_task=token_task,
        target=target,
        references=parsed.references,
        metrics=metrics,
        path=path,
        where=where,
    )


_Texts = tuple[tuple[PromptVariant, ...], Mapping[str, Any], tuple[Any, ...]]


def _own_texts(parsed: _TemplateFile, where: Where) -> _Texts:
    """Prompts, target and metrics as the file has them."""
    if parsed.target is None or parsed.metrics is None:
        key = "target" if parsed.target is None else "metrics"
        raise TemplateError(where(()), f"key {key!r} is missing", "add it")
    return _prompts(parsed, where), parsed.target, tuple(parsed.metrics)


def _token_task_texts(token_task: TokenTask) -> _Texts:
    """Those of a token task: the text itself, from which the ids are taken, and nothing to score."""
    return (PromptVariant(text=f"{{{token_task.field}}}"),), {"text": token_task.field}, ()


def _few_shot(parsed: _TemplateFile, where: Where) -> FewShot | None:
    if parsed.few_shot is None:
        return None
    given = parsed.few_shot if isinstance(parsed.few_shot, FewShot) else FewShot(k=parsed.few_shot)
    head, found, tail = given.as_.partition("{prompt}")
    if not found or tail.count("{target}") != 1 or "{" in head or tail.count("{") != 1:
        todo = 'write {prompt} and then {target}, e.g. "{prompt} => {target}"'
        raise TemplateError(where(("few_shot",)), f"few_shot: as: is {given.as_!r}", todo)
    return given


def _prompts(parsed: _TemplateFile, where: Where) -> tuple[PromptVariant, ...]:
    if (parsed.prompt is None) == (not parsed.prompts):
        raise TemplateError(where(()), "a template has either prompt: or prompts:", "keep one of them")
    if parsed.prompt is not None:
        return (PromptVariant(text=parsed.prompt),)
    return tuple(parsed.prompts or ())


def _known_keys(path: tuple[str | int, ...]) -> list[str]:
    if len(path) == 1:
        return [*_TemplateFile.model_fields, "for"]
    inner: dict[str | int, type[BaseModel]] = {"shorten": Shorten, "prompts": PromptVariant, "few_shot": FewShot}
    inner |= {
        "types": Types,
        "replace_mentions": MentionSettings,
        "window": WindowSettings,
        "token_task": TokenTaskSection,
    }
    return [field.alias or name for name, field in inner[path[0]].model_fields.items()] if path[0] in inner else []


def _first_error(error: ValidationError, data: Any, where: Where) -> TemplateError:
    first = first_mistake(error, data)
    path, key = first.path, first.key
    if first.kind == "extra_forbidden":
        known = _known_keys(path)
        return TemplateError(where(path), f"unknown key {key!r}", did_you_mean(key, known))
    if first.kind == "missing":
        return TemplateError(where(path[:-1]), f"key {key!r} is missing", "add it")
    if first.kind == "string_pattern_mismatch":
        todo = "write FAMILY/NAME of letters, digits, _, . and -, each beginning with a letter or digit"
        return TemplateError(where(path), f"{key}: {first.given!r} is no name", todo)
    return TemplateError(where(path), f"{key}: {first.found}", "correct it")

"""``token_task:``: prompt and target are made of the ids of a text, not of strings."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from t2t.config.settings import TemplateSection
from t2t.errors import TemplateError

OWN_KEYS = frozenset({"task", "version", "description", "language", "data", "source", "on_bad", "fields", "token_task"})


class _PrefixLm(TemplateSection):
    of: str = "text"
    prefix: str = ""


class _SpanCorruption(_PrefixLm):
    noise: Annotated[float, Field(gt=0, lt=1)] = 0.15
    mean_span: Annotated[float, Field(ge=1)] = 3.0
    anywhere: bool = False


class TokenTaskSection(TemplateSection):
    """The section as a file has it: one of the two."""

    span_corruption: _SpanCorruption | None = None
    prefix_lm: _PrefixLm | None = None


@dataclass(frozen=True, slots=True)
class TokenTask:
    """Which token task, of which field. ``noise``: the share of the tokens that is hidden; ``mean_span``: how many
    tokens a hidden span has on average; ``anywhere``: tokens may follow the last span, which else ends the text, and is
    the only one of a short text (these for span corruption). ``prefix``: what every prompt begins with, so that the
    model knows which of several token tasks it is asked for (UL2's mode token)."""

    kind: Literal["span corruption", "prefix language modelling"]
    field: str
    noise: float
    mean_span: float
    prefix: str = ""
    anywhere: bool = False

    def __str__(self) -> str:
        more = f", noise {self.noise:g}, mean span {self.mean_span:g}" if self.kind == "span corruption" else ""
        if self.anywhere:
            more += ", anywhere"
        if self.prefix:
            more += f", prefix {self.prefix!r}"
        return f"token task ({self.kind} of {self.field}{more}): prompt and target are ids, no law of strings applies"


def read_token_task(
    given: TokenTaskSection, keys: Collection[str], where: Callable[[tuple[str | int, ...]], str]
) -> TokenTask:
    """The settings of a template with the top keys ``keys``; TemplateError for keys that it cannot have."""
    for key in keys:
        if key not in OWN_KEYS:
            todo = "leave it out: prompt and target are made of ids"
            raise TemplateError(where((key,)), f"a token task has no {key}:", todo)
    spans, prefix = given.span_corruption, given.prefix_lm
    if spans is not None and prefix is None:
        return TokenTask("span corruption", spans.of, spans.noise, spans.mean_span, spans.prefix, spans.anywhere)
    if prefix is not None and spans is None:
        return TokenTask("prefix language modelling", prefix.of, 0.0, 0.0, prefix.prefix)
    todo = "write {span_corruption: {of: text}} or {prefix_lm: {of: text}}"
    raise TemplateError(where(("token_task",)), "token_task: names not exactly one task", todo)

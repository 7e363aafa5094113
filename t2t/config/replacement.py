"""``replace_mentions:``: in training, mentions are exchanged for others of the training split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Chance = Annotated[float, Field(gt=0, le=1)]


class MentionsSection(BaseModel):
    """The section as a file has it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    chance: Chance = 0.5
    list_: Annotated[str | None, Field(alias="list")] = None
    alike: list[str] | None = None


@dataclass(frozen=True, slots=True)
class MentionSettings:
    """The list of the target that holds the mentions (None: the only one), the chance that one is exchanged, and
    the fields, of the item or by their path in the whole target, that the mention in its place must share (None: all of
    the item). Spans, and lists that hold some, are never shared.
    """

    list: str | None
    chance: float
    alike: tuple[str, ...] | None


def read_mentions(given: float | MentionsSection) -> MentionSettings:
    """The settings; a number is the chance."""
    section = given if isinstance(given, MentionsSection) else MentionsSection(chance=given)
    return MentionSettings(section.list_, section.chance, None if section.alike is None else tuple(section.alike))

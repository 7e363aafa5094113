"""``window:``: a long field is read in overlapping pieces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from t2t.errors import TemplateError


class WindowSection(BaseModel):
    """The section as a file has it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    field: str
    characters: Annotated[int, Field(ge=16)]
    stride: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """The field, how many characters a window has at most, and by how many the next one begins later at most."""

    field: str
    characters: int
    stride: int


def read_window(given: WindowSection, where: Callable[[tuple[str | int, ...]], str]) -> WindowSettings:
    """The settings; without ``stride`` each window begins in the middle of the one before."""
    stride = given.characters // 2 if given.stride is None else given.stride
    if stride >= given.characters:
        found = f"window: stride: {stride} leaves no overlap of windows of {given.characters} characters"
        raise TemplateError(where(("window", "stride")), found, "make it smaller")
    return WindowSettings(given.field, given.characters, stride)

"""``window:``: a long field is read in overlapping pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from t2t.config.settings import TemplateSection
from t2t.errors import TemplateError


def _half(window: dict[str, Any]) -> int:
    return int(window.get("characters", 0)) // 2


class WindowSettings(TemplateSection):
    """The field, how many characters a window has at most, and by how many the next one begins later at most: without
    ``stride`` in the middle of the one before."""

    field: str
    characters: Annotated[int, Field(ge=16)]
    stride: Annotated[int, Field(ge=1)] = Field(default_factory=_half)


def check_window(window: WindowSettings, where: Callable[[tuple[str | int, ...]], str]) -> None:
    """TemplateError where windows do not overlap."""
    if window.stride >= window.characters:
        found = f"window: stride: {window.stride} leaves no overlap of windows of {window.characters} characters"
        raise TemplateError(where(("window", "stride")), found, "make it smaller")

"""``replace_mentions:``: in training, mentions are exchanged for others of the training split."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from t2t.config.settings import TemplateSection

Chance = Annotated[float, Field(gt=0, le=1)]


class MentionSettings(TemplateSection):
    """The list of the target that holds the mentions (None: the only one), the chance that one is exchanged, and
    the fields, of the item or by their path in the whole target, that the mention in its place must share (None: all of
    the item). Spans, and lists that hold some, are never shared.
    """

    list: str | None = None
    chance: Chance = 0.5
    alike: Annotated[tuple[str, ...], Strict(False)] | None = None

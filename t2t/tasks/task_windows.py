"""A task's examples in windows, and its outputs joined again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from t2t.config.window import WindowSettings
from t2t.errors import DataError
from t2t.linear.parsed import Parsed
from t2t.linear.scope import kind_of
from t2t.linear.target import Target
from t2t.linear.windows import Window, WindowValue, check_windows, cut, inside, join
from t2t.structures import Example


class Windows:
    """How the examples of a task are cut and joined. TemplateError for a target that cannot be joined."""

    def __init__(self, settings: WindowSettings, target: Target, where: str) -> None:
        check_windows(target.root, settings.field, where)
        self.settings = settings
        self.root = target.root

    def of(self, example: Example) -> list[Example]:
        """The example in windows, each with the gold that lies wholly inside; itself if its text is short.

        A window is called ID@START.
        """
        windows = self._cut(example)
        if len(windows) == 1:
            return [example]
        field = self.settings.field
        return [
            replace(
                example,
                id=f"{example.id}@{window.start}",
                fields={**example.fields, field: window.text},
                gold=inside(self.root, example.gold, field, window),
            )
            for window in windows
        ]

    def starts(self, example: Example) -> list[int]:
        """At which character of the field each window begins."""
        return [window.start for window in self._cut(example)]

    def join(self, example: Example, parsed: Sequence[Parsed], scores: Sequence[float | None]) -> Parsed:
        """What the outputs for the windows of an example say together, with the issues of all."""
        windows = self._cut(example)
        said = [
            WindowValue(window, one.value, float("-inf") if score is None else score)
            for window, one, score in zip(windows, parsed, scores, strict=True)
        ]
        issues = tuple(issue for one in parsed for issue in one.issues)
        return Parsed(join(self.root, said, self.settings.field), issues)

    def _cut(self, example: Example) -> list[Window]:
        text = example.fields.get(self.settings.field)
        if not isinstance(text, str):
            found = f"field {self.settings.field!r} under window: is {kind_of(text)}"
            raise DataError(example.where, found, "only a text can be cut")
        return cut(text, self.settings.characters, self.settings.stride)

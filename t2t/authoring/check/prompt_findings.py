"""What prompts give away, leave out, or ask twice with different answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from t2t.config.shipped_files import metric_names
from t2t.draws import digest_of
from t2t.linear.node import Node
from t2t.tasks.task import Task

_NAME = re.compile(r"[^\W\d]\w*")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_BY_LANGUAGE = ("rouge", "bleu", "squad", "distinct", "ter")  # what their names begin with
_MUCH = 0.3  # of the letters of prompts and targets


def static_notes(task: Task) -> Iterator[str]:
    """What can be said without data: gold that a prompt shows, prompts without a field, order that counts."""
    gold = {name for node in _asked(task.target.root) for name in _NAME.findall(node.expression.text)[:1]}
    for number, prompt in enumerate(task.prompts, 1):
        shown = [name for name in prompt.names if name in gold or _list_of(task, name) in gold]
        if shown:
            yield f"prompt {number} shows {{{shown[0]}}}, from which the gold is read"
        if not prompt.names:
            yield f"in prompt {number} no field of the record stands: all records are asked the same"
    for spec in task.metrics:
        name, given = next(iter(spec.items())) if isinstance(spec, dict) else (spec, None)
        path = given.get("of", "") if isinstance(given, dict) else ""
        ordered = not isinstance(given, dict) or given.get("ordered", True)
        if name in ("accuracy", "exact_match") and ordered and _is_ordered(task, str(path)):
            yield f"{name} compares a list with its order; ordered: false compares it in any order"


def _asked(node: Node) -> Iterator[Node]:
    """The nodes that read gold from the record itself: the root, or the fields of a record."""
    for child in node.beside.values():
        yield from _asked(child)
    if not node.beside and node.expression.text != "@":
        yield node


def _list_of(task: Task, name: str) -> str | None:
    spec = task.template.lists.get(name)
    each = spec.get("each") if isinstance(spec, dict) else None
    return next(iter(_NAME.findall(each)), None) if isinstance(each, str) else None


def _is_ordered(task: Task, path: str) -> bool:
    """True if the target has a list at ``path`` whose order is the gold's own."""
    node = task.target.root if path in ("", "@") else task.target.nodes.get(path)
    return node is not None and node.ordered


class Answers:
    """How often equal prompts have other golds, by 16 bytes an example."""

    def __init__(self) -> None:
        self._targets: dict[bytes, Counter[bytes]] = {}

    def add(self, prompt: str, target: str) -> None:
        key, said = (digest_of(text) for text in (prompt, target))
        self._targets.setdefault(key, Counter())[said] += 1

    def conflicts(self) -> tuple[int, float]:
        """How many examples have a prompt that has another gold too, and the share that the best guess gets right."""
        several = [counts for counts in self._targets.values() if len(counts) > 1]
        n = sum(sum(counts.values()) for counts in self._targets.values())
        best = sum(max(counts.values()) for counts in self._targets.values())
        return sum(sum(counts.values()) for counts in several), best / n if n else 1.0


class Script:
    """How much of the text is Chinese."""

    def __init__(self) -> None:
        self._chinese = self._letters = 0

    def add(self, text: str) -> None:
        self._chinese += len(_CHINESE.findall(text))
        self._letters += sum(map(str.isalpha, text))

    def note(self, task: Task) -> str | None:
        """A line where much of the text is Chinese and the template does not say so."""
        said = "".join(task.template.languages)
        if self._letters == 0 or self._chinese < _MUCH * self._letters or re.search(r"zh|ja|yue|ko", said):
            return None
        names = [name for name in metric_names(task.metrics, task.template.where) if name.startswith(_BY_LANGUAGE)]
        changes = f"; {', '.join(names)} would be cut by characters" if names else ""
        share = self._chinese / self._letters
        return f"{share:.0%} of the letters are Chinese, but language: is {', '.join(task.template.languages)}{changes}"

"""``t2t check``: tries a template on its whole data before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from t2t.errors import DataError, InputError
from t2t.linear.parsed import Parsed
from t2t.metrics.ceiling import Ceiling, missed
from t2t.runs.evaluate import task_metrics
from t2t.structures import Example, Span, Value
from t2t.tasks.task import Task, load_task


@dataclass(slots=True)
class Findings:
    """What was found in one split of a task. Lengths are characters, or tokens if a tokenizer was given."""

    task: str
    split: str
    n: int = 0
    errors: list[str] = field(default_factory=list)
    spans: int = 0
    offsets_lost: int = 0
    not_in_source: int = 0
    off_place: int = 0
    empty: int = 0
    unsayable: Counter[str] = field(default_factory=Counter)
    prompt_lengths: list[int] = field(default_factory=list)
    target_lengths: list[int] = field(default_factory=list)
    ceilings: list[tuple[str, float, float]] = field(default_factory=list)


Measure = Callable[[str], int]
Unsayable = Callable[[str], list[str]]


def check(names: list[str], tokenizer: Path | None = None) -> tuple[str, int]:
    """Check templates over their data: the report as text, and how many errors there are.

    Every record is read, rendered and parsed back (laws 1 and 1b), and its gold is scored by the task's metrics as its
    target says it (law 4); with a tokenizer the prompt and the target are also looked through for characters that it
    cannot say.
    """
    measure, unsayable = _measures(tokenizer)
    reports, errors = [], 0
    for name in names:
        try:
            task = load_task(name)
            found = [_check_split(task, split, measure, unsayable) for split in task.splits()]
        except InputError as error:
            reports.append(f"{name}\n  error: {error}")
            errors += 1
            continue
        errors += sum(len(findings.errors) for findings in found)
        reports.append("\n".join([f"{task.name} version {task.version}", *map(_line, found), *_messages(found)]))
    return "\n\n".join(reports), errors


def _measures(folder: Path | None) -> tuple[Measure, Unsayable]:
    if folder is None:
        return len, lambda text: []
    from t2t.model.tokenizer import load_tokenizer, unsayable

    tokenizer = load_tokenizer(str(folder))
    return lambda text: len(tokenizer(text)["input_ids"]), lambda text: unsayable(tokenizer, text)


def _check_split(task: Task, split: str, measure: Measure, unsayable: Unsayable) -> Findings:
    findings = Findings(task.name, split)
    metrics = task_metrics(task)
    ceiling = Ceiling(metrics)
    try:
        for example in task.examples(split):
            parsed = _check_example(task, example, findings, measure, unsayable)
            ceiling.add(task.references(example), parsed)
    except DataError as error:
        findings.errors.append(str(error))
    findings.ceilings = missed(metrics, ceiling.values())
    if not findings.n and not findings.errors:
        findings.errors.append(f"{task.name}: split {split!r} has no example; correct source:")
    return findings


def _check_example(task: Task, example: Example, found: Findings, measure: Measure, unsayable: Unsayable) -> Parsed:
    rendered = task.render(example)
    parsed = task.parse(rendered.target, example)
    found.n += 1
    found.empty += example.gold in ([], None)
    found.prompt_lengths.append(measure(rendered.prompt))
    found.target_lengths.append(measure(rendered.target))
    found.unsayable.update(unsayable(rendered.prompt + rendered.target))
    gold_spans, parsed_spans = list(_spans(example.gold)), list(_spans(parsed.value))
    _check_spans(gold_spans, parsed_spans, found)
    if not parsed.ok or _surfaces(example.gold) != _surfaces(parsed.value):
        found.errors.append(f"{example.where}: the target {rendered.target!r} does not parse back to the gold")
    return parsed


def _check_spans(gold: list[Span], parsed: list[Span], found: Findings) -> None:
    found.spans += len(gold)
    for want, got in zip(gold, parsed, strict=False):
        found.not_in_source += got.found == "absent"
        found.off_place += want.start is not None and got.start is not None and got.found != "exact"
        found.offsets_lost += want.start is not None and (want.start, want.end) != (got.start, got.end)


def _spans(value: Value) -> Iterator[Span]:
    if isinstance(value, Span):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _spans(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _spans(item)


def _surfaces(value: Value) -> Value:
    """The value with spans reduced to what must always round-trip: that there is one."""
    if isinstance(value, Span):
        return "span"
    if isinstance(value, list):
        return [_surfaces(item) for item in value]
    return {key: _surfaces(item) for key, item in value.items()} if isinstance(value, dict) else value


def _line(found: Findings) -> str:
    if not found.n:
        return f"  {found.split:<10} no example"
    lengths = [_lengths("prompt", found.prompt_lengths), _lengths("target", found.target_lengths)]
    empty = f"empty {found.empty / found.n:.1%}"
    return "  ".join([f"  {found.split:<10} {found.n:>7} examples", *lengths, empty])


def _lengths(name: str, lengths: list[int]) -> str:
    ordered = sorted(lengths)
    middle, high = ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100]
    return f"{name} {middle} / {high} / {ordered[-1]}"


def _messages(found: list[Findings]) -> list[str]:
    messages = []
    for findings in found:
        if findings.offsets_lost:
            share = findings.offsets_lost / findings.spans
            todo = "repeat: number keeps them"
            messages.append(f"  note: {findings.split}: {share:.2%} of the spans lose their offset; {todo}")
        if findings.not_in_source:
            messages.append(f"  note: {findings.split}: {findings.not_in_source} spans do not stand in their source")
        for name, value, best in findings.ceilings:
            ceiling = f"the gold itself scores {value:.4g} by {name}, of {best:g}"
            messages.append(f"  note: {findings.split}: {ceiling}")
        if findings.unsayable:
            worst = ", ".join(f"{char!r} {count}" for char, count in findings.unsayable.most_common(10))
            messages.append(f"  note: {findings.split}: the vocabulary cannot say: {worst}")
        messages += [f"  error: {error}" for error in findings.errors[:5]]
        if len(findings.errors) > 5:
            messages.append(f"  error: and {len(findings.errors) - 5} more")
    return messages

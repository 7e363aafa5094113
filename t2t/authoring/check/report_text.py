"""A report as text: one table a task, a column a split, and below it what to know and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from t2t.authoring.check.findings import Findings, LengthCounts, Messages, Report
from t2t.table import table

_MOST = 12  # characters that are listed


def as_text(report: Report) -> str:
    """The table, its notes and its errors."""
    if report.failed is not None:
        return f"{report.task}\n  error: {report.failed}"
    rows = [["", *(findings.split for findings in report.splits)], *_rows(report)]
    head = f"{report.task} version {report.version}"
    return "\n".join([head, *(f"  {line}" for line in [*table(rows), *_messages(report)])])


def _rows(report: Report) -> Iterator[list[str]]:
    splits = report.splits

    def row(name: str, cell: Callable[[Findings], str]) -> list[str]:
        return [name, *map(cell, splits)]

    def if_any(name: str, count: Callable[[Findings], int], of: Callable[[Findings], int]) -> Iterator[list[str]]:
        if any(map(count, splits)):
            yield row(name, lambda findings: _count(count(findings), of(findings)))

    yield row("examples", lambda findings: str(findings.n))
    yield from if_any("bad records", lambda f: f.bad.count, lambda f: f.n + f.bad.count)
    yield from if_any("empty gold", lambda f: f.empty, lambda f: f.n)
    yield from if_any("prompt stood before", lambda f: f.repeated, lambda f: f.n)
    yield from if_any("prompt stands in train", lambda f: f.in_train, lambda f: f.n)
    yield from _length_rows(f"prompt {report.unit}", [findings.prompts for findings in splits])
    yield from _length_rows(f"target {report.unit}", [findings.targets for findings in splits])
    yield from if_any("target cannot be said whole", lambda f: f.targets_changed, lambda f: f.n)
    yield from if_any("  loses more than accents", lambda f: f.targets_lost, lambda f: f.n)
    yield from if_any("spans", lambda f: f.spans, lambda f: 0)
    yield from if_any("  fit several places", lambda f: f.ambiguous, lambda f: f.spans)
    yield from if_any("  lose their offset", lambda f: f.offsets_lost, lambda f: f.spans)
    yield from if_any("  not in the source", lambda f: f.not_in_source.count, lambda f: f.spans)
    for path in dict.fromkeys(path for findings in splits for path in findings.labels):
        found = [findings.labels.get(path, Counter()) for findings in splits]
        name = path or "label"
        yield [f"{name}: used", *(f"{sum(1 for n in used.values() if n)} of {len(used)}" for used in found)]
        yield ["  most often", *(_extreme(used, max) for used in found)]
        yield ["  least often", *(_extreme(used, min) for used in found)]


def _length_rows(name: str, found: list[LengthCounts]) -> Iterator[list[str]]:
    yield [f"{name}, median", *(str(lengths.quantile(0.5)) for lengths in found)]
    yield ["  longest", *(str(lengths.longest) for lengths in found)]
    ends = sorted({end for lengths in found for end in lengths.histogram()})
    for end in ends:
        share = [_share(lengths.histogram().get(end, 0), lengths.n) for lengths in found]
        yield [f"  {end // 2 + 1 if end > 1 else 0} to {end}", *share]
    limit = next((lengths.limit for lengths in found if lengths.limit is not None), None)
    if limit is not None:
        yield [f"  cut at {limit}", *(_count(lengths.over, lengths.n) for lengths in found)]


def _share(count: int, of: int) -> str:
    return f"{count / of:.1%}" if of else "-"


def _count(count: int, of: int) -> str:
    return f"{count} ({_share(count, of)})" if count and of else str(count)


def _extreme(used: Counter[str], which: Callable[..., int]) -> str:
    total = sum(used.values())
    if not total:
        return "-"
    wanted = which(used.values())
    word = next(word for word, count in used.items() if count == wanted)
    return f"{word} {_share(wanted, total)}"


def _messages(report: Report) -> Iterator[str]:
    skips = report.on_bad == "skip"
    if report.token_task is not None:
        yield f"note: {report.token_task}"
    yield from (f"note: {note}" for note in report.notes)
    for findings in report.splits:
        yield from (f"note: {findings.split}: {note}" for note in _notes(findings))
        if skips:
            yield from _lines(f"note: {findings.split}: set aside", findings.bad)
    for findings in report.splits:
        if not skips:
            yield from _lines("error", findings.bad)
        yield from _lines("error", findings.errors)


def _lines(kind: str, messages: Messages) -> Iterator[str]:
    yield from (f"{kind}: {message}" for message in messages.first)
    if messages.count > len(messages.first):
        yield f"{kind}: and {messages.count - len(messages.first)} more"


def _notes(found: Findings) -> Iterator[str]:
    if found.offsets_lost:
        yield f"{found.offsets_lost / found.spans:.2%} of the spans lose their offset; repeat: number keeps them"
    if count := found.not_in_source.count:
        yield f"{count} spans do not stand in their source, {found.not_in_source.first[0]} the first"
    if count := found.unreachable.count:
        told = "examples have a gold that training never saw, so that no output can say it"
        yield f"{count} {told}, {found.unreachable.first[0]} the first"
    if count := found.in_words.count:
        todo = "are offsets counted as the template says (ends:, units:)?"
        yield f"{count} mentions begin or end inside a word, {found.in_words.first[0]} the first; {todo}"
    if found.conflicting:
        told = f"{found.conflicting} examples have a prompt that has another gold too"
        yield f"{told}: at most {found.best_guess:.2%} can be right"
    if found.language:
        yield found.language
    if found.unshortened:
        yield f"{found.unshortened} prompts are too long with nothing to shorten; name their long field under shorten:"
    if found.answers_cut:
        yield f"in {found.answers_cut} examples the gold is cut away with the shortened field"
    if found.lost_at_seams:
        todo = "raise characters: or lower stride:"
        yield f"in {found.lost_at_seams} examples gold is lost at the seams of windows; {todo}"
    for name, value, best in found.ceilings:
        yield f"the gold itself scores {value:.4g} by {name}, of {best:g}"
    for name, kinds in found.mixed.items():
        shown = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        yield f"field {name} is of several kinds: {shown}"
    for path, used in found.labels.items():
        never = [word for word, count in used.items() if not count]
        if never and found.n and found.split == "train":
            more = f" and {len(never) - _MOST} more" if len(never) > _MOST else ""
            yield f"labels of {path or 'the target'} that never occur: {', '.join(never[:_MOST])}{more}"
    for does, places in (("cannot say", found.characters), ("normalises", found.normalised)):
        for place, characters in places.items():
            worst = ", ".join(f"{char!r} {count}" for char, count in characters.most_common(_MOST))
            more = f" and {len(characters) - _MOST} more" if len(characters) > _MOST else ""
            yield f"characters of {place.rstrip(':')} that the vocabulary {does}: {worst}{more}"
    if found.in_train:
        yield f"{found.in_train} prompts stand in train too; split by: a field that they share, or drop them"

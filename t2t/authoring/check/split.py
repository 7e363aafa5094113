"""One split of a task, streamed in batches through prompt, target, tokenizer and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from t2t.authoring.check.duplicates import Duplicates
from t2t.authoring.check.findings import Findings, LengthCounts
from t2t.authoring.check.prompt_findings import Answers, Script
from t2t.authoring.check.value_findings import (
    closed_sets,
    compatible,
    count_kinds,
    cuts_a_word,
    labels,
    spans,
    surfaces,
)
from t2t.config.run import Lengths
from t2t.errors import DataError, VocabularyError
from t2t.linear.parsed import Issue, Parsed
from t2t.metrics.ceiling import SCORED, Ceiling, missed
from t2t.metrics.metric import Metric
from t2t.structures import Example, Rendered
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.task import Task

if TYPE_CHECKING:
    from t2t.model.sayable import RoundTrip, Vocabulary

_BATCH = 512


def examine(
    task: Task, split: str, metrics: Sequence[Metric], vocabulary: Vocabulary | None, duplicates: Duplicates
) -> Findings:
    """What is found in the examples of ``split``, or in their windows; prompts are added to ``duplicates``.

    LengthCounts are tokens, and limits those that a run file has by default, with a vocabulary; else characters.
    """
    limits = Lengths()
    prompts, targets = (LengthCounts(limit if vocabulary else None) for limit in (limits.prompt, limits.target))
    findings = Findings(split, prompts, targets)
    findings.labels = {path: Counter(dict.fromkeys(words, 0)) for path, words in closed_sets(task.target.root)}
    bad = BadRecords("skip", findings.bad.add)
    ceiling, answers, script = Ceiling(metrics), Answers(), Script()
    try:
        examples = task.examples(split, bad)
        while batch := list(islice(examples, _BATCH)):
            if task.template.window is not None:
                batch = _examine_wholes(task, batch, vocabulary, ceiling, findings)
            batch = _reachable(task, batch, ceiling, findings)
            rendered = [task.render(example) for example in batch]
            said = [texts.target for texts in rendered]
            if vocabulary is None:
                _add_lengths(findings, [(len(texts.prompt), len(texts.target)) for texts in rendered])
            else:
                said = _examine_tokens(task, batch, rendered, vocabulary, findings)
            for example, texts, back in zip(batch, rendered, said, strict=True):
                duplicates.add(split, texts.prompt)
                answers.add(texts.prompt, texts.target)
                script.add(texts.prompt)
                parsed = _examine_example(task, example, texts, findings)
                if task.template.window is None and findings.n <= SCORED:
                    ceiling.add(task.references(example), parsed if back == texts.target else task.parse(back, example))
        if vocabulary is not None:
            _judge(task, vocabulary, findings)
    except (DataError, VocabularyError) as error:
        if not findings.n and not findings.bad.count:
            raise  # nothing could be read: there is nothing to show
        findings.errors.add(error)
    findings.ceilings = missed(metrics, ceiling.values())
    for name, value, best in findings.ceilings:
        if value == 0 and best > 0 and findings.n > 1:
            findings.errors.add(f"{task.name}: split {split!r}: the gold itself scores 0 by {name}; use another metric")
    findings.language = script.note(task)
    if task.template.references is None:
        findings.conflicting, findings.best_guess = answers.conflicts()
    if not findings.n and not findings.errors.count and not findings.bad.count:
        findings.errors.add(f"{task.name}: split {split!r} has no example; correct source:")
    return findings


def _reachable(task: Task, batch: list[Example], ceiling: Ceiling, found: Findings) -> list[Example]:
    """Those examples whose gold can be said; the others are counted, and pull the ceiling down."""
    kept = []
    for example in batch:
        if not task.is_unreachable(example):
            kept.append(example)
            continue
        found.unreachable.add(example.where)
        if not ceiling.full:
            ceiling.add(task.references(example), Parsed(None, (Issue("unreadable", "", ""),)))
    return kept


def _judge(task: Task, vocabulary: Vocabulary, findings: Findings) -> None:
    """VocabularyError where a run on this split would be refused, by what training judges by."""
    from t2t.model.sayable import check_words, refusal

    check_words(task.target, vocabulary)
    targets = (findings.n, findings.targets_changed, findings.targets_lost)
    where = f"{task.template.where(('task',))}: split {findings.split!r}"
    if refused := refusal(where, task.name, targets, findings.characters.get("target:", {})):
        raise refused


def _examine_wholes(
    task: Task, batch: list[Example], vocabulary: Vocabulary | None, ceiling: Ceiling, findings: Findings
) -> list[Example]:
    """Feed the gold of whole texts back through their windows; gives the windows, which all else is about."""
    for example in batch:
        parsed = task.parse_gold(example)
        if vocabulary is not None:
            texts = [task.target_text(window) for window in task.windows(example)]
            parsed = task.parse_windows([(said.back, 0.0) for said in vocabulary.round_trip(texts)], example)
        findings.lost_at_seams += sum(1 for _ in spans(parsed.value)) < sum(1 for _ in spans(example.gold))
        if not ceiling.full:
            ceiling.add(task.references(example), parsed)
    return list(task.windowed(batch))


def _add_lengths(findings: Findings, lengths: list[tuple[int, int]]) -> None:
    for prompt, target in lengths:
        findings.prompts.add(prompt)
        findings.targets.add(target)


def _examine_example(task: Task, example: Example, rendered: Rendered, found: Findings) -> Parsed:
    found.n += 1
    found.empty += example.gold in ([], None)
    count_kinds(found.kinds, example.fields)
    for path, words in labels(task.target.root, example.gold, example):
        found.labels.setdefault(path, Counter())[words] += 1
    parsed = task.parse(rendered.target, example)
    _count_spans(example, parsed, found)
    if not _says_gold(parsed, example):
        found.errors.add(f"{example.where}: the target {rendered.target[:200]!r} does not parse back to the gold")
    return parsed


def _says_gold(parsed: Parsed, example: Example) -> bool:
    return parsed.ok and (example.gold == parsed.value or surfaces(example.gold) == surfaces(parsed.value))


def _count_spans(example: Example, parsed: Parsed, found: Findings) -> None:
    gold = list(spans(example.gold))
    found.spans += len(gold)
    for want, got in zip(gold, spans(parsed.value), strict=False):
        found.ambiguous += got.ambiguous
        if got.found == "absent":
            found.not_in_source.add(f"{want.text[:80]!r} of {example.where}")
        found.offsets_lost += want.start is not None and (want.start, want.end) != (got.start, got.end)
    for span in gold:
        if cuts_a_word(span, example.fields):
            found.in_words.add(f"{span.text[:40]!r} of {example.where}")


def _examine_tokens(
    task: Task, batch: list[Example], rendered: list[Rendered], vocabulary: Vocabulary, found: Findings
) -> list[str]:
    """Measure and try prompts and targets; gives the targets as they come back."""
    prompts = vocabulary.round_trip([texts.prompt for texts in rendered])
    targets = vocabulary.round_trip([texts.target for texts in rendered])
    _add_lengths(found, [(prompt.length, target.length) for prompt, target in zip(prompts, targets, strict=True)])
    for example, prompt, target in zip(batch, prompts, targets, strict=True):
        if prompt.text != prompt.back:
            _count_prompt(task, example, vocabulary.culprits(prompt), vocabulary, found)
        if target.text != target.back:
            _examine_target(task, example, target, vocabulary, found)
        if prompt.length > (found.prompts.limit or prompt.length):
            _examine_cut(task, example, vocabulary, found)
    return [target.back for target in targets]


def _count_prompt(task: Task, example: Example, characters: set[str], vocabulary: Vocabulary, found: Findings) -> None:
    """By field, and for the template's own words."""
    for name, text in task.prompts[0].values(example.fields, example.where):
        _count(found, vocabulary, name, text, characters)
    _count(found, vocabulary, "prompt:", "".join(task.prompts[0].literals), characters)


def _count(found: Findings, vocabulary: Vocabulary, place: str, text: str, characters: set[str]) -> None:
    lost = {char for char in characters if vocabulary.loses(char)}
    for counts, some in ((found.characters, lost), (found.normalised, characters - lost)):
        if counted := vocabulary.count(text, some):
            counts.setdefault(place, Counter()).update(counted)


def _examine_target(task: Task, example: Example, said: RoundTrip, vocabulary: Vocabulary, found: Findings) -> None:
    characters = vocabulary.culprits(said)
    _count(found, vocabulary, "target:", said.text, characters)
    found.targets_changed += said.lost
    found.targets_lost += said.beyond_accents
    parsed = task.parse(said.back, example)
    if not said.lost and (not parsed.ok or compatible(parsed.value) != compatible(example.gold)):
        found.errors.add(f"{example.where}: the vocabulary's normaliser breaks the target {said.text[:80]!r}")


def _examine_cut(task: Task, example: Example, vocabulary: Vocabulary, found: Findings) -> None:
    """Whether a prompt that is too long can be shortened, and whether its gold still is there then."""
    from t2t.data.encode import Encoder

    whole, shorten = task.shorten_length(example), task.template.shorten
    try:
        encoder = Encoder(vocabulary.tokenizer, found.prompts.limit or 0, found.targets.limit or 0)
        _, cut = encoder.encode(task, example)
    except DataError:
        found.unshortened += 1
        return
    if whole is None or shorten is None or cut is None or shorten.field not in task.target.span_fields:
        return
    low, high = (0, whole - cut.characters) if shorten.keep == "start" else (cut.characters, whole)
    placed = [span for span in spans(example.gold) if span.start is not None and span.end is not None]
    found.answers_cut += any(not (low <= (span.start or 0) and (span.end or 0) <= high) for span in placed)

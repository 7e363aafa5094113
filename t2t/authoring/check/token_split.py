"""A split of a token task: its texts are counted and measured, and tried as rows of ids."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from t2t.authoring.check.duplicates import Duplicates
from t2t.authoring.check.findings import Findings, LengthCounts
from t2t.authoring.check.value_findings import count_kinds
from t2t.config.run import Lengths
from t2t.errors import DataError, VocabularyError
from t2t.structures import Example
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.task import Task

if TYPE_CHECKING:
    from t2t.model.sayable import Vocabulary

_BATCH = 512


def examine_texts(task: Task, split: str, vocabulary: Vocabulary | None, duplicates: Duplicates) -> Findings:
    """What is found in the texts of ``split``: with a vocabulary the lengths of the rows that a run has by default,
    else characters, all of them the prompt's."""
    findings = Findings(split, LengthCounts(None), LengthCounts(None))
    bad = BadRecords("skip", findings.bad.add)
    try:
        examples = task.examples(split, bad)
        while batch := list(islice(examples, _BATCH)):
            for example in batch:
                findings.n += 1
                duplicates.add(split, task.prompt(example))
                count_kinds(findings.kinds, example.fields)
            _measure(task, batch, vocabulary, findings)
    except (DataError, VocabularyError) as error:
        findings.errors.add(error)
    if not findings.n and not findings.errors.count and not findings.bad.count:
        findings.errors.add(f"{task.name}: split {split!r} has no example; correct source:")
    return findings


def _measure(task: Task, batch: list[Example], vocabulary: Vocabulary | None, findings: Findings) -> None:
    if vocabulary is None:
        for example in batch:
            findings.prompts.add(len(task.prompt(example)))
        return
    from t2t.data.encode import Encoder

    limits = Lengths()
    for row in Encoder(vocabulary.tokenizer, limits.prompt, limits.target).encode_many(task, batch):
        findings.prompts.add(len(row.input_ids))
        findings.targets.add(len(row.labels))

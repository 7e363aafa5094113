"""Encoded splits kept on disk, named by everything that decides what they hold."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from t2t import __version__
from t2t.data.counts import Counts
from t2t.data.encode import EncodableTask, Encoded, Encoder, Ids
from t2t.errors import DataError
from t2t.whole_files import whole_bytes


def encode_split(
    encoder: Encoder,
    task: EncodableTask,
    split: str,
    *,
    task_index: int = 0,
    seed: int = 0,
    epoch: int | None = None,
    limit: int | None = None,
    folder: Path | None = None,
) -> list[Encoded]:
    """The first ``limit`` examples of a split, a row for each of their windows.

    They are read from ``folder`` if they were encoded alike before. The file's name is a hash of task (template and
    data), version of t2t, vocabulary, length limits, split and ``limit``, and of seed and epoch where the
    task's prompts vary (exemplars do by seed even without an epoch). ``encoder.counts`` and ``encoder.bad`` are the
    same either way.
    """
    varies = (seed, epoch) if task.prompts_vary else None
    made_by = [__version__, task.name, task.fingerprint, encoder.fingerprint, encoder.listens]
    content = json.dumps([*made_by, split, limit, varies])
    file = None if folder is None else folder / f"{hashlib.sha256(content.encode()).hexdigest()[:32]}.npz"
    kept = None if file is None else _read(file, task_index)
    if kept is not None:
        encoder.counts[task.name] = encoder.counts.get(task.name, Counts()) + kept[1]
        encoder.bad.setdefault(task.name, []).extend(kept[2])
        return kept[0]
    before = encoder.counts.get(task.name, Counts()) + Counts()
    bad = len(encoder.bad.setdefault(task.name, []))
    examples = task.windowed(islice(task.examples(split), limit))
    rows = list(encoder.encode_many(task, examples, task_index=task_index, seed=seed, epoch=epoch))
    if file is not None:
        counts = encoder.counts.get(task.name, Counts()) - before
        write_rows(file, rows, counts, encoder.bad[task.name][bad:])
    return rows


def write_rows(
    file: Path, rows: Sequence[Encoded], counts: Counts | None = None, bad: Sequence[DataError] = ()
) -> None:
    """The rows in a file of NumPy arrays, whole or not at all, with what was cut and what was bad."""
    errors = [[error.where, error.found, error.todo] for error in bad]
    head = json.dumps({"ids": [row.id for row in rows], "counts": (counts or Counts()).to_json(), "bad": errors})
    input_ids, input_ends = _flat(row.input_ids for row in rows)
    labels, label_ends = _flat(row.labels for row in rows)
    with whole_bytes(file) as out:
        np.savez(
            out,
            head=np.frombuffer(head.encode(), dtype=np.uint8),
            input_ids=input_ids,
            input_ends=input_ends,
            labels=labels,
            label_ends=label_ends,
        )


def _flat(rows: Iterable[Ids]) -> tuple[Ids, NDArray[np.int64]]:
    parts = list(rows)
    flat = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32)
    return flat, np.cumsum([len(part) for part in parts], dtype=np.int64)


def read_rows(file: Path, task_index: int = 0) -> list[Encoded]:
    """The rows that ``write_rows`` wrote. DataError for a file that is damaged or not there."""
    found = _read(file, task_index)
    if found is None:
        raise DataError(str(file), "it holds no encoded examples that can be read", "put it back, or train again")
    return found[0]


def _read(file: Path, task_index: int) -> tuple[list[Encoded], Counts, list[DataError]] | None:
    """The rows of a cache file, what was cut and what was bad.

    None if there is none or it is damaged (it is then written anew).
    """
    try:
        with np.load(file, allow_pickle=False) as kept:
            head = json.loads(kept["head"].tobytes())
            counts = Counts.from_json(head["counts"])
            inputs = np.split(kept["input_ids"], kept["input_ends"][:-1])
            labels = np.split(kept["labels"], kept["label_ends"][:-1])
    except (OSError, ValueError, KeyError, TypeError, BadZipFile, EOFError, zlib.error):
        return None
    triples = zip(head["ids"], inputs, labels, strict=False)
    bad = [DataError(*error) for error in head.get("bad", [])]
    return [Encoded(id_, task_index, *pair) for id_, *pair in triples], counts, bad

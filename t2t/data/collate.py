"""Encoded examples to the tensors of one micro-batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from t2t.data.batch import on_grid
from t2t.data.encode import Encoded, Ids
from t2t.model.seq2seq import IGNORED, SpecialIds

_NO_TARGET = np.full(1, IGNORED, dtype=np.int32)
_NEARLY = 0.75  # a micro-batch so full is filled up


def collate(
    rows: Sequence[Encoded], ids: SpecialIds, weigh: Callable[[Encoded], float], tokens: int = 0
) -> dict[str, Tensor]:
    """input_ids [b, s], attention_mask [b, s], labels [b, t] (int64; padded with the padding of ``ids``, 0, IGNORED),
    weights [b] (fp32).

    ``weigh`` gives the weight of each target token of an example. No rows give a dummy: one short row of weight 0.
    s and t are multiples of GRID. A micro-batch that is nearly as large as ``tokens`` positions allow is filled up with
    rows of weight 0 without a target, so that micro-batches of the same lengths have the same shape.
    """
    weights = [weigh(row) for row in rows] or [0.0]
    end = np.full(1, ids.end, dtype=np.int32)
    rows = list(rows) or [Encoded("", 0, end, end)]
    longest = np.array([max(len(row.input_ids) for row in rows), max(len(row.labels) for row in rows)])
    source, target = on_grid(longest).tolist()
    filled = tokens // (source + target)
    if _NEARLY * filled <= len(rows) < filled:
        weights += [0.0] * (filled - len(rows))
        rows += [Encoded("", 0, end, _NO_TARGET)] * (filled - len(rows))
    lengths = torch.tensor([len(row.input_ids) for row in rows])
    return {
        "input_ids": _padded([row.input_ids for row in rows], ids.pad, source),
        "attention_mask": (torch.arange(source) < lengths[:, None]).long(),
        "labels": _padded([row.labels for row in rows], IGNORED, target),
        "weights": torch.tensor(weights, dtype=torch.float32),
    }


def _padded(rows: Sequence[Ids], filler: int, length: int) -> Tensor:
    table = np.full((len(rows), length), filler, dtype=np.int64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return torch.from_numpy(table)

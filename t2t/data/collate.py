"""Encoded examples to the tensors of one unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from t2t.data.encode import Encoded, Ids

IGNORED = -100
_EOS = np.ones(1, dtype=np.int32)
_DUMMY = Encoded("", 0, _EOS, _EOS)


def collate(rows: Sequence[Encoded], weigh: Callable[[Encoded], float]) -> dict[str, Tensor]:
    """input_ids [b, s], attention_mask [b, s], labels [b, t] (int64; padded with 0, 0, -100), weights [b] (fp32).

    ``weigh`` gives the weight of each target token of an example. No rows give a dummy: one short row of weight 0.
    """
    weights = [weigh(row) for row in rows] or [0.0]
    rows = rows or [_DUMMY]
    input_ids_bs = _padded([row.input_ids for row in rows], 0)
    lengths = torch.tensor([len(row.input_ids) for row in rows])
    return {
        "input_ids": input_ids_bs,
        "attention_mask": (torch.arange(input_ids_bs.shape[1]) < lengths[:, None]).long(),
        "labels": _padded([row.labels for row in rows], IGNORED),
        "weights": torch.tensor(weights, dtype=torch.float32),
    }


def _padded(rows: Sequence[Ids], filler: int) -> Tensor:
    table = np.full((len(rows), max(len(row) for row in rows)), filler, dtype=np.int64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return torch.from_numpy(table)

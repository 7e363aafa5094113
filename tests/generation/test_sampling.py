"""Sampling draws by the probabilities of the likeliest tokens, and rows that have ended leave the batch."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from t2t.generation.engine import Search
from t2t.generation.sampling import sample
from t2t.generation.torch_engine import TorchEngine
from t2t.model.backbone import build_from_scratch

END = 1
SHARES = torch.tensor([0.0, 0.2, 0.4, 0.3, 0.1])  # of each token, whatever came before


def drawn(count: int, top: int, longest: int, seed: int = 0) -> tuple[list[list[int]], list[int]]:
    sizes: list[int] = []

    def logits_of(last_n: Tensor) -> Tensor:
        sizes.append(len(last_n))
        return SHARES.log().expand(len(last_n), -1)

    draw = torch.Generator().manual_seed(seed)
    return sample(torch.zeros(count, dtype=torch.long), logits_of, lambda kept: None, top, longest, END, draw), sizes


def test_tokens_are_drawn_by_their_probabilities_among_the_likeliest() -> None:
    found = Counter(ids[0] for ids in drawn(20000, 3, 1)[0])
    assert set(found) == {1, 2, 3}
    for token, share in ((1, 2 / 9), (2, 4 / 9), (3, 3 / 9)):
        assert found[token] / 20000 == pytest.approx(share, abs=0.015)
    assert {ids[0] for ids in drawn(2000, 5, 1)[0]} == {1, 2, 3, 4}


def test_rows_end_where_they_end_and_the_same_seed_draws_the_same() -> None:
    rows, sizes = drawn(500, 3, 6)
    assert all(ids.index(END) == len(ids) - 1 if END in ids else len(ids) == 6 for ids in rows)
    assert sizes == [sum(len(ids) > step for ids in rows) for step in range(6)]
    assert rows == drawn(500, 3, 6)[0] != drawn(500, 3, 6, seed=1)[0]


def test_of_one_token_it_is_the_greedy_search() -> None:
    shape = {"d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 4}
    engine = TorchEngine(build_from_scratch(shape, 60, 1))
    prompts = [[5, 9, 1], [7, 1], [3, 4, 5, 6, 1]]
    greedy = [list(one.ids) for one in engine.decode(prompts, Search(8))]
    assert engine.sample(prompts, 8, 1, torch.Generator()) == greedy
    assert all(len(ids) <= 8 for ids in engine.sample(prompts, 8, 1000, torch.Generator()))

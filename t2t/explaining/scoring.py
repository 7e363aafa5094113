"""How likely a model finds a part of an output, for prompts as ids or as embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from t2t.model.seq2seq import Seq2Seq, shift_right

_TOKENS = 2048  # of prompts and outputs that are in memory together, with all that a gradient needs of them


class Scorer:
    """Log-probabilities (nats, summed) of the tokens ``wanted`` of one output, whose other tokens are given.

    ``labels``: the whole output as ids, EOS last; ``wanted``: places in it.
    """

    def __init__(self, model: Seq2Seq, labels: Sequence[int], wanted: Sequence[int]) -> None:
        self.model = model
        self.device = next(model.module.parameters()).device
        self._labels_1t = torch.tensor([list(labels)], device=self.device)
        self._wanted = torch.tensor(list(wanted), device=self.device)

    def rows_at_once(self, length: int) -> int:
        """How many prompts of ``length`` tokens are scored together."""
        return max(1, _TOKENS // (length + self._labels_1t.shape[1]))

    def of_embedded(self, embedded_nsd: Tensor, mask_ns: Tensor) -> Tensor:
        """The score of the output for each of n embedded prompts: [n], fp32."""
        model, rows = self.model, embedded_nsd.shape[0]
        hidden_nsd = model.encode_embedded(embedded_nsd, mask_ns)
        read_nt = shift_right(self._labels_1t, model.ids).expand(rows, -1)
        states_nwd = model.decode(read_nt, hidden_nsd, mask_ns)[:, self._wanted]
        said_nwv = model.logits(states_nwd).float().log_softmax(dim=-1)
        labels_nw1 = self._labels_1t[:, self._wanted, None].expand(rows, -1, 1)
        return said_nwv.gather(2, labels_nw1).sum(dim=(1, 2))

    @torch.no_grad()
    def of_rows(self, rows: Sequence[Sequence[int]]) -> list[float]:
        """The score of the output for each prompt, which are ids of any lengths."""
        longest = max(map(len, rows))
        ids_ns = torch.full((len(rows), longest), self.model.ids.pad, device=self.device)
        mask_ns = torch.zeros_like(ids_ns)
        for place, row in enumerate(rows):
            ids_ns[place, : len(row)] = torch.tensor(list(row), device=self.device)
            mask_ns[place, : len(row)] = 1
        size, scores = self.rows_at_once(longest), list[float]()
        for first in range(0, len(rows), size):
            chosen = slice(first, first + size)
            scores += self.of_embedded(self.model.embed(ids_ns[chosen]), mask_ns[chosen]).double().tolist()
        return scores

"""Which requests are decoded together: a function of the requests alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def plan_batches(lengths: Sequence[int], batch_tokens: int, window: int = 4096) -> Iterator[list[int]]:
    """Batches of positions: within each window of ``window`` requests, longest first, rows x longest <= batch_tokens.

    ``lengths`` are of prompt and output together, for the caches of a decoder grow with both. Every position stands in
    one batch. A request longer than ``batch_tokens`` is a batch of its own. All batches but the last of a window fill
    the budget, so their caches are about equally large; the shortest have the most rows.
    """
    for start in range(0, len(lengths), window):
        positions = sorted(range(start, min(start + window, len(lengths))), key=lambda p: (-lengths[p], p))
        while positions:
            rows = max(1, batch_tokens // max(1, lengths[positions[0]]))
            yield positions[:rows]
            positions = positions[rows:]

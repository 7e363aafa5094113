"""The encoded examples of each epoch, where wordings or draws vary by epoch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from t2t.data.cache import encode_split
from t2t.data.encode import Encoded
from t2t.training.preparation import Prepared


def data_by_epoch(prepared: Prepared) -> Callable[[int], list[list[Encoded]]]:
    """The encoded examples of an epoch: what varies by epoch is a function of (seed, epoch, id).

    Wordings are encoded once each and drawn for an epoch; tasks where more varies are encoded anew. Where bad records
    are skipped and a wording or a draw does not fit, the prepared row is in its place; one set aside stays so.
    Targets that a teacher wrote stay what they are: prompts may have other wordings, but nothing else is drawn.
    """
    encoder, seed = prepared.new_encoder(), prepared.seed
    encoder.counts = prepared.drawn

    @cache
    def wordings(index: int) -> list[list[Encoded]]:
        limit, folder = prepared.limit(index), prepared.folder
        others = prepared.tasks[index].in_each_wording()[1:]
        first = prepared.data[index]
        more = [
            in_place(
                first,
                encode_split(encoder, task, "train", task_index=index, limit=limit, folder=folder),
            )
            for task in others
        ]
        return [first, *more] if others else []

    def rows(index: int, epoch: int) -> list[Encoded]:
        task = prepared.tasks[index]
        if not task.prompts_vary:
            return prepared.data[index]
        if variants := wordings(index):
            drawn = (task.wording(seed, epoch, row.id) for row in prepared.data[index])
            found = [variants[wording][place] for place, wording in enumerate(drawn)]
            return with_targets_of(prepared.data[index], found) if index in prepared.taught else found
        if index in prepared.taught:
            return prepared.data[index]
        limit = prepared.limit(index)
        anew = encode_split(encoder, task, "train", task_index=index, seed=seed, epoch=epoch, limit=limit)
        return in_place(prepared.data[index], anew)

    held: dict[int, list[list[Encoded]]] = {}

    def data(epoch: int) -> list[list[Encoded]]:
        if epoch not in held:
            held.clear()  # one epoch at a time in memory
            held[epoch] = [rows(index, epoch) for index in range(len(prepared.tasks))]
            held[epoch] += [list(prepared.more)] if prepared.more else []
        return held[epoch]

    return data


def with_targets_of(rows: Sequence[Encoded], others: Sequence[Encoded]) -> list[Encoded]:
    """``others`` with the targets of ``rows``, one for one."""
    return [replace(other, labels=row.labels) for row, other in zip(rows, others, strict=True)]


def in_place(rows: Sequence[Encoded], others: Sequence[Encoded]) -> list[Encoded]:
    """For each of ``rows`` the one of ``others`` with its id, itself where there is none."""
    waiting: dict[str, deque[Encoded]] = {}
    for other in others:
        waiting.setdefault(other.id, deque()).append(other)
    return [waiting[row.id].popleft() if waiting.get(row.id) else row for row in rows]

"""Generative replay, as in LAMOL (Sun et al. 2020): the model learns to write the prompts of its tasks too, and what it
writes and answers stands in for the examples of earlier stages, none of which is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from t2t.config.run import SampleSettings
from t2t.config.settings import Positive, settings
from t2t.continual.replay import chosen
from t2t.continual.store import Store, read_store, write_store
from t2t.continual.strategy import KEPT, STRATEGIES, Stage, Strategy, Support, Trained, Training
from t2t.data.encode import Encoded, Ids
from t2t.draws import number_of
from t2t.generation.engine import Search
from t2t.generation.torch_engine import TorchEngine

_ASK = "write a prompt of the task {}"
_TRIES = 4  # as many prompts are drawn for each example that is wanted, before fewer do
_BATCH = 64  # prompts that are drawn together


@STRATEGIES.register("generative")
@settings
class GenerativeReplay(Strategy):
    """``examples``: that are written after each stage for all tasks so far together, equally many of each. ``writing``:
    the share of a stage's prompts that are learned to be written. ``top``: each token is drawn from so many."""

    strategy: Literal["generative"] = "generative"
    examples: Positive = 500
    writing: Annotated[float, Field(gt=0, le=1)] = 0.25
    top: Positive = 20

    def begin(self, stage: Stage, training: Training) -> Support:
        store = read_store(stage.earlier[-1] / KEPT, training.vocabulary) if stage.earlier else Store()
        rows = store.all_rows
        for task, own in store.rows.items():
            rows += _to_be_written(task, own, training)
        for task, own in training.rows.items():
            some = chosen(own, max(1, round(self.writing * len(own))), training.seed, task)
            rows += _to_be_written(task, some, training)
        return Support(rows)

    def end(self, stage: Stage, trained: Trained) -> None:
        """What is written is a function of the model and the seed."""
        before = read_store(stage.earlier[-1] / KEPT, trained.vocabulary) if stage.earlier else Store()
        seen = before.with_seen(trained.rows)
        known = [row for rows in (*trained.rows.values(), before.all_rows) for row in rows]
        longest = max(len(row.input_ids) for row in known), max(len(row.labels) for row in known)
        engine, each = TorchEngine(trained.model(), trained.device), max(1, self.examples // len(seen))
        written: dict[str, list[Encoded]] = {}
        for task in seen:
            ask = trained.ids(_ASK.format(task)).tolist()
            search = Search(longest[0], sample=SampleSettings(top_k=self.top))
            prompts = _prompts(engine, ask, each, search, (trained.seed, "written", stage.number, task))
            written[task] = _answered(engine, task, prompts, longest[1])
        write_store(stage.kept, Store(written, seen), trained.vocabulary)
        print(*(f"{task}: {len(own)} of {each} examples were written for replay" for task, own in written.items()),
              sep="\n", flush=True)  # fmt: skip


def _to_be_written(task: str, rows: Sequence[Encoded], training: Training) -> Iterator[Encoded]:
    """Rows that ask for a prompt of the task and have that of an example as their target."""
    ask = training.ids(_ASK.format(task))
    for row in rows:
        yield Encoded(f"write {row.id}", row.task_index, ask, row.input_ids)


def _prompts(
    engine: TorchEngine, ask: list[int], count: int, search: Search, key: tuple[object, ...]
) -> list[tuple[int, ...]]:
    """``count`` prompts as the model writes them, each once; fewer where it says too few different ones to an end."""
    found: dict[tuple[int, ...], None] = {}
    for start in range(0, _TRIES * count, _BATCH):
        keys = tuple(number_of(*key, place) for place in range(start, start + _BATCH))
        for one in engine.decode([ask] * _BATCH, replace(search, keys=keys)):
            if len(one.ids) > 1 and one.ids[-1] == engine.ids.end and engine.ids.pad not in one.ids:
                found.setdefault(one.ids)
        if len(found) >= count:
            break
    return list(found)[:count]


def _answered(engine: TorchEngine, task: str, prompts: Sequence[tuple[int, ...]], longest: int) -> list[Encoded]:
    """The prompts with what the model answers, those that it answers to an end."""
    rows = []
    for start in range(0, len(prompts), _BATCH):
        batch = prompts[start : start + _BATCH]
        for place, (prompt, answer) in enumerate(zip(batch, engine.decode(batch, Search(longest)), strict=True)):
            if answer.ids[-1:] == (engine.ids.end,):
                rows.append(Encoded(f"{task} {start + place}", 0, _ids(prompt), _ids(answer.ids)))
    return rows


def _ids(ids: Sequence[int]) -> Ids:
    return np.asarray(ids, dtype=np.int32)

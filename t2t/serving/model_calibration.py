"""How sure a model may be of its outputs: temperatures of its tasks, fitted on validation and kept with the model.

``calibration.json`` of a model folder holds them with the number of outputs that they were fitted on, the share of
these that was right, the expected calibration error without and with them (see t2t.metrics.calibration), and how their
confidences are distributed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from t2t.data.encode import Encoder
from t2t.errors import InputError
from t2t.metrics import calibration as fitting
from t2t.metrics.calibration import Outputs
from t2t.metrics.values import unordered
from t2t.runs.run_files import read_json
from t2t.serving.answers import Decode, answer
from t2t.serving.item_scores import ItemTotals, item_totals
from t2t.structures import Example, Json, Value
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.task import Task

CALIBRATION = "calibration.json"
_BINS = 20  # of confidences


@dataclass(frozen=True, slots=True)
class Calibration:
    """``temperature``: of tasks that are not among ``tasks``, which have their own by name. ``items``: those of single
    items of the outputs of a task. ``confidences``: how those of whole outputs were distributed, see histogram."""

    temperature: float = 1.0
    tasks: Mapping[str, float] = field(default_factory=dict)
    items: Mapping[str, float] = field(default_factory=dict)
    confidences: Mapping[str, list[int]] = field(default_factory=dict)

    def of(self, task: str) -> float:
        """The temperature of a task."""
        return self.tasks.get(task, self.temperature)

    def confidence(self, task: str, total: float) -> float:
        """The probability that an output is right whose log-probability (nats) is ``total``."""
        return fitting.confidence(total, self.of(task))

    def to_json(self, task: str) -> dict[str, Json]:
        """What ``calibration.json`` says of a task that is among ``tasks``, as far as it is needed in use."""
        sure = {"confidences": self.confidences[task]} if task in self.confidences else {}
        return {"temperature": self.tasks[task], **sure}

    def item_confidences(self, task: str, totals: ItemTotals | None) -> Json:
        """The same of each item, in a list or by field as ``totals`` are; None where nothing is known of one."""
        temperature = self.items.get(task, self.of(task))
        if isinstance(totals, dict):
            return {name: fitting.confidence(total, temperature) for name, total in totals.items()}
        if totals is None:
            return None
        return [None if total is None else fitting.confidence(total, temperature) for total in totals]


UNCALIBRATED = Calibration()


def read_calibration(folder: Path) -> Calibration:
    """What a model folder keeps; UNCALIBRATED where it keeps none. InputError for a file that cannot be read."""
    path = folder / CALIBRATION
    if not path.is_file():
        return UNCALIBRATED
    try:
        found = read_json(path)
        tasks = {str(name): float(one["temperature"]) for name, one in found["tasks"].items()}
        items = {
            str(name): float(one["items"]["temperature"]) for name, one in found["tasks"].items() if "items" in one
        }
        sure = {
            str(name): [int(count) for count in one["confidences"]]
            for name, one in found["tasks"].items()
            if "confidences" in one
        }
        known = Calibration(float(found["temperature"]), tasks, items, sure)
        if not all(0 < one < float("inf") for one in (known.temperature, *tasks.values(), *items.values())):
            raise ValueError("a temperature is no positive number")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        todo = "put it back, or remove it: confidences are then the model's own"
        raise InputError(str(path), f"it holds no calibration ({error})", todo) from None
    return known


def calibrate(
    examples: Iterable[tuple[Task, Iterable[Example], Decode]], encoder: Encoder, constrain: bool
) -> dict[str, Json]:
    """What is in ``calibration.json`` after the outputs for ``examples``, each task's decoded as they will be in
    use, with the log-probabilities of their tokens."""
    tasks: dict[str, Outputs] = {}
    items: dict[str, Outputs] = {}
    for task, some, decode in examples:
        held = constrain and task.constrainable
        judged, parts = list[tuple[float, bool]](), list[tuple[float, bool]]()
        for one in answer(task, iter(some), encoder, decode, held, BadRecords("skip")):
            parsed, references = one.parsed(task), task.references(one.example)
            judged.append((one.total, fitting.is_right(parsed, references)))
            parts += _judged_items(parsed.value, references, item_totals(task, one, parsed.value, encoder.tokenizer))
        if judged:
            tasks[task.name] = Outputs.of(judged)
        if parts:
            items[task.name] = Outputs.of(parts)
    found, of_items = _fitted(tasks), _fitted(items)
    for name, one in of_items["tasks"].items():
        found["tasks"][name]["items"] = one
    for name, outputs in tasks.items():
        sure = (fitting.confidence(total, found["tasks"][name]["temperature"]) for total in outputs.totals)
        found["tasks"][name]["confidences"] = histogram(sure)
    return found


def histogram(confidences: Iterable[float]) -> list[int]:
    """How many of the confidences lie in each twentieth of 0 to 1."""
    counts = [0] * _BINS
    for one in confidences:
        counts[min(_BINS - 1, int(one * _BINS))] += 1
    return counts


def _fitted(tasks: Mapping[str, Outputs]) -> dict[str, Json]:
    shared, temperatures = fitting.fit_temperatures(tasks)
    after = fitting.cross_fitted_error(tasks)
    described = {name: _described(one, temperatures[name], after[name]) for name, one in tasks.items()}
    return {"temperature": shared, "tasks": described}


def _judged_items(value: Value, references: Sequence[Value], totals: ItemTotals | None) -> Iterator[tuple[float, bool]]:
    """The items of a value, with whether one of the references has each."""
    if isinstance(value, list) and isinstance(totals, list):
        wanted = {unordered(item) for gold in references if isinstance(gold, list) for item in gold}
        for item, total in zip(value, totals, strict=True):
            if total is not None:
                yield total, unordered(item) in wanted
    elif isinstance(value, dict) and isinstance(totals, dict):
        for name, total in totals.items():
            own = unordered(value.get(name))
            yield total, any(isinstance(gold, dict) and unordered(gold.get(name)) == own for gold in references)


def _described(outputs: Outputs, temperature: float, after: float) -> dict[str, Json]:
    return {
        "temperature": temperature,
        "outputs": len(outputs.right),
        "right": float(outputs.right.mean()),
        "error_before": fitting.expected_calibration_error(np.exp(outputs.totals), outputs.right),
        "error_after": after,
    }

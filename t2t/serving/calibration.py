"""How sure a model may be of its outputs: temperatures of its tasks, fitted on validation and kept with the model.

``calibration.json`` of a model folder holds them with the number of outputs that they were fitted on, the share of
these that was right, and the expected calibration error without and with them (see t2t.metrics.calibration).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from t2t.data.encode import Encoder
from t2t.errors import InputError
from t2t.metrics import calibration as fitting
from t2t.metrics.calibration import Outputs
from t2t.runs.run_files import read_json
from t2t.serving.answers import Decode, answer
from t2t.structures import Example, Json
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.task import Task

CALIBRATION = "calibration.json"


@dataclass(frozen=True, slots=True)
class Calibration:
    """``temperature``: of tasks that are not among ``tasks``, which have their own by name."""

    temperature: float = 1.0
    tasks: Mapping[str, float] = field(default_factory=dict)

    def of(self, task: str) -> float:
        """The temperature of a task."""
        return self.tasks.get(task, self.temperature)

    def confidence(self, task: str, total: float) -> float:
        """The probability that an output is right whose log-probability (nats) is ``total``."""
        return fitting.confidence(total, self.of(task))


UNCALIBRATED = Calibration()


def read_calibration(folder: Path) -> Calibration:
    """What a model folder keeps; UNCALIBRATED where it keeps none. InputError for a file that cannot be read."""
    path = folder / CALIBRATION
    if not path.is_file():
        return UNCALIBRATED
    try:
        found = read_json(path)
        tasks = {str(name): float(one["temperature"]) for name, one in found["tasks"].items()}
        known = Calibration(float(found["temperature"]), tasks)
        if not all(0 < one < float("inf") for one in (known.temperature, *tasks.values())):
            raise ValueError("a temperature is no positive number")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        todo = "put it back, or remove it: confidences are then the model's own"
        raise InputError(str(path), f"it holds no calibration ({error})", todo) from None
    return known


def calibrate(
    examples: Iterable[tuple[Task, Iterable[Example]]], encoder: Encoder, decode: Decode, constrain: bool
) -> dict[str, Json]:
    """What stands in ``calibration.json`` after the outputs for ``examples``, decoded as they will be in use."""
    tasks: dict[str, Outputs] = {}
    for task, some in examples:
        held = constrain and task.constrainable
        answered = answer(task, iter(some), encoder, decode, held, BadRecords("skip"))
        judged = [(one.total, fitting.is_right(one.parsed(task), task.references(one.example))) for one in answered]
        if judged:
            tasks[task.name] = Outputs.of(judged)
    shared, temperatures = fitting.fit_temperatures(tasks)
    after = fitting.cross_fitted_error(tasks)
    return {
        "temperature": shared,
        "tasks": {name: _described(one, temperatures[name], after[name]) for name, one in tasks.items()},
    }


def _described(outputs: Outputs, temperature: float, after: float) -> dict[str, Json]:
    return {
        "temperature": temperature,
        "outputs": len(outputs.right),
        "right": float(outputs.right.mean()),
        "error_before": fitting.expected_calibration_error(np.exp(outputs.totals), outputs.right),
        "error_after": after,
    }

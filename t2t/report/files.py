"""What the report reads: files of the run directory, and nothing else."""

from __future__ import annotations

import csv
import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from t2t.config.yaml_file import read_scalar
from t2t.continual.matrix import Matrix
from t2t.errors import InputError, RunDirectoryError
from t2t.structures import Json


class Named(TypedDict):
    """A task in run.yaml."""

    task: str


class Config(TypedDict, total=False):
    """Of run.yaml, what the report reads by name."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    run: Json
    tasks: list[str | Named]


class ScoreRow(TypedDict):
    """A line of scores.json."""

    task: str
    split: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    signature: str
    best: NotRequired[float]
    ceiling: NotRequired[float]
    unreachable: NotRequired[int]
    aside: NotRequired[int]
    again: NotRequired[float]


class IssueEntry(TypedDict):
    """An issue in worst.json."""

    kind: str
    path: str
    text: str


class WorstEntry(TypedDict):
    """An example in worst.json."""

    id: str
    prompt: str
    gold: str
    text: str
    metric: str
    value: float
    issues: list[IssueEntry]


class CertaintyRow(TypedDict):
    """A split of a task in confidence.json."""

    n: int
    right: float
    calibration_error: float
    coverage: list[float]
    risk: list[float]
    area: float


class Calibrated(TypedDict, total=False):
    """A task in calibration.json of the model."""

    temperature: float
    outputs: int
    error_before: float
    error_after: float


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The contents of a run directory; what is not there is empty. ``curves``: columns of metrics.csv by name."""

    name: str
    config: Mapping[str, Json]
    curves: Mapping[str, list[float]]
    scores: Sequence[Mapping[str, Json]]
    worst: Mapping[str, Sequence[Mapping[str, Json]]]
    data: Mapping[str, Json]
    facts: Mapping[str, Json]
    parameters: int | None
    validations: Sequence[Mapping[str, Json]] = ()
    matrix: Matrix | None = None
    certainty: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    calibration: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


def read_run(run_dir: Path) -> RunFiles:
    """RunDirectoryError if the directory has neither settings, nor curves, nor scores, or a file cannot be read."""
    if not any((run_dir / name).is_file() for name in ("run.yaml", "metrics.csv", "scores.json")):
        raise RunDirectoryError(str(run_dir), "no run.yaml, metrics.csv or scores.json", "name the directory of a run")
    config = _read(run_dir / "run.yaml", Config, Config())
    return RunFiles(
        str(config.get("run", run_dir.resolve().name)),
        config,
        _curves(run_dir / "metrics.csv"),
        _read(run_dir / "scores.json", list[ScoreRow], []),
        _read(run_dir / "worst.json", dict[str, list[WorstEntry]], {}),
        _read(run_dir / "data.json", dict[str, Json], {}),
        _read(run_dir / "facts.json", dict[str, Json], {}),
        count_parameters(run_dir / "model"),
        _lines(run_dir / "validation.jsonl"),
        _matrix(run_dir / "continual.json"),
        _read(run_dir / "confidence.json", dict[str, CertaintyRow], {}),
        _read(run_dir / "model" / "calibration.json", dict[str, Any], {}).get("tasks", {}),
    )


def _matrix(path: Path) -> Matrix | None:
    """The scores of a run of stages; None where it is none."""
    if not path.is_file():
        return None
    with _sound(path):
        return Matrix.from_json(json.loads(path.read_text(encoding="utf-8")))


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """RunDirectoryError, naming the file, for whatever a damaged one makes a reader say."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except InputError as error:
        raise _damaged(path, error.found) from None
    except (OSError, ValueError, RecursionError, KeyError, TypeError, csv.Error, struct.error) as error:
        raise _damaged(path, str(error)[:200]) from None


def _damaged(path: Path, reason: str) -> RunDirectoryError:
    return RunDirectoryError(str(path), f"cannot be read ({reason})", "write it again")


def _read(path: Path, form: Any, empty: Any) -> Any:
    """The contents of a file that has a form; ``empty`` for one that is not there or says nothing."""
    if not path.is_file():
        return empty
    with _sound(path):
        text = path.read_text(encoding="utf-8")
        data = read_scalar(text, str(path)) if path.suffix == ".yaml" else json.loads(text)
        return empty if data is None else TypeAdapter(form).validate_python(data)


def _lines(path: Path) -> list[dict[str, Json]]:
    """The objects of a jsonl file, one a line; none where there is no file."""
    if not path.is_file():
        return []
    with _sound(path):
        lines = path.read_text(encoding="utf-8").splitlines()
        return TypeAdapter(list[dict[str, Any]]).validate_python([json.loads(line) for line in lines])


def _curves(path: Path) -> dict[str, list[float]]:
    """Columns by name, without lines that say no step or time: the last may have been cut short."""
    if not path.is_file():
        return {}
    with _sound(path), path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        names = reader.fieldnames or []
        rows = [{name: _number(row.get(name)) for name in names} for row in reader]
    rows = [row for row in rows if all(math.isfinite(row.get(name, 0.0)) for name in ("step", "elapsed"))]
    return {name: [row[name] for row in rows] for name in names} if rows else {}


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def count_parameters(model: Path) -> int | None:
    """Parameters in the safetensors files of a model directory, read from their headers; None without such a file."""
    files = sorted(model.glob("*.safetensors"))
    return sum(_in_file(path) for path in files) if files else None


def _in_file(path: Path) -> int:
    """A safetensors file opens with the length of its header (8 bytes, little endian) and the header as JSON."""
    with _sound(path), path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > path.stat().st_size:
            raise ValueError("its header is longer than the file")
        header = json.loads(file.read(length))
        return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")

"""The form of a run file, checked by pydantic, and the errors in words of the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from t2t.config.mistakes import first_mistake
from t2t.config.run_choices import check_choices, fill_in
from t2t.config.yaml_file import KeyPath, Lines, read_scalar, read_yaml
from t2t.errors import RunFileError
from t2t.registry import did_you_mean

T = TypeVar("T")
Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=False, allow_inf_nan=False)


class TaskEntry(_Strict):
    task: str
    weight: PositiveFloat | None = None
    limit: Positive | None = None


class Mixture(_Strict):
    scale: PositiveFloat = 1.0
    maximum: PositiveFloat | None = None
    temperature: PositiveFloat = 1.0


class Tokenizer(_Strict):
    source: Annotated[str | None, Field(alias="from")] = None
    vocab_size: Positive | None = None
    sample: Positive | None = None


class FromScratch(_Strict):
    size: Literal["mini", "small", "base"] | None = None
    d_model: Positive | None = None
    d_kv: Positive | None = None
    d_ff: Positive | None = None
    num_layers: Positive | None = None
    num_decoder_layers: Positive | None = None
    num_heads: Positive | None = None
    gated: bool = True
    tied: bool = True
    dropout: Share = 0.0
    init: Literal["copy", "t5"] = "copy"


class Model(_Strict):
    source: Annotated[str | None, Field(alias="from")] = None
    revision: str | None = None
    dropout: Share | None = None
    from_scratch: FromScratch | None = None


class LengthsSection(_Strict):
    prompt: Positive = 512
    target: Positive = 256


class Optimizer(_Strict):
    name: Literal["adamw"] = "adamw"
    learning_rate: PositiveFloat | None = None
    scale: Literal["rms", "none"] = "rms"
    betas: Annotated[list[Share], Field(min_length=2, max_length=2)] = [0.9, 0.999]
    eps: PositiveFloat = 1.0e-8
    weight_decay: NotNegative = 0.0
    clip: NotNegative = 1.0


class Schedule(_Strict):
    name: Literal["linear", "cosine", "constant", "inverse_sqrt"] = "linear"
    warmup: Annotated[int, Field(ge=0)] | None = None
    steps: Positive | None = None
    epochs: PositiveFloat | None = None
    minutes: PositiveFloat | None = None


class Batch(_Strict):
    tokens: Positive = 4096
    units: Positive = 4
    window: Positive = 2048


class Loss(_Strict):
    norm: Literal["tokens", "examples", "tasks"] = "tokens"
    label_smoothing: Share = 0.0


class Checkpoint(_Strict):
    every: Positive = 1000
    keep: Positive = 2


class Generate(_Strict):
    splits: Annotated[list[str], Field(min_length=1)] = ["test"]
    tokens: Positive = 32768
    limit: Positive | None = None
    constrain: bool = True
    beams: Positive = 1
    precision: Literal["auto", "fp32", "bf16"] = "fp32"


class RunFile(_Strict):
    run: Annotated[str, Field(pattern=r"^[^\W_][\w.-]*$")]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    tasks: Annotated[list[TaskEntry], Field(min_length=1)]
    mixture: Mixture = Mixture()
    tokenizer: Tokenizer = Tokenizer()
    unsayable: Literal["keep", "stop"] = "keep"
    unsayable_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    model: Model
    lengths: LengthsSection = LengthsSection()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule
    batch: Batch = Batch()
    precision: Literal["auto", "fp32", "bf16", "autocast_bf16"] = "fp32"
    loss: Loss = Loss()
    deepspeed: str = "ds_configs/zero2.json"
    checkpoint: Checkpoint = Checkpoint()
    generate: Generate = Generate()
    allow_unverified: bool | None = None


_ALSO_KNOWN_AS = {
    "adafactor": "DeepSpeed partitions matrices flat, so Adafactor could not factor them; use adamw with scale: rms",
    "fp16": "fp16 overflows in the feed-forward layers of a T5 (66246 > 65504); use bf16 or fp32",
    "float16": "fp16 overflows in the feed-forward layers of a T5 (66246 > 65504); use bf16 or fp32",
}


def read_run_file(path: Path, overrides: Sequence[str]) -> tuple[RunFile, Callable[[str], str]]:
    """The file with its overrides, in the form above, and the place (FILE:LINE or --set) of a dotted key."""
    data, lines = read_yaml(path, RunFileError)
    _spell_out(data)
    set_by: dict[KeyPath, str] = {}
    for override in overrides:
        changed = _override(data, override)
        lines, set_by = _not_below(lines, changed), {**_not_below(set_by, changed), changed: f"--set {override}"}
        _spell_out(data)
    where = _place_finder(path, lines, set_by)
    try:
        parsed = RunFile.model_validate(data)
    except ValidationError as error:
        raise _first_error(error, data, where) from None
    check_choices(parsed, where)
    fill_in(parsed)
    return parsed, where


def _spell_out(data: dict[Any, Any]) -> None:
    """Tasks that are given by their name alone become mappings."""
    if isinstance(data.get("tasks"), list):
        data["tasks"] = [{"task": entry} if isinstance(entry, str) else entry for entry in data["tasks"]]


def _not_below(places: Mapping[KeyPath, T], path: KeyPath) -> dict[KeyPath, T]:
    """The places that an override of ``path`` leaves as they are."""
    return {key: place for key, place in places.items() if len(key) <= len(path) or key[: len(path)] != path}


def _index(part: str) -> bool:
    return part.isascii() and part.isdecimal() and len(part) < 10


def _override(data: dict[Any, Any], override: str) -> KeyPath:
    """Set the value of "a.b=c" in ``data``; gives the path that it set."""
    key, sign, text = override.partition("=")
    where = f"--set {override}"
    if not sign or not all(key.split(".")):
        raise RunFileError(where, "it is not of the form a.b=c", "write it so, e.g. --set schedule.steps=10")
    path: list[str | int] = []
    at: Any = data
    for part in key.split("."):
        path.append(int(part) if isinstance(at, list) and _index(part) else part)
        if len(path) < len(key.split(".")):
            at = _descend(at, path[-1], where)
    try:
        at[path[-1]] = read_scalar(text, where, RunFileError)
    except (TypeError, IndexError):
        raise RunFileError(where, f"{path[-1]!r} does not stand in the run file", "set an existing place") from None
    return tuple(int(part) if isinstance(part, str) and _index(part) else part for part in path)


def _descend(at: Any, key: str | int, where: str) -> Any:
    if isinstance(at, dict):
        if at.get(key) is None:
            at[key] = {}
        return at[key]
    if isinstance(at, list) and isinstance(key, int) and key < len(at):
        return at[key]
    raise RunFileError(where, f"there is nothing under {key!r}", "set an existing place")


def _place_finder(path: Path, lines: Lines, set_by: dict[KeyPath, str]) -> Callable[[str], str]:
    def where(dotted: str) -> str:
        keys: KeyPath = tuple(int(part) if _index(part) else part for part in dotted.split(".") if part)
        while keys and keys not in lines and keys not in set_by:
            below = [override for path_set, override in set_by.items() if path_set[: len(keys)] == keys]
            if below:
                return below[0]
            keys = keys[:-1]
        return set_by.get(keys) or f"{path}:{lines.get(keys, 1)}"

    return where


def _first_error(error: ValidationError, data: Any, where: Callable[[str], str]) -> RunFileError:
    first = first_mistake(error, data)
    path, key = first.path, first.key
    place = where(".".join(map(str, path)))
    if first.kind == "extra_forbidden":
        return RunFileError(place, f"unknown key {key!r}", did_you_mean(key, _known_keys(path[:-1])))
    if first.kind == "missing":
        return RunFileError(where(".".join(map(str, path[:-1]))), f"key {key!r} is missing", "add it")
    if first.kind == "literal_error":
        return _wrong_choice(place, key, first.given, str(first.context.get("expected", "")))
    if first.kind == "string_pattern_mismatch":
        return RunFileError(place, f"{key}: {first.given!r} is no name", "use letters, digits, _, . and - only")
    return RunFileError(place, f"{key}: {first.found}", "correct it")


def _wrong_choice(place: str, key: str, given: Any, expected: str) -> RunFileError:
    known = _ALSO_KNOWN_AS.get(str(given).lower())
    if known:
        found, todo = known.rsplit("; ", 1)
        return RunFileError(place, f"{key}: {found}", todo)
    return RunFileError(place, f"{key}: {given!r} is not {expected}", "choose one of these")


def _known_keys(path: Sequence[str | int]) -> list[str]:
    model: type[BaseModel] = RunFile
    for part in path:
        if isinstance(part, str):
            model = _model_of(model, part)
    return [info.alias or name for name, info in model.model_fields.items()]


def _model_of(model: type[BaseModel], key: str) -> type[BaseModel]:
    annotation: Any = next(i for n, i in model.model_fields.items() if key in (n, i.alias)).annotation
    candidates = [annotation, *get_args(annotation)]
    if isinstance(annotation, UnionType):
        candidates = list(get_args(annotation))
    return next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))

"""What DeepSpeed takes in its file: read off its own classes, so that a new version's settings are known at once."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class KeySetting:
    """One key: its type, what to write in words, the keys of what is below it, and the values if they are few."""

    adapter: TypeAdapter[Any]
    wanted: str
    below: Keys | None = None
    choices: tuple[Any, ...] = ()

    def takes(self, value: Any) -> bool:
        """True for a value of the type, not merely one that could be made one; 5e8 counts as a whole number."""
        if self.choices:
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        whole = isinstance(value, float) and value % 1 == 0  # not infinity, whose rest is no number
        for form in (value, int(value)) if whole else (value,):
            try:
                self.adapter.validate_json(json.dumps(form), strict=True)
            except (ValidationError, ValueError):
                continue
            return True
        return False


Keys: TypeAlias = "Mapping[str, KeySetting]"


@cache
def sections() -> Mapping[str, KeySetting]:
    """The keys of the whole file that a T5 can be trained with, but for those that the run file owns."""
    logging.disable(logging.WARNING)  # what it tells of the accelerator that it has not found
    try:
        return _sections()
    finally:
        logging.disable(logging.NOTSET)


def _sections() -> Mapping[str, KeySetting]:
    from deepspeed.comm.config import CommsLoggerConfig
    from deepspeed.monitor.config import CometConfig, CSVConfig, TensorBoardConfig, WandbConfig
    from deepspeed.profiling.config import DeepSpeedFlopsProfilerConfig
    from deepspeed.runtime.activation_checkpointing.config import DeepSpeedActivationCheckpointingConfig
    from deepspeed.runtime.swap_tensor.aio_config import AIO_DEFAULT_DICT
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    models = {
        "zero_optimization": DeepSpeedZeroConfig, "comms_logger": CommsLoggerConfig, "tensorboard": TensorBoardConfig,
        "wandb": WandbConfig, "csv_monitor": CSVConfig, "comet": CometConfig,
    }  # fmt: skip
    defaults = {
        "flops_profiler": vars(DeepSpeedFlopsProfilerConfig({})),
        "activation_checkpointing": vars(DeepSpeedActivationCheckpointingConfig({})),
        "aio": AIO_DEFAULT_DICT,
    }
    return {
        **{name: _mapping(_keys_of(model)) for name, model in models.items()},
        **{name: _mapping(_keys_like(values)) for name, values in defaults.items()},
        **_BARE,
    }


def whole_zero(values: Mapping[str, Any]) -> str | None:
    """What DeepSpeed itself has against the settings of ``zero_optimization`` together; None where it takes them."""
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    try:
        DeepSpeedZeroConfig(**values)
    except (ValidationError, AssertionError) as error:
        if isinstance(error, ValidationError):
            return str(error.errors()[0]["msg"]).partition(", ")[2] or str(error.errors()[0]["msg"])
        return str(error)
    return None


def _mapping(keys: Keys, or_null: bool = False) -> KeySetting:
    kind: Any = dict[str, Any] | None if or_null else dict[str, Any]
    return KeySetting(TypeAdapter(kind), "a mapping", keys)


def _keys_of(model: type[BaseModel]) -> Keys:
    return {
        key: _setting(field)
        for name, field in model.model_fields.items()
        for key in dict.fromkeys((field.alias or name, name))
        if not (isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("deprecated"))
    }


def _keys_like(defaults: Mapping[str, Any]) -> Keys:
    """Where DeepSpeed has no types, those of its default values; what has none is a number."""
    kinds = {key: int if value is None else type(value) for key, value in defaults.items()}
    return {key: KeySetting(TypeAdapter(kind), _in_words(kind, [])) for key, kind in kinds.items()}


def _setting(field: FieldInfo) -> KeySetting:
    union = get_args(field.annotation) if get_origin(field.annotation) in (Union, UnionType) else (field.annotation,)
    kind = next(one for one in union if one is not NoneType)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _mapping(_keys_of(kind), NoneType in union)
    typed: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return KeySetting(TypeAdapter(typed), _in_words(kind, field.metadata), choices=_choices(kind))


def _choices(kind: Any) -> tuple[Any, ...]:
    return tuple(member.value for member in kind) if isinstance(kind, type) and issubclass(kind, Enum) else ()


def _in_words(kind: Any, bounds: list[Any]) -> str:
    if values := list(dict.fromkeys(map(json.dumps, _choices(kind)))):
        return f"{', '.join(values[:-1])} or {values[-1]}"
    said = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a text"}
    lowest, highest = ([getattr(b, name) for b in bounds if hasattr(b, name)] for name in ("ge", "le"))
    within = f" from {lowest[0]:g} to {highest[0]:g}" if lowest and highest else ""
    return said.get(kind, "a list" if (get_origin(kind) or kind) is list else "a value that DeepSpeed takes") + within


class _Precision(StrEnum):
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class _TagCheck(StrEnum):
    IGNORE = "Ignore"
    WARN = "Warn"
    FAIL = "Fail"


def _bare(kind: Any, *bounds: Any) -> KeySetting:
    return KeySetting(TypeAdapter(kind), _in_words(kind, list(bounds)), choices=_choices(kind))


# Read by DeepSpeed without a class of their own (runtime/config.py).
_BARE: Mapping[str, KeySetting] = {
    **{key: _bare(bool) for key in ("prescale_gradients", "wall_clock_breakdown", "dump_state", "memory_breakdown")},
    "communication_data_type": _bare(_Precision),
    "gradient_predivide_factor": _bare(float),
    "steps_per_print": _bare(int),
    "data_types": _mapping({"grad_accum_dtype": _bare(_Precision)}),
    "checkpoint": _mapping({
        "tag_validation": _bare(_TagCheck),
        "load_universal": _bare(bool),
        "use_node_local_storage": _bare(bool),
        "parallel_write": _mapping({"pipeline_stage": _bare(bool)}),
    }),
}  # fmt: skip

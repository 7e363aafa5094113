"""DeepSpeed files: the only reader of ds_configs/*.json.

The run file owns batch size, precision, optimiser, schedule and clipping; a DeepSpeed file owns ZeRO, offload,
buckets and communication and says "auto", or nothing, for the rest. DeepSpeed itself accepts unknown keys and leaves
"auto" unresolved outside transformers' Trainer (bf16 "auto" then trains in fp32 without a word), so every key is
checked and every "auto" is resolved here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from t2t.config.library import shipped
from t2t.config.run import RunConfig
from t2t.errors import DeepSpeedFileError
from t2t.registry import did_you_mean

OWNED = {
    "train_batch_size": "batch:",
    "train_micro_batch_size_per_gpu": "batch:",
    "gradient_accumulation_steps": "batch:",
    "gradient_clipping": "optimizer: clip:",
    "optimizer": "optimizer:",
    "scheduler": "schedule:",
    "bf16": "precision:",
    "torch_autocast": "precision:",
    "zero_allow_untested_optimizer": "optimizer:",
    "zero_force_ds_cpu_optimizer": "optimizer:",
}
REJECTED = frozenset({
    "elasticity", "progressive_layer_drop", "curriculum_learning", "compression_training", "sparse_attention", "amp",
    "nebula", "quantize_training", "sparse_gradients", "eigenvalue", "graph_harvesting",
})  # fmt: skip
KNOWN = frozenset({
    *OWNED, "zero_optimization", "communication_data_type", "prescale_gradients", "gradient_predivide_factor",
    "steps_per_print", "wall_clock_breakdown", "dump_state", "aio", "flops_profiler",
    "activation_checkpointing", "comms_logger", "tensorboard", "wandb", "csv_monitor", "checkpoint", "data_types",
    "memory_breakdown", "fp16",
})  # fmt: skip
# What DeepSpeed's own classes take (runtime/zero/config.py, offload_config.py).
_SWITCHES = (
    "contiguous_gradients", "reduce_scatter", "allgather_partitions", "overlap_comm", "load_from_fp32_weights",
    "stage3_gather_16bit_weights_on_model_save", "ignore_unused_parameters", "round_robin_gradients",
    "zero_quantized_weights", "zero_quantized_gradients", "memory_efficient_linear", "override_module_apply",
    "log_trace_cache_warnings", "zero_quantized_nontrainable_weights",
)  # fmt: skip
_COUNTS = (
    "reduce_bucket_size", "allgather_bucket_size", "sub_group_size", "stage3_max_live_parameters",
    "stage3_max_reuse_distance", "stage3_prefetch_bucket_size", "stage3_param_persistence_threshold",
    "stage3_model_persistence_threshold", "zero_hpz_partition_size",
)  # fmt: skip
ZERO_KEYS = {
    "stage": "0, 1, 2 or 3",
    **dict.fromkeys(_SWITCHES, "true or false"),
    **dict.fromkeys(_COUNTS, "a whole number"),
    "offload_param": "a mapping",
    "offload_optimizer": "a mapping",
}
ZERO_REJECTED = frozenset({"mics_shard_size", "mics_hierarchical_params_gather", "zeropp_loco_param"})
_OFFLOAD = {
    "device": '"cpu", "nvme" or "none"',
    "nvme_path": "a text",
    "buffer_count": "a whole number",
    "pin_memory": "true or false",
}
OFFLOAD_KEYS = {
    "offload_param": {**_OFFLOAD, "buffer_size": "a whole number", "max_in_cpu": "a whole number"},
    "offload_optimizer": {
        **_OFFLOAD,
        **dict.fromkeys(("pipeline_read", "pipeline_write", "fast_init"), "true or false"),
        "ratio": "a number from 0 to 1",
    },
}
_FITS: dict[str, Callable[[Any], bool]] = {
    "0, 1, 2 or 3": lambda value: type(value) is int and 0 <= value <= 3,
    "true or false": lambda value: isinstance(value, bool),
    # 5e8 is how most files write it
    "a whole number": lambda value: type(value) in (int, float) and value >= 0 and value % 1 == 0,
    "a number from 0 to 1": lambda value: type(value) in (int, float) and 0 <= value <= 1,
    "a text": lambda value: isinstance(value, str),
    "a mapping": lambda value: isinstance(value, dict),
    '"cpu", "nvme" or "none"': lambda value: value in ("cpu", "nvme", "none"),
}
_ZERO_AUTO = {
    "reduce_bucket_size": 50_000_000,
    "allgather_bucket_size": 50_000_000,
    "stage3_prefetch_bucket_size": 50_000_000,
    "stage3_param_persistence_threshold": 100_000,
    "overlap_comm": False,
}


def read_deepspeed(path: Path, config: RunConfig) -> dict[str, Any]:
    """The settings for ``deepspeed.initialize``: the file with every "auto" resolved from the run.

    DeepSpeedFileError, with FILE:LINE, for an unreadable file, an unknown key, a key that this DeepSpeed rejects, a
    value that the run file owns, and fp16 (T5's feed-forward overflows in it).
    """
    # Like task templates, a file of the current folder comes before the one that comes with t2t.
    if not path.exists() and path.parts[:1] == ("ds_configs",):
        own = shipped("ds_configs").joinpath(*path.parts[1:])
        path = own if own.exists() else path
    text = _text(path, config)
    data = _parse(path, text)
    for key, value in data.items():
        _check_key(path, text, key, value)
    zero = data.get("zero_optimization", {})
    if not isinstance(zero, dict):
        raise _error(path, text, "zero_optimization", "zero_optimization is no mapping", 'write {"stage": 2}')
    for key, value in zero.items():
        _check_zero(path, text, key, value)
    return _resolved(data, zero, config)


def _text(path: Path, config: RunConfig) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        where, reason = config.where("deepspeed"), getattr(error, "strerror", None) or error
        raise DeepSpeedFileError(where, f"{path} cannot be read ({reason})", "name a file of ds_configs/") from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for index, (key, _) in enumerate(pairs):
            if key in (other for other, _ in pairs[:index]):
                raise _error(path, text, key, f"the key {key!r} stands twice", "keep one of them")
        return dict(pairs)

    try:
        data = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise DeepSpeedFileError(f"{path}:{error.lineno}", f"no readable JSON ({error})", "correct it") from None
    except (ValueError, RecursionError):
        found = "no readable JSON (a number of thousands of digits, or thousands of levels)"
        raise DeepSpeedFileError(f"{path}:1", found, "correct it") from None
    if not isinstance(data, dict):
        raise DeepSpeedFileError(f"{path}:1", "the file is no mapping", 'write {"zero_optimization": {"stage": 2}}')
    return data


def _line(text: str, key: str) -> int:
    return next((number for number, line in enumerate(text.splitlines(), 1) if f'"{key}"' in line), 1)


def _error(path: Path, text: str, key: str, found: str, todo: str) -> DeepSpeedFileError:
    return DeepSpeedFileError(f"{path}:{_line(text, key)}", found, todo)


def _check_key(path: Path, text: str, key: str, value: Any) -> None:
    if key in REJECTED:
        raise _error(path, text, key, f"{key!r} is rejected by DeepSpeed 0.19.8", "leave it out")
    if key not in KNOWN:
        raise _error(path, text, key, f"unknown key {key!r}", did_you_mean(key, KNOWN))
    if key == "fp16" and _switched_on(value):
        found = "fp16 is switched on: the feed-forward of a T5 overflows in fp16 (66,246 > 65,504)"
        raise _error(path, text, key, found, "leave it out and set precision: bf16 in the run file")
    if key in OWNED and not _is_auto(value):
        raise _error(
            path, text, key, f"{key!r} is set, which the run file owns", f'say "auto" and set {OWNED[key]} there'
        )
    if key not in (*OWNED, "zero_optimization", "fp16") and _holds_auto(value):
        raise _error(path, text, key, f'{key} is "auto", which has no value here', "give a value")


def _check_zero(path: Path, text: str, key: str, value: Any) -> None:
    if key in ZERO_REJECTED:
        raise _error(path, text, key, f"{key!r} is rejected by DeepSpeed 0.19.8", "leave it out")
    if key not in ZERO_KEYS:
        raise _error(path, text, key, f"unknown key {key!r} in zero_optimization", did_you_mean(key, ZERO_KEYS))
    if value == "auto" and key not in _ZERO_AUTO:
        raise _error(path, text, key, f'{key} is "auto", which has no value here', "give a value")
    if value == "auto":
        return
    _check_type(path, text, key, value, ZERO_KEYS[key])
    for part, given in value.items() if key in OFFLOAD_KEYS else ():
        if part not in OFFLOAD_KEYS[key]:
            raise _error(path, text, part, f"unknown key {part!r} in {key}", did_you_mean(part, OFFLOAD_KEYS[key]))
        _check_type(path, text, part, given, OFFLOAD_KEYS[key][part])


def _check_type(path: Path, text: str, key: str, value: Any, wanted: str) -> None:
    if not _FITS[wanted](value):
        raise _error(path, text, key, f"{key} is {json.dumps(value)[:80]}", f"write {wanted}")


def _is_auto(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value) and all(_is_auto(item) for item in value.values())
    return bool(value == "auto")


def _holds_auto(value: Any) -> bool:
    if isinstance(value, (dict, list)):
        return any(_holds_auto(item) for item in (value.values() if isinstance(value, dict) else value))
    return bool(value == "auto")


def _switched_on(value: Any) -> bool:
    enabled = value.get("enabled", False) if isinstance(value, Mapping) else value
    return enabled not in (False, 0)


def _resolved(data: Mapping[str, Any], zero: Mapping[str, Any], config: RunConfig) -> dict[str, Any]:
    settings = {key: value for key, value in data.items() if key not in OWNED and key != "fp16"}
    concrete = {key: _ZERO_AUTO.get(key, value) if value == "auto" else value for key, value in zero.items()}
    settings["zero_optimization"] = {"stage": 0, **concrete}
    # Units are counted by us: DeepSpeed is told of one micro-batch a step and when its boundary is.
    settings |= {"train_micro_batch_size_per_gpu": 1, "gradient_accumulation_steps": 1}
    settings |= {"zero_allow_untested_optimizer": True, "zero_force_ds_cpu_optimizer": False}
    settings["gradient_clipping"] = config.optimizer.clip
    settings["steps_per_print"] = settings.get("steps_per_print", 1_000_000_000)
    if config.precision == "bf16":
        settings["bf16"] = {"enabled": True}
    return settings

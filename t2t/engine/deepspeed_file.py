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

from t2t.config.run import RunConfig
from t2t.config.shipped_files import shipped
from t2t.engine.deepspeed_keys import KeySetting, sections, whole_zero
from t2t.errors import DeepSpeedFileError, RunFileError
from t2t.registry import did_you_mean
from t2t.regular_files import read_regular

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
# Settings of zero_optimization that want an optimiser, a launcher or a model of their own.
ZERO_REJECTED = frozenset({
    "mics_shard_size", "mics_hierarchical_params_gather", "zeropp_loco_param", "zenflow", "elastic_checkpoint",
    "legacy_stage1", "pipeline_loading_checkpoint", "save_muon_momentum_buffer_in_memory",
})  # fmt: skip
# What a run writes is in its folder: a file that somebody sent decides nothing about places.
# nvme_path is the exception: only who owns the machine knows where its disk is.
_PLACES = {
    ("csv_monitor", "output_path"), ("tensorboard", "output_path"), ("flops_profiler", "output_file"),
    ("csv_monitor", "job_name"), ("tensorboard", "job_name"),
}  # fmt: skip
_LARGEST = 1 << 20  # bytes of a file
_ZERO_AUTO = {
    "reduce_bucket_size": 50_000_000,
    "allgather_bucket_size": 50_000_000,
    "stage3_prefetch_bucket_size": 50_000_000,
    "stage3_param_persistence_threshold": 100_000,
    "overlap_comm": False,
}


def read_deepspeed(path: Path, config: RunConfig) -> dict[str, Any]:
    """The settings for ``deepspeed.initialize``: the file with every "auto" resolved from the run.

    Which keys there are and of what type is read off DeepSpeed's own classes; here stands only who owns a setting.
    DeepSpeedFileError, with FILE:LINE, for an unreadable file, an unknown key, a value of another type, settings that
    DeepSpeed does not take together, a key that it rejects, a value that the run file owns, a place to write to, and
    fp16 (T5's feed-forward overflows in it).
    """
    # Like task templates, a file of the current folder comes before the one that comes with t2t.
    if not path.exists() and path.parts[:1] == ("ds_configs",):
        own = shipped("ds_configs").joinpath(*path.parts[1:])
        path = own if own.exists() else path
    text = _text(path, config.where)
    data = _parse(path, text)
    for key, value in data.items():
        _check_key(path, text, key, value)
    zero = _without_auto(data.get("zero_optimization", {}))
    if (found := whole_zero(zero)) is not None:
        raise _error(
            path, text, "zero_optimization", f"DeepSpeed takes these settings not together ({found})", "change one"
        )
    if (reason := config.optimizer.refused(int(zero.get("stage", 0)))) is not None:
        found = f"optimizer.name: {reason} ({path} has stage {zero['stage']})"
        raise RunFileError(config.where("optimizer.name"), found, "use a DeepSpeed file of stage 0, or adamw")
    if config.freeze is not None and config.freeze.until is not None and not zero.get("stage", 0):
        found = f"freeze.until: weights thaw at ZeRO stage 1, 2 or 3, and {path} has stage 0"
        raise RunFileError(config.where("freeze.until"), found, "use deepspeed: ds_configs/zero1.json")
    return _resolved(data, zero, config.directory, config.optimizer.clip, config.precision == "bf16")


def _text(path: Path, place: Callable[[str], str]) -> str:
    try:
        text = read_regular(path, _LARGEST + 1).decode("utf-8")
    except (OSError, ValueError) as error:
        where, reason = place("deepspeed"), getattr(error, "strerror", None) or error
        raise DeepSpeedFileError(where, f"{path} cannot be read ({reason})", "name a file of ds_configs/") from None
    if len(text) > _LARGEST:
        raise DeepSpeedFileError(f"{path}:1", "the file has more than a million bytes", "name a DeepSpeed file")
    return text


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
    if key == "fp16" and _switched_on(value):
        found = "fp16 is switched on: the feed-forward of a T5 overflows in fp16 (66,246 > 65,504)"
        raise _error(path, text, key, found, "leave it out and set precision: bf16 in the run file")
    if key in OWNED and not _is_auto(value):
        raise _error(
            path, text, key, f"{key!r} is set, which the run file owns", f'say "auto" and set {OWNED[key]} there'
        )
    if key in OWNED or key == "fp16":
        return
    if key not in sections():
        raise _error(path, text, key, f"unknown key {key!r}", did_you_mean(key, {*sections(), *OWNED}))
    if key != "zero_optimization" and _holds_auto(value):
        raise _error(path, text, key, f'{key} is "auto", which has no value here', "give a value")
    _check_value(path, text, (key,), value, sections()[key])


def _check_value(path: Path, text: str, keys: tuple[str, ...], value: Any, setting: KeySetting) -> None:
    key = keys[-1]
    if keys in _PLACES:
        found = f"{key} is set in {keys[0]}, and what a run writes stands in its own folder"
        raise _error(path, text, key, found, "leave it out")
    if keys[:-1] == ("zero_optimization",) and value == "auto":
        if key not in _ZERO_AUTO:
            raise _error(path, text, key, f'{key} is "auto", which has no value here', "give a value")
        return
    if not setting.takes(value):
        raise _error(path, text, key, f"{key} is {json.dumps(value)[:80]}", f"write {setting.wanted}")
    if setting.below is None or value is None:
        return
    for part, given in value.items():
        if keys == ("zero_optimization",) and part in ZERO_REJECTED:
            raise _error(path, text, part, f"{part!r} is rejected by DeepSpeed 0.19.8", "leave it out")
        if part not in setting.below:
            raise _error(path, text, part, f"unknown key {part!r} in {key}", did_you_mean(part, setting.below))
        _check_value(path, text, (*keys, part), given, setting.below[part])


def _without_auto(zero: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _ZERO_AUTO.get(key, value) if value == "auto" else value for key, value in zero.items()}


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


def _resolved(
    data: Mapping[str, Any], zero: Mapping[str, Any], folder: Path, clip: float, bf16: bool
) -> dict[str, Any]:
    settings = {key: value for key, value in data.items() if key not in OWNED and key != "fp16"}
    settings["zero_optimization"] = {"stage": 0, **zero}
    for section, key in _PLACES:
        if section in settings and key == "output_path":
            settings[section] = {**settings[section], key: str(folder / section)}
    # Micro-batches are counted by us: DeepSpeed is told of one micro-batch a step and when its boundary is.
    settings |= {"train_micro_batch_size_per_gpu": 1, "gradient_accumulation_steps": 1}
    settings |= {"zero_allow_untested_optimizer": True, "zero_force_ds_cpu_optimizer": False}
    settings["gradient_clipping"] = clip
    settings["steps_per_print"] = settings.get("steps_per_print", 1_000_000_000)
    if bf16:
        settings["bf16"] = {"enabled": True}
    return settings

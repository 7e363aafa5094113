"""What the keys of a run file mean together: those that do not go together, and defaults that follow from others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from t2t.config.generation_engines import ENGINES
from t2t.config.run import BestSettings, FromScratch, GenerateSettings, RunFile, ScheduleSettings
from t2t.errors import RunFileError

Where = Callable[[str], str]

# mini learns SNIPS in 20 minutes on 2 cores; small and base have the shapes of T5 1.1.
SHAPES: Mapping[str, Mapping[str, int]] = {
    "mini": {"d_model": 192, "d_kv": 32, "d_ff": 512, "num_layers": 3, "num_decoder_layers": 3, "num_heads": 6},
    "small": {"d_model": 512, "d_kv": 64, "d_ff": 1024, "num_layers": 8, "num_decoder_layers": 8, "num_heads": 6},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 2048, "num_layers": 12, "num_decoder_layers": 12, "num_heads": 12},
}
# Of random weights: large steps, relative to their size, that start slowly.
NEW_RATE, NEW_WARMUP = 2.0e-2, 100
# What T5 is fine-tuned with (Raffel et al. 2020): Adafactor's 1e-3 is relative too, without a warm-up.
PRETRAINED_RATE, PRETRAINED_WARMUP, PRETRAINED_DROPOUT = 1.0e-3, 0, 0.1
NEW_SGD_RATE = 1.0e-1
# A prompt is found by large steps (Lester et al. 2021: 0.3), keys and values by smaller ones.
PEFT_RATES = {"prompt": 0.3, "prefix": 1.0e-2}
PEFT_RATE, PEFT_SCALE = 1.0e-3, "none"  # what is added begins at zero: a rate relative to its size would be none


def filled_in(data: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """``data`` with the defaults that follow from what it starts from, and the shape that a size stands for.

    What is no mapping, or says otherwise, is left as it is.
    """
    pretrained = _below(data, "model").get("from") is not None
    rate: dict[str, Any] = {"learning_rate": PRETRAINED_RATE if pretrained else NEW_RATE}
    if data.get("peft") is not None:
        method = _below(data, "peft").get("method")
        rate = {"learning_rate": PEFT_RATES.get(str(method), PEFT_RATE), "scale": PEFT_SCALE}
    if (name := _below(data, "optimizer").get("name", "adamw")) != "adamw":
        rate = {"learning_rate": NEW_SGD_RATE} if name == "sgd" else {"learning_rate": rate["learning_rate"]}
    more: dict[str, dict[str, Any]] = {
        "optimizer": rate,
        "schedule": {"warmup": PRETRAINED_WARMUP if pretrained else NEW_WARMUP},
        "model": {"dropout": PRETRAINED_DROPOUT} if pretrained else {},
    }
    filled = _with_tasks_of_stages(data)
    for section, values in more.items():
        if isinstance(given := data.get(section, {} if section == "optimizer" else None), Mapping):
            filled[section] = _with(given, values)
    scratch = _below(_below(data, "model"), "from_scratch")
    if isinstance(size := scratch.get("size"), str) and size in SHAPES:
        filled["model"] = {**filled["model"], "from_scratch": _with(scratch, SHAPES[size])}
    return filled


def _with_tasks_of_stages(data: Mapping[Any, Any]) -> dict[Any, Any]:
    """``data`` with the tasks of its stages, each once, where it has stages and names none."""
    stages = data.get("stages")
    if data.get("tasks") is not None or not isinstance(stages, list):
        return {**data}
    entries = [entry for stage in stages if isinstance(stage, Mapping) for entry in stage.get("tasks") or ()]
    named = {str(entry.get("task")): entry for entry in entries if isinstance(entry, Mapping)}
    return {**data, "tasks": list(named.values())} if named else {**data}


def _below(data: Mapping[Any, Any], key: str) -> Mapping[Any, Any]:
    found = data.get(key)
    return found if isinstance(found, Mapping) else {}


def _with(given: Mapping[Any, Any], values: Mapping[str, Any]) -> dict[Any, Any]:
    return {**given, **{key: value for key, value in values.items() if given.get(key) is None}}


def check_choices(parsed: RunFile, where: Where) -> None:
    """RunFileError for keys that do not go together, and where one of several is needed and none is given."""
    _check_twice(parsed, where)
    _check_model(parsed, where)
    _check_tokenizer(parsed, where)
    _check_schedule(parsed.schedule, where)
    _check_validation(parsed, where)
    _check_stages(parsed, where)
    _check_teacher(parsed, where)
    check_generation(parsed.generate, where)
    if parsed.peft is not None and parsed.freeze is not None:
        found = "peft freezes all weights but those that it trains, so there is nothing to freeze"
        raise RunFileError(_place(where, "freeze", "peft"), found, "keep one of them")
    until, steps = None if parsed.freeze is None else parsed.freeze.until, parsed.schedule.steps
    if until is not None and steps is not None and until >= steps:
        found = f"freeze.until: {until}, but the run ends at step {steps}"
        raise RunFileError(_place(where, "freeze.until", "schedule.steps"), found, "thaw earlier, or leave until: out")


def check_generation(generate: GenerateSettings, where: Where) -> None:
    """RunFileError for an engine that nobody brings, and for ways of decoding that do not go together."""
    ENGINES.check(generate.engine, where("generate.engine"), RunFileError)
    draws, never_again = generate.sample is not None, generate.no_repeat_ngram is not None
    elsewhere = generate.engine == "ctranslate2"
    if generate.length_penalty != 1 and generate.beams == 1:
        found = "length_penalty compares beams, and there is one"
        raise RunFileError(where("generate.length_penalty"), found, "add beams: 4, or leave it out")
    pairs = (
        (draws and generate.beams > 1, "sample", "beams", "beams search for the likeliest output, and sample draws"),
        (draws and elsewhere, "sample", "engine", "sample is of the engine torch, not of ctranslate2"),
        (never_again and elsewhere, "no_repeat_ngram", "engine", "no_repeat_ngram is of the engine torch"),
        (draws and generate.top > 0, "sample", "top", "top weighs every answer of a closed set, and sample draws"),
        (draws and generate.mode == "rank", "sample", "mode", "mode: rank weighs every answer, and sample draws"),
    )
    for both, key, other, found in pairs:
        if both:
            place = _place(where, f"generate.{key}", f"generate.{other}")
            raise RunFileError(place, found, f"leave out {key}: or {other}:")


def _place(where: Where, *keys: str) -> str:
    """Where one of the keys that do not go together was given by --set, else where the first stands."""
    places = [where(key) for key in keys]
    return next((given for given in places if given.startswith("--set")), places[0])


def _check_twice(parsed: RunFile, where: Where) -> None:
    names: set[str] = set()
    for index, entry in enumerate(parsed.tasks):
        if entry.task in names:
            found = f"the task {entry.task!r} stands twice"
            raise RunFileError(where(f"tasks.{index}"), found, "keep one, with a weight")
        names.add(entry.task)
    splits = parsed.generate.splits
    for name in splits:
        if splits.count(name) > 1:
            raise RunFileError(where("generate.splits"), f"the split {name!r} stands twice", "name it once")


def _check_stages(parsed: RunFile, where: Where) -> None:
    names = [stage.name for stage in parsed.stages]
    for index, stage in enumerate(parsed.stages):
        if stage.name in names[:index]:
            raise RunFileError(where(f"stages.{index}"), f"the stage {stage.name!r} stands twice", "rename one")
        tasks = [entry.task for entry in stage.tasks]
        for place, name in enumerate(tasks):
            if name in tasks[:place]:
                found = f"the task {name!r} stands twice in the stage {stage.name!r}"
                raise RunFileError(where(f"stages.{index}.tasks.{place}"), found, "keep one, with a weight")
        if stage.schedule is not None:
            _check_schedule(stage.schedule, lambda key, index=index: where(f"stages.{index}.{key}"))  # type: ignore[misc]
    if parsed.stages:
        if {entry.task for entry in parsed.tasks} != {entry.task for stage in parsed.stages for entry in stage.tasks}:
            raise RunFileError(where("tasks"), "tasks are not those of the stages", "leave tasks: out")
        return
    given = {"continual": parsed.continual is not None, "accept": parsed.accept is not None}
    for key in [key for key, is_given in given.items() if is_given]:
        raise RunFileError(where(key), f"{key} goes by stages, of which there are none", "add stages:")


def _check_model(parsed: RunFile, where: Where) -> None:
    model = parsed.model
    if (model.source is None) == (model.from_scratch is None):
        place = _place(where, "model", "model.from", "model.from_scratch")
        raise RunFileError(place, "model has either from: or from_scratch:", "keep one of them")
    if model.from_scratch is not None:
        _check_shape(model.from_scratch, where)
        if model.dropout is not None:
            place = _place(where, "model.dropout", "model.from_scratch")
            raise RunFileError(place, "model.dropout is that of a pretrained model", "write it under from_scratch:")


def _check_shape(scratch: FromScratch, where: Where) -> None:
    missing = [name for name in SHAPES["mini"] if getattr(scratch, name) is None]
    if missing and scratch.size is None:
        found = f"from_scratch has no size: and no {', '.join(missing)}"
        raise RunFileError(where("model.from_scratch"), found, "add a size: mini, small or base, or what is missing")


def _check_tokenizer(parsed: RunFile, where: Where) -> None:
    model, tokenizer = parsed.model, parsed.tokenizer
    if model.source is not None and tokenizer.vocab_size:
        place = _place(where, "tokenizer", "tokenizer.vocab_size", "model.from")
        found = "a pretrained model keeps its own tokenizer"
        raise RunFileError(place, found, "remove tokenizer:, or train a model from_scratch")
    if tokenizer.source is not None and (tokenizer.vocab_size or tokenizer.sample):
        place = _place(where, "tokenizer", "tokenizer.from", "tokenizer.vocab_size", "tokenizer.sample")
        raise RunFileError(place, "tokenizer has either from: or vocab_size:", "keep one of them")


def _check_schedule(schedule: ScheduleSettings, where: Where) -> None:
    if (schedule.steps is None) == (schedule.epochs is None):
        both = schedule.steps is not None
        place = _place(where, "schedule", "schedule.steps", "schedule.epochs")
        found = "schedule has both steps: and epochs:" if both else "schedule has neither steps: nor epochs:"
        raise RunFileError(place, found, "keep one of them" if both else "say how long to train, e.g. epochs: 3")


def _check_teacher(parsed: RunFile, where: Where) -> None:
    if parsed.teacher is not None and parsed.teacher.targets == "gold" and not parsed.teacher.share:
        found = "a teacher of weight 0 whose targets are the gold's teaches nothing"
        place = _place(where, "teacher.weight", "teacher.targets", "teacher")
        raise RunFileError(place, found, "give it a weight, or write targets: generated")


def _check_validation(parsed: RunFile, where: Where) -> None:
    if parsed.validate is None:
        given = {"early_stopping": parsed.early_stopping is not None, "best": parsed.best != BestSettings()}
        for key in [key for key, is_given in given.items() if is_given]:
            raise RunFileError(where(key), f"{key} goes by validations, of which there are none", "add validate:")
        return
    number, unit = parsed.validate.period
    if not number or (unit != "minute" and number % 1):
        found = f"validate.every: {parsed.validate.every!r} is no time to validate"
        raise RunFileError(where("validate.every"), found, "write e.g. 500 steps, 10 minutes or 1 epoch")

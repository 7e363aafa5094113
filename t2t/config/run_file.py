"""The only reader of run files and of the overrides given by --set, with its errors in words of the file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from t2t.config.mistakes import first_mistake
from t2t.config.optimizer_settings import read_optimizer
from t2t.config.run import GenerateSettings, RunFile
from t2t.config.run_choices import check_choices, check_generation, filled_in
from t2t.config.settings import keys_at, read_settings, settings
from t2t.config.yaml_file import KeyPath, Lines, read_scalar, read_yaml
from t2t.errors import RunFileError
from t2t.registry import did_you_mean

T = TypeVar("T")

_ALSO_KNOWN_AS = {
    "fp16": "fp16 overflows in the feed-forward layers of a T5 (66246 > 65504); use bf16 or fp32",
    "float16": "fp16 overflows in the feed-forward layers of a T5 (66246 > 65504); use bf16 or fp32",
}
# Keys by their old names.
_OLD_NAMES = {("batch", "units"): "micro_batches"}


def read_run_file(path: Path, overrides: Sequence[str]) -> tuple[RunFile, Callable[[str], str]]:
    """The file with its overrides, in the form above, and the place (FILE:LINE or --set) of a dotted key."""
    data, lines = read_yaml(path, RunFileError)
    messages = spell_out(data, str(path))
    lines = {_new_name(key): line for key, line in lines.items()}
    set_by: dict[KeyPath, str] = {}
    for override in overrides:
        changed = _override(data, override)
        lines, set_by = _not_below(lines, changed), {**_not_below(set_by, changed), changed: f"--set {override}"}
        messages += spell_out(data, f"--set {override}")
    for line in messages if os.environ.get("RANK", "0") == "0" else []:
        print(line, file=sys.stderr, flush=True)
    where = _place_finder(path, lines, set_by)
    try:
        filled = dict(filled_in(data))
        optimizer = filled.pop("optimizer", {})
        parsed = replace(read_settings(RunFile, filled), optimizer=read_optimizer(optimizer, where))
    except UnicodeEncodeError as error:
        odd = repr(error.object[error.start : error.end])
        place = next((f"--set {one}" for one in overrides if error.object[error.start] in one), str(path))
        raise RunFileError(place, f"it holds {odd}, which is no character", "write it as UTF-8 text") from None
    except ValidationError as error:
        raise _first_error(error, data, where) from None
    check_choices(parsed, where)
    return parsed, where


@settings
class _Generation:
    """What of a run file is set where there is none."""

    generate: GenerateSettings = GenerateSettings()


def read_generation(overrides: Sequence[str], top: int = 0) -> GenerateSettings:
    """``generate:`` as overrides ("generate.beams=4") say it, for records that are of no run. ``top``: of ``--top``.

    RunFileError, with the override, for another section, an unknown key, a wrong value, ``generate.splits`` and what
    does not go together.
    """
    data: dict[Any, Any] = {}
    set_by: dict[KeyPath, str] = {}
    for override in overrides:
        changed = _override(data, override)
        set_by |= {changed: f"--set {override}"}
        if changed[0] != "generate" or changed[1:2] == ("splits",):
            found = f"{'.'.join(map(str, changed))} says nothing of records that are of no run"
            known = "generate.engine, precision, beams, sample, no_repeat_ngram, mode, tokens or constrain"
            raise RunFileError(f"--set {override}", found, f"set {known}")
    where = _place_finder(Path("--set"), {}, set_by)
    try:
        found_in = read_settings(_Generation, data).generate
    except ValidationError as error:
        raise _first_error(error, data, where) from None
    asked = replace(found_in, top=top or found_in.top)
    check_generation(asked, where)
    return asked


def generation_of(sample: Mapping[str, Any] | None, **others: Any) -> GenerateSettings:
    """``generate:`` as Python says it. InputError for a ``sample`` that is none, and what does not go together; the
    ``others`` stand as they are."""
    data = {} if sample is None else {"generate": {"sample": dict(sample)}}

    def where(key: str) -> str:
        return key.removeprefix("generate.")

    try:
        asked = replace(read_settings(_Generation, data).generate, **others)
    except ValidationError as error:
        raise _first_error(error, data, where) from None
    check_generation(asked, where)
    return asked


def spell_out(data: dict[Any, Any], where: str) -> list[str]:
    """Tasks that are given by their name alone become mappings, and old names of keys new ones; gives what to tell.

    RunFileError where a key is there by both names.
    """
    messages = []
    for path, new in _OLD_NAMES.items():
        *above, old = path
        section: Any = data
        for key in above:
            section = section.get(key) if isinstance(section, dict) else None
        if isinstance(section, dict) and old in section:
            if new in section:
                found = f"{old!r} is the old name of {new!r}, and both stand there"
                raise RunFileError(where, found, "keep the new one")
            section[new] = section.pop(old)
            messages.append(f"{where}: {'.'.join(path)} is now called {new}")
    stages = data.get("stages")
    for section in [data, *(stages if isinstance(stages, list) else ())]:
        if isinstance(section, dict) and isinstance(section.get("tasks"), list):
            section["tasks"] = [{"task": entry} if isinstance(entry, str) else entry for entry in section["tasks"]]
    return messages


def _new_name(path: KeyPath) -> KeyPath:
    new = next((new for old, new in _OLD_NAMES.items() if path == old), None)
    return path if new is None else (*path[:-1], new)


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
    parts = [str(part) for part in _new_name(tuple(key.split(".")))]
    path: list[str | int] = []
    at: Any = data
    for part in parts:
        path.append(int(part) if isinstance(at, list) and _index(part) else part)
        if len(path) < len(parts):
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
        return RunFileError(place, f"unknown key {key!r}", did_you_mean(key, keys_at(RunFile, path[:-1])))
    if first.kind == "missing":
        return RunFileError(where(".".join(map(str, path[:-1]))), f"key {key!r} is missing", "add it")
    if first.kind == "literal_error":
        return _wrong_choice(place, key, first.given, str(first.context.get("expected", "")))
    if first.kind == "string_pattern_mismatch" and key == "every":
        return RunFileError(place, f"{key}: {first.given!r} is no time", "write e.g. 500 steps, 10 minutes or 1 epoch")
    if first.kind == "string_pattern_mismatch":
        return RunFileError(place, f"{key}: {first.given!r} is no name", "use letters, digits, _, . and - only")
    return RunFileError(place, f"{key}: {first.found}", "correct it")


def _wrong_choice(place: str, key: str, given: Any, expected: str) -> RunFileError:
    known = _ALSO_KNOWN_AS.get(str(given).lower())
    if known:
        found, todo = known.rsplit("; ", 1)
        return RunFileError(place, f"{key}: {found}", todo)
    return RunFileError(place, f"{key}: {given!r} is not {expected}", "choose one of these")

"""Sections of a run file whose form hangs on a name in them: ``optimizer: {name: ..}``, ``peft: {method: ..}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from t2t.config.mistakes import first_mistake
from t2t.config.settings import keys_at, read_settings
from t2t.errors import RunFileError
from t2t.registry import Registry, did_you_mean


def read_named(
    forms: Registry[type], data: Mapping[str, Any], section: str, key: str, where: Callable[[str], str]
) -> Any:
    """The settings under ``section``, in the form that ``key`` names.

    RunFileError, with FILE:LINE, for an unknown name and for settings that what it names does not have.
    """
    name = data.get(key)
    if not isinstance(name, str):
        raise RunFileError(where(section), f"{section} has no {key}:", f"name one: {', '.join(forms.names())}")
    form = forms.get(name, where(f"{section}.{key}"), RunFileError)
    try:
        return read_settings(form, data)
    except ValidationError as error:
        first = first_mistake(error, data)
        place = where(".".join([section, *map(str, first.path)]))
        if first.kind == "extra_forbidden":
            known = did_you_mean(first.key, keys_at(form, first.path[:-1]))
            raise RunFileError(place, f"unknown key {first.key!r} of {name}", known) from None
        raise RunFileError(place, f"{first.key}: {first.found}", "correct it") from None

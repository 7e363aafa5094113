"""Lines of JSON that any reader takes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any


def json_line(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    """``value`` as one line, its end counted. NaN and infinity, which JSON does not have, are null.

    ``default``: what stands for a value of a type that JSON does not have.
    """
    try:
        return json.dumps(value, ensure_ascii=False, default=default, allow_nan=False) + "\n"
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=default, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(own) for key, own in value.items()}
    return [_finite(own) for own in value] if isinstance(value, (list, tuple)) else value

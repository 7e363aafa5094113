"""Which engines ``generate: {engine: ...}`` names; each loads a model folder (serving/loading.py or other packages)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from t2t.registry import Registry

# Of a model folder, torch's device and a precision: the engine (generation/engine.py) and the tokenizer.
ENGINES: Registry[Callable[..., Any]] = Registry(
    "engine", "t2t.engines", dict.fromkeys(("torch", "ctranslate2", "auto"), "t2t.serving.loading")
)

"""t2t: one text-to-text model for every language task.

    model = t2t.load("runs/atlas/model")
    model("atlas/ner_en", ["Ada moved to Oslo"])

The public names: ``load`` (a trained model that knows its tasks), ``Task`` (a template bound to its data), ``train``
and ``evaluate`` (a run file, as the commands of these names do). They are loaded when they are first used: ``import
t2t`` alone imports neither torch nor transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from t2t.commands.start import start_training as train
    from t2t.evaluation.evaluate import evaluate_file as evaluate
    from t2t.serving.model import load
    from t2t.tasks.task import Task

__version__ = "0.1.0"
__all__ = ["Task", "__version__", "evaluate", "load", "train"]
_PLACES = {
    "Task": ("t2t.tasks.task", "Task"),
    "load": ("t2t.serving.model", "load"),
    "train": ("t2t.commands.start", "start_training"),
    "evaluate": ("t2t.evaluation.evaluate", "evaluate_file"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 't2t' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)

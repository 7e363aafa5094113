"""Where the numbers of training go beside metrics.csv: one file a writer, each over its own library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from t2t.errors import RunFileError
from t2t.registry import Registry

CSV = "csv"  # metrics.csv, which is always written


class Logger(Protocol):
    """Writes numbers by name. The first rank alone has one."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """The numbers at a step. Steps rise; a run that goes on from an earlier checkpoint says some of them again."""

    def close(self) -> None:
        """Training has ended, however: what was written is on disk."""


class Maker(Protocol):
    """Makes a logger for the folder of a run. ``start``: the step from which it goes on."""

    module: str  # the package that must be installed

    def __call__(self, folder: Path, start: int) -> Logger: ...


LOGGERS: Registry[Maker] = Registry(
    "logger",
    "t2t.loggers",
    {name: f"t2t.engine.loggers.{name}_logger" for name in ("tensorboard", "wandb")},
)


def check_loggers(names: Sequence[str], where: Callable[[str], str]) -> None:
    """RunFileError, with FILE:LINE of ``log.to``, for an unknown logger and one whose package is not installed."""
    for name in names:
        if name == CSV:
            continue
        maker = LOGGERS.get(name, where("log.to"), RunFileError)
        if find_spec(maker.module) is None:
            found = f"{name} needs the package {maker.module}, which is not installed"
            raise RunFileError(where("log.to"), found, f'install it: pip install "t2t[{name}]"')


def open_loggers(names: Sequence[str], folder: Path, start: int) -> list[Logger]:
    """The loggers of a run, but for csv."""
    return [LOGGERS.get(name, "log.to")(folder, start) for name in dict.fromkeys(names) if name != CSV]

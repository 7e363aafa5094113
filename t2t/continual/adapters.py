"""An adapter a stage on one base, which nobody trains: by construction nothing is forgotten (the field's dynamic
architectures; of language models Madotto et al. 2021, AdapterCL). What is left to do is to know which adapter answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from t2t.config.settings import settings
from t2t.continual.strategy import ADAPTER, KEPT, STRATEGIES, Refusal, Stage, Strategy, Trained
from t2t.model.peft.method import Method
from t2t.model.peft.routes import ROUTES, By, Routes, adapter_of, read_routes, write_routes
from t2t.whole_files import link_or_copy

MODEL = "model"  # the base with the adapters of all stages so far


@settings
class Beside(Strategy):
    """What stages leave is beside each other on one base, which is not trained. ``route``: by the ``task`` of a
    record, or by the ``score`` of what each adapter answers (see Routes)."""

    strategy: str
    route: By = "task"

    @property
    def from_start(self) -> bool:
        return True

    def refused(self, method: Method | None, source: str | None) -> Refusal | None:
        if method is None:
            return Refusal("each stage trains an adapter, and there is no peft:", "say which: peft: {method: lora}")
        if not method.apart:
            found = f"this {method.method} changes the base, on which the adapters of all stages stand"
            return Refusal(found, "use init: zero, or another method")
        if source is None:
            return Refusal(
                "random weights are no base for adapters", "start from a model that was trained (model: from:)"
            )
        return None

    def end(self, stage: Stage, trained: Trained) -> None:
        """The base and the adapters of all stages so far, as one model folder; files are linked where the disk can."""
        out = stage.kept / MODEL
        before = stage.earlier[-1] / KEPT / MODEL if stage.earlier else None
        (out / ROUTES).unlink(missing_ok=True)
        if before is None:
            trained.write_base(out)
        else:
            _link(before, out)
            (out / ROUTES).unlink()
        _link(stage.folder / ADAPTER, adapter_of(out, stage.folder.name))
        known = None if before is None else read_routes(before)
        tasks = {**({} if known is None else known.tasks), stage.folder.name: tuple(trained.rows)}
        write_routes(out, Routes(self.route, tasks))  # it comes last: it says that the folder is whole

    def model(self, folder: Path) -> Path:
        return folder / KEPT / MODEL


@STRATEGIES.register("adapters")
@settings
class Adapters(Beside):
    """Each stage trains a fresh adapter."""

    strategy: Literal["adapters"] = "adapters"


def _link(source: Path, to: Path) -> None:
    """All files of a folder, and those of its adapters."""
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        link_or_copy(file, to / file.relative_to(source))

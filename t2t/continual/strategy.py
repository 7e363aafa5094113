"""What a strategy against forgetting is: what it brings into the training of a stage, and what it keeps for the next.

A stage is a run of its own, with its folder, checkpoints and model. What a strategy keeps is in the folder of the
stage that it comes from, written whole: so a run goes on in the middle of any stage, and a stage can be added later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from t2t.config.named_sections import read_named
from t2t.config.run import TeacherSettings
from t2t.config.settings import settings
from t2t.data.encode import Encoded, Ids
from t2t.errors import RunFileError
from t2t.model.peft.method import Method
from t2t.model.seq2seq import Seq2Seq
from t2t.registry import Registry

KEPT = "continual"  # the folder of a stage in which a strategy keeps what later stages need
ADAPTER = "adapter"  # that of what a PEFT method trained in it, alone


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that is to be trained: its number from 0, its folder, and those of the stages before, in their order."""

    number: int
    folder: Path
    earlier: tuple[Path, ...] = ()

    @property
    def kept(self) -> Path:
        """Where what is kept of this stage stands."""
        return self.folder / KEPT


@dataclass(frozen=True, slots=True)
class Anchor:
    """A pull of each weight w towards where it was: strength x (importance x w - pulled) is added to its gradient.

    ``importance`` and ``pulled`` (importance x the weights as they were) by the names of the weights, fp32, on the CPU;
    a weight that neither has is free. The gradient of strength / 2 x sum of importance x (w - w_before) ** 2.
    """

    strength: float
    importance: Mapping[str, Tensor]
    pulled: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """Rows that weights W [r, in] are kept orthogonal to: strength x the sum of ||earlier W^T||^2 is added to the loss.

    ``earlier`` [k, in] by the names of the weights, fp32, on the CPU.
    """

    strength: float
    earlier: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Support:
    """What training of a stage has beside its own data.

    ``rows``: examples of earlier stages; ``share`` of all draws are of them, None: as they are of all examples.
    ``held``: weights by name that a PEFT method adds and does not train. ``draw``: another start for what it adds and
    trains, which is drawn by the seed and this number.
    """

    rows: Sequence[Encoded] = ()
    share: float | None = None
    anchor: Anchor | None = None
    orthogonal: Orthogonal | None = None
    held: Mapping[str, Tensor] = field(default_factory=dict)
    draw: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What a stage is trained on: the training rows of each of its tasks by name.

    ``vocabulary``: a hash of the tokenizer that made the ids. ``ids``: a text as its ids. ``seed``: of the run.
    """

    rows: Mapping[str, Sequence[Encoded]]
    vocabulary: str
    ids: Callable[[str], Ids]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained(Training):
    """A stage that has been trained: its model, on the CPU, and ``device`` to compute on.

    ``write_base``: writes the model that the run starts from, as a whole model folder.
    """

    model: Callable[[], Seq2Seq]
    device: str = "cpu"
    write_base: Callable[[Path], None] = lambda folder: None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a strategy cannot go with the rest of a run file, and what to do."""

    found: str
    todo: str


@settings
class Strategy:
    """Settings under ``continual:`` and what they do. By default nothing: each stage trains on from the one before."""

    strategy: str

    @property
    def gathers(self) -> bool:
        """Whether each stage trains on the data of all stages so far, from the start."""
        return False

    @property
    def from_start(self) -> bool:
        """Whether each stage starts where the run does, and not from the model of the stage before."""
        return self.gathers

    def refused(self, method: Method | None, source: str | None) -> Refusal | None:
        """Why it cannot go with a PEFT method (None: all weights are trained) or with the model that the run starts
        from (None: random weights); None where it can."""
        return None

    def peft(self, stage: Stage, peft: dict[str, Any] | None) -> dict[str, Any] | None:
        """What is under ``peft:`` for the stage, ``peft`` being what is in the run file."""
        return peft

    def begin(self, stage: Stage, training: Training) -> Support:
        """What the stage is trained with. Called on every rank; InputError for what earlier stages kept and does not
        fit."""
        return Support()

    def end(self, stage: Stage, trained: Trained) -> None:
        """Keep what later stages need. Called on the first rank, again where the run was killed before it was done."""

    def teacher(self, before: Path) -> TeacherSettings | None:
        """The teacher of a stage behind the first, ``before`` being the model that it starts from; None: none but the
        run's own."""
        return None

    def model(self, folder: Path) -> Path:
        """The model of a stage that has ended."""
        return folder / "model"


STRATEGIES: Registry[type[Strategy]] = Registry(
    "strategy",
    "t2t.strategies",
    {name: f"t2t.continual.{file}" for name, file in {
        "sequential": "bounds", "joint": "bounds", "replay": "replay", "l2": "anchors", "ewc": "anchors",
        "averaging": "averaging", "lwf": "without_forgetting", "adapters": "adapters", "olora": "orthogonal",
        "generative": "generative", "progressive": "progressive",
    }.items()},
)  # fmt: skip


def read_strategy(
    data: Mapping[str, Any] | None,
    where: Callable[[str], str],
    method: Method | None = None,
    source: str | None = None,
) -> Strategy:
    """What is under ``continual:``, sequential by default. RunFileError for an unknown one, a setting that it does
    not have, and one that cannot go with the PEFT method or the start (see Strategy.refused)."""
    found: Strategy = read_named(STRATEGIES, {"strategy": "sequential", **(data or {})}, "continual", "strategy", where)
    if (refusal := found.refused(method, source)) is not None:
        raise RunFileError(where("continual"), f"{found.strategy}: {refusal.found}", refusal.todo)
    return found

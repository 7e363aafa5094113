"""Run files: the only reader of examples/*.yaml and of the overrides given by --set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from t2t.config.run_file import RunFile, read_run_file
from t2t.config.yaml_file import write_yaml

Precision: TypeAlias = Literal["auto", "fp32", "bf16", "autocast_bf16"]
LossNorm: TypeAlias = Literal["tokens", "examples", "tasks"]
RUNS = Path("runs")
DEFAULT_VOCABULARY = 4000


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """A task of the mixture. ``limit``: use its first examples only; ``weight``: its rate, instead of one by size."""

    task: str
    weight: float | None
    limit: int | None
    where: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class MixtureSettings:
    """rate = min(n * scale, maximum) ** (1 / temperature)."""

    scale: float
    maximum: float | None
    temperature: float


@dataclass(frozen=True, slots=True)
class TokenizerSettings:
    """Either ``source`` (directory or hub name), or a size to train; ``sample``: texts a task to train it on."""

    source: str | None
    vocab_size: int
    sample: int | None


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Either ``source`` (directory or hub name, with its ``revision``), trained with ``dropout``, or the shape of a T5
    from scratch."""

    source: str | None
    revision: str | None
    dropout: float | None
    from_scratch: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Lengths:
    """Limits in tokens, EOS included."""

    prompt: int
    target: int


@dataclass(frozen=True, slots=True)
class OptimizerSettings:
    """AdamW. ``scale: rms`` multiplies the rate by the root mean square of the parameters. ``clip`` 0: no clipping."""

    name: Literal["adamw"]
    learning_rate: float
    scale: Literal["rms", "none"]
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    clip: float


@dataclass(frozen=True, slots=True)
class ScheduleSettings:
    """``steps``: None while ``epochs`` wait for the data. ``minutes``: training also ends, and the rate also falls, by
    the clock."""

    name: Literal["linear", "cosine", "constant", "inverse_sqrt"]
    warmup: int
    steps: int | None
    minutes: float | None
    epochs: float | None = None

    @property
    def length(self) -> int:
        """The updates of the run. ValueError where epochs have not become steps yet."""
        if self.steps is None:
            raise ValueError(f"{self.epochs} epochs are not known in steps yet")
        return self.steps


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """``tokens`` a unit (padding counted), ``units`` a step, ``window`` examples a window."""

    tokens: int
    units: int
    window: int


@dataclass(frozen=True, slots=True)
class LossSettings:
    """What one step averages over, and the label smoothing of the cross-entropy."""

    norm: LossNorm
    label_smoothing: float


@dataclass(frozen=True, slots=True)
class CheckpointSettings:
    """A checkpoint every ``every`` steps, the last ``keep`` of them kept."""

    every: int
    keep: int


@dataclass(frozen=True, slots=True)
class GenerateSettings:
    """Splits to generate for, ``tokens`` of a batch, at most ``limit`` inputs a task and split, whether outputs that
    are not strict are decoded again under the grammar of their target, how many beams the free ones have, and in what
    the model computes (``auto``: bf16 where the hardware multiplies it, else fp32).

    A batch of ``tokens`` has that many rows x (longest prompt + ``lengths: target``); a beam is a row; 1 is greedy.
    """

    splits: tuple[str, ...]
    tokens: int
    limit: int | None
    constrain: bool
    beams: int
    precision: Literal["auto", "fp32", "bf16"]

    @property
    def decoding(self) -> str:
        """How outputs are decoded, for signatures."""
        free = "greedy" if self.beams == 1 else f"beams:{self.beams}"
        return f"{free}+constrained" if self.constrain else free


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A run file with its overrides, every default filled in. ``where``: FILE:LINE of a dotted key.

    ``precision: auto`` is bf16 autocast where all processes multiply bf16 in hardware, else fp32.
    ``unsayable``: whether targets that the vocabulary cannot say whole are kept as near as it can say them, up to
    ``unsayable_share`` of a task. ``allow_unverified``: train on data sets of the hub whose revision nobody has seen.
    """

    run: str
    seed: int
    tasks: tuple[TaskSettings, ...]
    mixture: MixtureSettings
    tokenizer: TokenizerSettings
    unsayable: Literal["keep", "stop"]
    unsayable_share: float
    model: ModelSettings
    lengths: Lengths
    optimizer: OptimizerSettings
    schedule: ScheduleSettings
    batch: BatchSettings
    precision: Precision
    loss: LossSettings
    deepspeed: Path
    checkpoint: CheckpointSettings
    generate: GenerateSettings
    allow_unverified: bool
    resolved: Mapping[str, Any]
    where: Callable[[str], str] = field(compare=False)

    @property
    def directory(self) -> Path:
        """Where everything about this run is written."""
        return RUNS / self.run

    def to_yaml(self) -> str:
        """The resolved settings as a run file that gives this configuration again."""
        return write_yaml(self.resolved)


def load_run(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The run file ``path`` with ``overrides`` ("a.b=c", c read as YAML) put over it.

    RunFileError, with FILE:LINE or the override, for an unknown key, a wrong type or a value out of range.
    """
    parsed, where = read_run_file(Path(path), overrides)
    return _frozen(parsed, where)


def _frozen(parsed: RunFile, where: Callable[[str], str]) -> RunConfig:
    tasks = tuple(
        TaskSettings(entry.task, entry.weight, entry.limit, where(f"tasks.{index}"))
        for index, entry in enumerate(parsed.tasks)
    )
    model, scratch = parsed.model, parsed.model.from_scratch
    shape = scratch.model_dump(exclude={"size"}) if scratch else None
    optimizer = parsed.optimizer.model_dump() | {"betas": (parsed.optimizer.betas[0], parsed.optimizer.betas[1])}
    generate = parsed.generate.model_dump() | {"splits": tuple(parsed.generate.splits)}
    return RunConfig(
        run=parsed.run,
        seed=parsed.seed,
        tasks=tasks,
        mixture=MixtureSettings(**parsed.mixture.model_dump()),
        tokenizer=TokenizerSettings(
            parsed.tokenizer.source, parsed.tokenizer.vocab_size or DEFAULT_VOCABULARY, parsed.tokenizer.sample
        ),
        unsayable=parsed.unsayable,
        unsayable_share=parsed.unsayable_share,
        model=ModelSettings(model.source, model.revision, model.dropout, shape),
        lengths=Lengths(**parsed.lengths.model_dump()),
        optimizer=OptimizerSettings(**optimizer),
        schedule=ScheduleSettings(**parsed.schedule.model_dump()),
        batch=BatchSettings(**parsed.batch.model_dump()),
        precision=parsed.precision,
        loss=LossSettings(**parsed.loss.model_dump()),
        deepspeed=Path(parsed.deepspeed),
        checkpoint=CheckpointSettings(**parsed.checkpoint.model_dump()),
        generate=GenerateSettings(**generate),
        allow_unverified=bool(parsed.allow_unverified),
        resolved=parsed.model_dump(by_alias=True, exclude_none=True),
        where=where,
    )

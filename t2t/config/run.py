"""Run files: every section of them, and what a run reads of the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from t2t.config.optimizer_settings import OptimizerSettings, read_optimizer
from t2t.config.settings import NotNegative, Positive, PositiveFloat, Share, as_data, settings
from t2t.config.yaml_file import write_yaml

Precision: TypeAlias = Literal["auto", "fp32", "bf16", "autocast_bf16"]
LossNorm: TypeAlias = Literal["tokens", "examples", "tasks"]
RUNS = Path("runs")
DEFAULT_VOCABULARY = 4000


@settings
class TaskSettings:
    """A task of the mixture. ``limit``: use its first examples only; ``weight``: its rate, instead of one by size."""

    task: str
    weight: PositiveFloat | None = None
    limit: Positive | None = None


@settings
class MixtureSettings:
    """rate = min(n * scale, maximum) ** (1 / temperature)."""

    scale: PositiveFloat = 1.0
    maximum: PositiveFloat | None = None
    temperature: PositiveFloat = 1.0


@settings
class TokenizerSettings:
    """Either ``source`` (directory or hub name), or a size to train; ``sample``: texts a task to train it on."""

    source: Annotated[str | None, Field(alias="from")] = None
    vocab_size: Positive | None = None
    sample: Positive | None = None

    @property
    def size(self) -> int:
        """The pieces of a tokenizer that is trained."""
        return self.vocab_size or DEFAULT_VOCABULARY


@settings
class FromScratch:
    """The shape of a T5 with random weights, or the ``size`` that stands for one."""

    size: Literal["mini", "small", "base"] | None = None
    d_model: Positive | None = None
    d_kv: Positive | None = None
    d_ff: Positive | None = None
    num_layers: Positive | None = None
    num_decoder_layers: Positive | None = None
    num_heads: Positive | None = None
    gated: bool = True
    tied: bool = True
    dropout: Share = 0.0
    init: Literal["copy", "t5"] = "copy"


@settings
class ModelSettings:
    """Either ``source`` (directory or hub name, with its ``revision``), trained with ``dropout``, or the shape of a T5
    from scratch."""

    source: Annotated[str | None, Field(alias="from")] = None
    revision: str | None = None
    dropout: Share | None = None
    from_scratch: FromScratch | None = None

    @property
    def shape(self) -> Mapping[str, Any]:
        """What a T5 from scratch is built by."""
        return {name: value for name, value in as_data(self.from_scratch or FromScratch()).items() if name != "size"}


@settings
class Lengths:
    """Limits in tokens, EOS included."""

    prompt: Positive = 512
    target: Positive = 256


@settings
class ScheduleSettings:
    """``steps``: None while ``epochs`` wait for the data. ``minutes``: training also ends, and the rate also falls, by
    the clock."""

    name: Literal["linear", "cosine", "constant", "inverse_sqrt"] = "linear"
    warmup: Annotated[int, Field(ge=0)] = 100
    steps: Positive | None = None
    epochs: PositiveFloat | None = None
    minutes: PositiveFloat | None = None

    @property
    def length(self) -> int:
        """The updates of the run. ValueError where epochs have not become steps yet."""
        if self.steps is None:
            raise ValueError(f"{self.epochs} epochs are not known in steps yet")
        return self.steps


@settings
class BatchSettings:
    """``tokens`` a micro-batch (padding counted), ``micro_batches`` an update, ``window`` examples a window."""

    tokens: Positive = 4096
    micro_batches: Positive = 4
    window: Positive = 2048


@settings
class LossSettings:
    """What one step averages over, the label smoothing of the cross-entropy, the weight of the z-loss, and how many
    positions have their logits computed at once (0: all of a micro-batch)."""

    norm: LossNorm = "tokens"
    label_smoothing: Share = 0.0
    z_loss: PositiveFloat | None = None
    chunk: Annotated[int, Field(ge=0)] | None = None


@settings
class TeacherSettings:
    """A trained model of a folder that teaches this one.

    ``weight``: how much of the cross-entropy its distributions are in place of (without one: half, and none where it
    writes targets), at a ``temperature``, the ``top`` likeliest tokens each, the others together. ``targets``:
    ``generated`` are those that it writes for the prompts, in place of the gold's.
    """

    source: Annotated[str, Field(alias="from")]
    weight: Annotated[float, Field(ge=0, le=1)] | None = None
    temperature: PositiveFloat = 2.0
    top: Positive | None = None
    targets: Literal["gold", "generated"] = "gold"

    @property
    def share(self) -> float:
        """``weight``, or what holds without one."""
        own = 0.5 if self.targets == "gold" else 0.0
        return own if self.weight is None else self.weight


@settings
class CheckpointSettings:
    """A checkpoint every ``every`` steps, the last ``keep`` of them kept."""

    every: Positive = 1000
    keep: Positive = 2


@settings
class ValidateSettings:
    """Every so many steps, minutes or epochs the loss on the first ``examples`` of each task's valid split, and, by
    generation, what the outputs for them score.

    ``held_out``: the share of the training examples, at most ``examples``, that a task without a valid split is
    validated on and not trained on. ``metrics``: those that are scored, by name; none: all of each template.
    ``calibrate``: whether the confidence of the trained model is calibrated on the same examples.
    """

    every: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)? (step|minute|epoch)s?$")] = "500 steps"
    examples: Positive = 500
    by: Literal["generation", "loss"] = "generation"
    held_out: Share = 0.05
    metrics: tuple[str, ...] = ()
    calibrate: bool = True

    @property
    def period(self) -> tuple[float, str]:
        """How many, and of what: step, minute or epoch."""
        number, unit = self.every.split(" ")
        return float(number), unit.removesuffix("s")


@settings
class BestSettings:
    """Which weights become the model: those with the best ``metric`` (mean, loss, TASK.METRIC) of all validations."""

    metric: str | None = None
    mode: Literal["max", "min"] | None = None


@settings
class EarlyStoppingSettings:
    """Training ends after ``patience`` validations without one that is better by more than ``least``."""

    patience: Positive = 5
    least: NotNegative = 0.001


@settings
class FreezeSettings:
    """Weights that are not trained: whole ``parts``, ``names`` (* stands for anything), and the embedding with all
    blocks but the last ``all_but_top`` of each stack; for good, or up to the step ``until``."""

    parts: tuple[Literal["embedding", "encoder", "decoder"], ...] = ()
    names: tuple[str, ...] = ()
    all_but_top: Annotated[int, Field(ge=0)] | None = None
    until: Positive | None = None


@settings
class LogSettings:
    """A row of metrics.csv every ``every`` steps, and one at the end; ``to``: and to other loggers by name."""

    every: Positive = 10
    to: tuple[str, ...] = ("csv",)


@settings
class SampleSettings:
    """Outputs are drawn token by token, ``n`` for each input.

    Logits are divided by ``temperature``; of the tokens the ``top_k`` likeliest stay (None: all), and of these the
    likeliest that have ``top_p`` of the probability together. What is drawn hangs on ``seed`` and the prompt alone.
    """

    temperature: Annotated[float, Field(ge=1e-6)] = 1.0
    top_k: Positive | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    n: Positive = 1
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @property
    def cuts(self) -> bool:
        """True if some tokens are never drawn, which ones depending on all that may come next."""
        return self.top_k is not None or self.top_p < 1

    @property
    def summary(self) -> str:
        """In one word, for signatures."""
        top_k = "" if self.top_k is None else f",top_k={self.top_k}"
        top_p = "" if self.top_p == 1 else f",top_p={self.top_p:g}"
        seed = f",seed={self.seed}" if self.seed else ""
        return f"sample:{self.temperature:g}{top_k}{top_p}{seed}"


@settings
class GenerateSettings:
    """Splits to generate for, ``tokens`` of a batch, at most ``limit`` inputs a task and split, whether outputs that
    are not strict are decoded again under the grammar of their target, how many beams the free ones have, by which
    ``engine`` (``auto``: ctranslate2 on a CPU where it is installed, else torch), and in what the model computes
    (``auto``: bf16 where the hardware multiplies it, else fp32; ``int8``: with ctranslate2).

    A batch of ``tokens`` (None: 16,384 on a CPU, 32,768 on a GPU) has that many rows x (longest prompt + ``lengths:
    target``); a beam is a row; 1 is greedy.
    ``mode: rank``: where the answer is one of a closed set, each of it is weighed, and the ``top`` likeliest are given.
    ``items``: answers say how sure each of their items is.
    ``sample``: outputs are drawn, in place of searching for the likeliest. ``no_repeat_ngram``: none of so many tokens
    is said twice in an output. ``max_tokens``: of an output, end counted; None: by the targets that the task was
    trained on. ``length_penalty``: beams are compared by their log-probability over their tokens to this power.
    """

    splits: Annotated[tuple[str, ...], Field(min_length=1)] = ("test",)
    tokens: Positive | None = None
    limit: Positive | None = None
    constrain: bool = True
    beams: Positive = 1
    length_penalty: Annotated[float, Field(ge=-10, le=10)] = 1.0
    sample: SampleSettings | None = None
    no_repeat_ngram: Positive | None = None
    max_tokens: Positive | None = None
    engine: str = "torch"
    precision: Literal["auto", "fp32", "bf16", "int8"] = "fp32"
    mode: Literal["search", "rank"] = "search"
    top: Annotated[int, Field(ge=0)] = 0
    items: bool = False

    @property
    def ranks(self) -> bool:
        """True if the texts of closed sets are weighed, which ``top`` asks for too."""
        return self.mode == "rank" or self.top > 0

    @property
    def engines(self) -> str:
        """``engine``, where there is a choice: torch alone draws, and says nothing again."""
        by_torch = self.sample is not None or self.no_repeat_ngram is not None
        return "torch" if self.engine == "auto" and by_torch else self.engine

    @property
    def decoding(self) -> str:
        """How outputs are decoded, for signatures."""
        free = "greedy" if self.beams == 1 else f"beams:{self.beams}"
        free = free if self.length_penalty == 1 else f"{free},length_penalty={self.length_penalty:g}"
        free = free if self.sample is None else self.sample.summary
        free = free if self.no_repeat_ngram is None else f"{free},no_repeat_ngram={self.no_repeat_ngram}"
        free = f"ranked, {free}" if self.ranks else free
        return f"{free}+constrained" if self.constrain else free


@settings
class StageSettings:
    """A mixture that is trained after the one before: its ``tasks``, and its own ``schedule`` if it has one."""

    name: Annotated[str, Field(pattern=r"^[^\W_][\w.-]*$")]
    tasks: Annotated[tuple[TaskSettings, ...], Field(min_length=1)]
    schedule: ScheduleSettings | None = None


@settings
class AcceptSettings:
    """The gate of a stage: no task of earlier stages may have lost more than ``forgetting`` of its score."""

    forgetting: Annotated[float, Field(ge=0, le=1)] = 0.02


@settings
class RunFile:
    """The keys of a run file.

    ``precision: auto`` is bf16 autocast where all processes multiply bf16 in hardware, else fp32.
    ``unsayable``: whether targets that the vocabulary cannot say whole are kept as near as it can say them, up to
    ``unsayable_share`` of a task. ``allow_unverified``: train on data sets of the hub whose revision nobody has seen.
    ``stages``: mixtures that are trained one after the other, in place of ``tasks``, which are then those of all of
    them; ``continual``: the strategy against forgetting.
    """

    run: Annotated[str, Field(pattern=r"^[^\W_][\w.-]*$")]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    tasks: Annotated[tuple[TaskSettings, ...], Field(min_length=1)]
    mixture: MixtureSettings = MixtureSettings()
    tokenizer: TokenizerSettings = TokenizerSettings()
    unsayable: Literal["keep", "stop"] = "keep"
    unsayable_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    model: ModelSettings
    freeze: FreezeSettings | None = None
    peft: dict[str, Any] | None = None
    lengths: Lengths = Lengths()
    optimizer: OptimizerSettings = field(default_factory=lambda: read_optimizer({}, str))
    schedule: ScheduleSettings
    batch: BatchSettings = BatchSettings()
    precision: Precision = "fp32"
    loss: LossSettings = LossSettings()
    teacher: TeacherSettings | None = None
    deepspeed: Path = Path("ds_configs/zero2.json")
    checkpoint: CheckpointSettings = CheckpointSettings()
    log: LogSettings = LogSettings()
    validate: ValidateSettings | None = None
    best: BestSettings = BestSettings()
    early_stopping: EarlyStoppingSettings | None = None
    generate: GenerateSettings = GenerateSettings()
    stages: tuple[StageSettings, ...] = ()
    continual: dict[str, Any] | None = None
    accept: AcceptSettings | None = None
    allow_unverified: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig(RunFile):
    """A run file with its overrides, every default filled in. ``where``: FILE:LINE of a dotted key."""

    where: Callable[[str], str] = field(compare=False)

    @property
    def tokenizer_of_teacher(self) -> bool:
        """True if the tokenizer is that of the teacher, whose distributions are learned from: no other is named."""
        teaches = self.teacher is not None and self.teacher.share > 0
        return teaches and self.model.source is None and self.tokenizer == TokenizerSettings()

    @property
    def directory(self) -> Path:
        """Where everything about this run is written."""
        return RUNS / self.run

    def as_data(self) -> dict[str, Any]:
        """The settings as a run file has them."""
        found: dict[str, Any] = as_data(RunFile(**{one.name: getattr(self, one.name) for one in fields(RunFile)}))
        return found

    def to_yaml(self) -> str:
        """The settings as a run file that gives this configuration again."""
        return write_yaml(self.as_data())


def load_run(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The run file ``path`` with ``overrides`` ("a.b=c", c read as YAML) put over it.

    RunFileError, with FILE:LINE or the override, for an unknown key, a wrong type or a value out of range.
    """
    from t2t.config.run_file import read_run_file

    parsed, where = read_run_file(Path(path), overrides)
    return RunConfig(**{one.name: getattr(parsed, one.name) for one in fields(RunFile)}, where=where)

"""The face of a model: what loss, generation, optimiser, freezing and saving know of an encoder-decoder.

A family of models (families/) is behind it, one file each; nothing above knows transformers' classes, the names of
its modules, or which ids are special.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from t2t.registry import Registry

IGNORED = -100  # in labels, where there is no target
Stack = Literal["encoder", "decoder"]


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """``pad`` fills rows, ``start`` is what a decoder reads first, ``end`` is the last id of a prompt and a target."""

    pad: int
    start: int
    end: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast) -> SpecialIds:
        """Those of a tokenizer, for a model that is built for it; as in T5 the decoder starts from the padding."""
        return cls(int(tokenizer.pad_token_id), int(tokenizer.pad_token_id), int(tokenizer.eos_token_id))


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a parameter belongs. ``role``: shared (the embedding), norm, q, k, v, o, wi, wo, relative_bias, lm_head or
    other. ``stack`` and ``block`` (from 0): None for what is in none, as the embedding and the norm behind a stack."""

    role: str
    stack: Stack | None
    block: int | None


class Cache(Protocol):
    """What a decoder keeps of b rows: keys and values of the tokens before, and of the states of the prompts."""

    def select(self, rows: Tensor) -> None:
        """Go on with ``rows`` [n] (int64), in this order; a row may be there more than once, or not at all."""

    def crop(self, tokens: int, states: int) -> None:
        """Go on with the last ``tokens`` and the first ``states``."""

    def join(self, other: Cache) -> None:
        """Go on with the rows of ``other`` behind these. What is shorter is padded, tokens in front and states behind:
        masks must hide it."""


class Seq2Seq(ABC):
    """An encoder-decoder. ``module``: of transformers, whose parameters are the model's."""

    kind: ClassVar[str]  # model_type in config.json
    shared: ClassVar[frozenset[str]] = frozenset()  # names of weights that are one matrix, stored or not
    unused: ClassVar[frozenset[str]] = frozenset()  # names of weights that old checkpoints have and no model uses
    head: ClassVar[str]  # the name of the head's weight

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    # From files, and to them.

    @classmethod
    @abstractmethod
    def config_of(cls, raw: Mapping[str, Any]) -> Any:
        """The configuration, of transformers, that config.json says."""

    @classmethod
    @abstractmethod
    def ids_of(cls, config: Any) -> SpecialIds | None:
        """The special ids of a configuration; None where it names none, or several."""

    @classmethod
    @abstractmethod
    def sizes_of(cls, config: Any) -> dict[str, tuple[Any, int]]:
        """The sizes of a configuration by the names that config.json gives them, each with the largest that is one."""

    @classmethod
    @abstractmethod
    def parameters_of(cls, config: Any) -> int:
        """About how many parameters a configuration describes, whose sizes are sizes: its matrices."""

    @classmethod
    @abstractmethod
    def module_of(cls, config: Any) -> type[Any]:
        """The class of transformers for a configuration."""

    @classmethod
    @abstractmethod
    def adopt(cls, module: Any) -> Self:
        """A model around a module whose weights were read: its head is tied or separate from here on."""

    @abstractmethod
    def copy_with(
        self, weights: Mapping[str, Tensor], change: Callable[[Seq2Seq], object] = lambda model: None
    ) -> Self:
        """A model of the same shape with these weights by name; its head is separate if ``weights`` has one.

        ``change``: what was done to the model, in place, before it had weights of these names (PEFT).

        RuntimeError where a name is missing, but for those that are tied to another, or is not one of this model's:
        such a model would keep random weights without a word.
        """

    @abstractmethod
    def save(self, tokenizer: PreTrainedTokenizerFast, folder: Path, output_length: int | None = None) -> None:
        """Write weights (safetensors), config and tokenizer, for ``from_pretrained`` of transformers.

        ``output_length``: tokens of an output at most, the end counted, where transformers' ``generate`` is asked for
        no other (its own default is 20). Loaded again every parameter is bit-equal.
        """

    # What it is.

    @property
    @abstractmethod
    def ids(self) -> SpecialIds: ...

    @property
    @abstractmethod
    def vocabulary(self) -> int:
        """Rows of the embedding, which may be more than the tokenizer has pieces."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Of a token's state, d_model."""

    @property
    @abstractmethod
    def tied(self) -> bool:
        """True if head and embedding are one parameter."""

    @abstractmethod
    def depth(self, stack: Stack) -> int:
        """Blocks of a stack."""

    @abstractmethod
    def seat(self, name: str) -> Seat:
        """Where the parameter called ``name`` belongs."""

    @property
    def dtype(self) -> torch.dtype:
        return next(self.module.parameters()).dtype

    def parameters(self) -> dict[str, nn.Parameter]:
        """Every parameter once, by name."""
        return dict(self.module.named_parameters())

    def roles(self) -> dict[str, list[tuple[str, nn.Parameter]]]:
        """Every parameter once, under its role."""
        roles: dict[str, list[tuple[str, nn.Parameter]]] = {}
        for name, parameter in self.module.named_parameters():
            roles.setdefault(self.seat(name).role, []).append((name, parameter))
        return roles

    # What it computes.

    @abstractmethod
    def for_training(self, device: torch.device) -> None:
        """Choose, in place, the kernels that train fastest there; weights and their names stay."""

    @abstractmethod
    def with_masks(self) -> None:
        """Have every attention be told what it may see, in place: some kernels know of themselves what is causal."""

    @abstractmethod
    def embed(self, input_bs: Tensor) -> Tensor:
        """What the encoder reads of each id: [b, s, d]."""

    @abstractmethod
    def encode_embedded(self, embedded_bsd: Tensor, mask_bs: Tensor) -> Tensor:
        """States of prompts whose ids are embedded already; ``mask_bs`` is 0 where there is padding."""

    def encode(self, input_bs: Tensor, mask_bs: Tensor) -> Tensor:
        """States [b, s, d] of prompts; ``mask_bs`` is 0 where there is padding."""
        return self.encode_embedded(self.embed(input_bs), mask_bs)

    @abstractmethod
    def decode(self, input_bt: Tensor, hidden_bsd: Tensor, mask_bs: Tensor) -> Tensor:
        """States [b, t, d] of a decoder that reads ``input_bt`` (see ``shift_right``), all positions at once."""

    @abstractmethod
    def logits(self, states: Tensor) -> Tensor:
        """[..., d], as ``decode`` gives them, to [..., vocabulary]."""

    @abstractmethod
    def new_cache(self) -> Cache:
        """An empty cache for ``step``."""

    @abstractmethod
    def step(
        self, last_b: Tensor, hidden_bsd: Tensor, mask_bs: Tensor, cache: Cache, seen_bt: Tensor | None = None
    ) -> Tensor:
        """Logits [b, vocabulary], fp32, of the token that follows ``last_b``, which is added to ``cache``.

        ``last_b``: or [b, n], several tokens at once. ``seen_bt``: 0 where a token of the cache, ``last_b`` among
        them, is none of the row's; None: all are.
        """

    def logits_of(self, batch: Mapping[str, Tensor], kept_bt: Tensor | None = None) -> Tensor:
        """Logits [b, t, vocabulary] of the labels; of those positions alone where ``kept_bt`` is true: [n, vocabulary].

        ``batch``: input_ids [b, s], attention_mask [b, s] and labels [b, t], IGNORED where there is no target.
        """
        return self.logits(self.states_of(batch, kept_bt))

    def states_of(self, batch: Mapping[str, Tensor], kept_bt: Tensor | None = None) -> Tensor:
        """States [b, t, d] of the decoder from which the logits of the labels follow, or [n, d]; see ``logits_of``."""
        mask_bs = batch["attention_mask"]
        hidden_bsd = self.encode(batch["input_ids"], mask_bs)
        states = self.decode(shift_right(batch["labels"], self.ids), hidden_bsd, mask_bs)
        return states if kept_bt is None else states[kept_bt]


def shift_right(labels_bt: Tensor, ids: SpecialIds) -> Tensor:
    """The decoder's inputs for ``labels``: the start first, then the labels before the last; padding where IGNORED."""
    shifted = torch.full_like(labels_bt, ids.start)
    shifted[:, 1:] = labels_bt[:, :-1]
    return shifted.masked_fill(shifted == IGNORED, ids.pad)


FAMILIES: Registry[type[Seq2Seq]] = Registry(
    "kind of model",
    "t2t.models",
    {name: f"t2t.model.families.{name}" for name in ("t5", "mt5", "umt5")},
)

"""T5 (Raffel et al. 2020), T5 1.1, Flan-T5, ByT5 and their likes: one architecture, by transformers.

transformers 5 writes ``tie_word_embeddings=True`` into every T5Config and ties the head again whenever asked to;
``scale_decoder_outputs`` is what remains of the difference. Here a head is tied or not by what the weights are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    DynamicCache,
    EncoderDecoderCache,
    GenerationConfig,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from t2t.model.families.t5_copying import make_copy_ready
from t2t.model.families.t5_kernels import fuse_kernels
from t2t.model.seq2seq import FAMILIES, Cache, Seat, Seq2Seq, SpecialIds, Stack

_SIZES = ("d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers", "num_heads")
# Of each size, far beyond any T5 that there is (T5 11B: 24 blocks, 128 heads, d_ff 65,536).
_LARGEST = {
    "vocab_size": 1 << 24, "d_model": 1 << 17, "d_kv": 1 << 14, "d_ff": 1 << 21, "num_layers": 1 << 10,
    "num_decoder_layers": 1 << 10, "num_heads": 1 << 12, "relative_attention_num_buckets": 1 << 14,
}  # fmt: skip
_ROLES = {"q": "q", "k": "k", "v": "v", "o": "o", "wi": "wi", "wi_0": "wi", "wi_1": "wi", "wo": "wo"}
_BLOCK = re.compile(r"(encoder|decoder)\.(?:block\.(\d+)|final_layer_norm)\.")
_EMBEDDING = re.compile(r"(?:^|\.)(?:shared|embed_tokens)\.weight$")


@FAMILIES.register("t5")
class T5(Seq2Seq):
    kind = "t5"
    head = "lm_head.weight"
    shared = frozenset({"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", head})
    # A relative bias of the cross-attention, which old checkpoints hold.
    unused = frozenset({"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"})

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self._t5 = module  # transformers' classes are Any to the type checker; nothing outside this file uses them
        self._scale = self.width**-0.5 if module.config.scale_decoder_outputs else None

    @classmethod
    def config_of(cls, raw: Mapping[str, Any]) -> Any:
        return T5Config.from_dict(dict(raw))

    @classmethod
    def ids_of(cls, config: Any) -> SpecialIds | None:
        end = config.eos_token_id
        end = end[0] if isinstance(end, list) and len(end) == 1 else end
        pad, start = config.pad_token_id, getattr(config, "decoder_start_token_id", None)
        found = (pad, pad if start is None else start, end)
        return SpecialIds(*found) if all(isinstance(one, int) for one in found) else None

    @classmethod
    def sizes_of(cls, config: Any) -> dict[str, tuple[Any, int]]:
        return {name: (getattr(config, name, None), largest) for name, largest in _LARGEST.items()}

    @classmethod
    def parameters_of(cls, config: Any) -> int:
        attention = 4 * config.d_model * config.num_heads * config.d_kv
        forward = (3 if config.is_gated_act else 2) * config.d_model * config.d_ff
        encoder, decoder = attention + forward, 2 * attention + forward
        stacks = config.num_layers * encoder + config.num_decoder_layers * decoder
        return int(config.vocab_size * config.d_model + stacks)

    @classmethod
    def module_of(cls, config: Any) -> type[Any]:
        return cast("type[Any]", T5ForConditionalGeneration)

    @classmethod
    def build(cls, spec: Mapping[str, Any], vocabulary: int, ids: SpecialIds, seed: int) -> Self:
        """Fresh weights, see ``build_from_scratch``."""
        sizes = {name: int(spec[name]) for name in _SIZES if spec.get(name) is not None}
        tied = bool(spec.get("tied", True))
        config = T5Config(
            vocab_size=vocabulary,
            feed_forward_proj="gated-gelu" if spec.get("gated", True) else "relu",
            dropout_rate=float(spec.get("dropout", 0.0)),
            tie_word_embeddings=tied,
            decoder_start_token_id=ids.start,
            pad_token_id=ids.pad,
            eos_token_id=ids.end,
            **sizes,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = T5ForConditionalGeneration(config)
            if not tied:
                untie_head(module, torch.randn(vocabulary, config.d_model) * config.d_model**-0.5)
            if spec.get("init", "copy") == "copy":
                make_copy_ready(module)
        return cls(module)

    @classmethod
    def adopt(cls, module: Any) -> Self:
        model = cls(module)
        if not model.tied:
            untie_head(module, module.lm_head.weight.detach())
        return model

    def copy_with(
        self, weights: Mapping[str, Tensor], change: Callable[[Seq2Seq], object] = lambda model: None
    ) -> Self:
        config = self._t5.config
        module = self.module_of(config)(config)
        if self.head in weights:
            untie_head(module, weights[self.head])
        model = type(self)(module)
        change(model)
        missing, unknown = module.load_state_dict(dict(weights), strict=False)
        if lost := sorted({*missing} - {*module.all_tied_weights_keys}) + sorted(unknown):
            raise RuntimeError(f"weights that do not fit the model: {', '.join(lost[:5])} ({len(lost)} names)")
        return model

    def save(self, tokenizer: PreTrainedTokenizerFast, folder: Path, output_length: int | None = None) -> None:
        if output_length is not None:
            ids = self.ids
            self._t5.generation_config = GenerationConfig(
                max_new_tokens=output_length,
                pad_token_id=ids.pad,
                eos_token_id=ids.end,
                decoder_start_token_id=ids.start,
            )
        self._t5.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        file = folder / "config.json"
        config = json.loads(file.read_text(encoding="utf-8"))
        config["tie_word_embeddings"] = self.tied  # as T5's own checkpoints say it
        config["scale_decoder_outputs"] = self._scale is not None
        file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @property
    def ids(self) -> SpecialIds:
        found = self.ids_of(self._t5.config)
        if found is None:
            raise RuntimeError("a model without special ids: load_pretrained and build_from_scratch make none")
        return found

    @property
    def vocabulary(self) -> int:
        return int(self._t5.config.vocab_size)

    @property
    def width(self) -> int:
        return int(self._t5.config.d_model)

    @property
    def tied(self) -> bool:
        return self._t5.lm_head.weight is self._t5.shared.weight

    def depth(self, stack: Stack) -> int:
        config = self._t5.config
        return int(config.num_layers if stack == "encoder" else config.num_decoder_layers)

    def seat(self, name: str) -> Seat:
        found = _BLOCK.search(name)
        if found is None:
            return Seat(_role(name), None, None)
        stack = cast(Stack, found[1])
        return Seat(_role(name), stack, None if found[2] is None else int(found[2]))

    def for_training(self, device: torch.device) -> None:
        if device.type == "cpu":
            self.with_masks()  # on CPUs 1.3 times as fast as sdpa, which builds a mask anew
        fuse_kernels(self.module)

    def with_masks(self) -> None:
        for part in (self._t5, self._t5.encoder, self._t5.decoder):  # transformers 5.17 leaves the stacks as they are
            part.set_attn_implementation("eager")

    def embed(self, input_bs: Tensor) -> Tensor:
        embedded_bsd: Tensor = self._t5.encoder.embed_tokens(input_bs)
        return embedded_bsd

    def encode_embedded(self, embedded_bsd: Tensor, mask_bs: Tensor) -> Tensor:
        prompt = getattr(self._t5, "soft_prompt", None)
        if prompt is not None:
            embedded_bsd = prompt(embedded_bsd)
        hidden_bsd: Tensor = self._t5.encoder(
            inputs_embeds=embedded_bsd, attention_mask=_as_wide(mask_bs, embedded_bsd)
        )[0]
        return hidden_bsd

    def decode(self, input_bt: Tensor, hidden_bsd: Tensor, mask_bs: Tensor) -> Tensor:
        states_btd: Tensor = self._t5.decoder(
            input_ids=input_bt,
            encoder_hidden_states=hidden_bsd,
            encoder_attention_mask=_as_wide(mask_bs, hidden_bsd),
            use_cache=False,
        )[0]
        return states_btd

    def logits(self, states: Tensor) -> Tensor:
        found: Tensor = self._t5.lm_head(states if self._scale is None else states * self._scale)
        return found

    def new_cache(self) -> Cache:
        return _Cache()

    def step(
        self, last_b: Tensor, hidden_bsd: Tensor, mask_bs: Tensor, cache: Cache, seen_bt: Tensor | None = None
    ) -> Tensor:
        assert isinstance(cache, _Cache)
        states_bnd = self._t5.decoder(
            input_ids=last_b if last_b.ndim == 2 else last_b[:, None],
            attention_mask=seen_bt,
            encoder_hidden_states=hidden_bsd,
            encoder_attention_mask=_as_wide(mask_bs, hidden_bsd),
            past_key_values=cache.kept,
            use_cache=True,
        )[0]
        return self.logits(states_bnd[:, -1]).float()


def _as_wide(mask_bs: Tensor, states_bsd: Tensor) -> Tensor:
    """The mask of a prompt with what is in front of it (a learned one), which is always seen."""
    more = states_bsd.shape[1] - mask_bs.shape[1]
    return functional.pad(mask_bs, (more, 0), value=1) if more else mask_bs


class _Cache:
    def __init__(self) -> None:
        self.kept = EncoderDecoderCache(DynamicCache(), DynamicCache())

    def select(self, rows: Tensor) -> None:
        self.kept.batch_select_indices(rows)

    def crop(self, tokens: int, states: int) -> None:
        for layer in self.kept.self_attention_cache.layers:
            layer.keys, layer.values = layer.keys[:, :, -tokens:], layer.values[:, :, -tokens:]
        for layer in self.kept.cross_attention_cache.layers:
            layer.keys, layer.values = layer.keys[:, :, :states], layer.values[:, :, :states]

    def join(self, other: Cache) -> None:
        assert isinstance(other, _Cache)
        for name, before in (("self_attention_cache", True), ("cross_attention_cache", False)):
            for own, more in zip(getattr(self.kept, name).layers, getattr(other.kept, name).layers, strict=True):
                own.keys, own.values = _stacked(own.keys, more.keys, before), _stacked(own.values, more.values, before)


def _stacked(one_bhtd: Tensor, other_bhtd: Tensor, before: bool) -> Tensor:
    """Rows of both; what is shorter is padded ``before`` or behind."""
    length = max(one_bhtd.shape[2], other_bhtd.shape[2])

    def padded(rows_bhtd: Tensor) -> Tensor:
        lacks = length - rows_bhtd.shape[2]
        return functional.pad(rows_bhtd, (0, 0, lacks, 0) if before else (0, 0, 0, lacks)) if lacks else rows_bhtd

    return torch.cat([padded(one_bhtd), padded(other_bhtd)])


def untie_head(module: Any, weight: Tensor) -> None:
    """Give a T5 a head of its own, ``weight`` [vocabulary, d_model]; later calls of tie_weights leave it alone."""
    module.lm_head.weight = nn.Parameter(weight.to(module.shared.weight))
    for keys in ("_tied_weights_keys", "all_tied_weights_keys"):
        setattr(module, keys, {name: source for name, source in getattr(module, keys).items() if name != T5.head})


def _role(name: str) -> str:
    if _EMBEDDING.search(name):
        return "shared"
    if name.endswith("layer_norm.weight"):
        return "norm"
    owner = name.split(".")[-2]
    if owner in ("relative_attention_bias", "lm_head"):
        return "relative_bias" if owner != "lm_head" else owner
    return _ROLES.get(owner, "other")

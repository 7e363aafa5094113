"""The T5 that learns every task: built, loaded, saved, its parameters named by role, its loss.

transformers 5 writes ``tie_word_embeddings=True`` into every T5Config and ties the head again whenever asked to;
``scale_decoder_outputs`` is what remains of the difference. Here a head is tied or not by what the weights are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import GenerationConfig, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from t2t.errors import InputError
from t2t.model.initialise import make_copy_ready
from t2t.model.pretrained import of_config, read_config, read_weights

IGNORED = -100
_SIZES = ("d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers", "num_heads")
_HEAD = "lm_head.weight"
_ROLES = {"q": "q", "k": "k", "v": "v", "o": "o", "wi": "wi", "wi_0": "wi", "wi_1": "wi", "wo": "wo"}


def build_from_scratch(spec: Mapping[str, Any], vocab_size: int, seed: int = 0) -> T5ForConditionalGeneration:
    """A T5 of random weights, fp32, its loss at the start near ``ln(vocab_size)``.

    ``spec``: d_model, d_kv, d_ff, num_layers, num_decoder_layers, num_heads; gated (gated GELU, else ReLU), tied (one
    matrix for embedding and head), dropout, init ("copy": see initialise.py; "t5": T5's own). The start of the
    decoder and the padding are id 0, EOS is id 1.
    Initialisation is T5's (Raffel et al. 2020); a separate head has a standard deviation of d_model ** -0.5, so that
    its logits have unit variance. Neither reads nor changes the global generator.
    """
    sizes = {name: int(spec[name]) for name in _SIZES if spec.get(name) is not None}
    tied = bool(spec.get("tied", True))
    config = T5Config(
        vocab_size=vocab_size,
        feed_forward_proj="gated-gelu" if spec.get("gated", True) else "relu",
        dropout_rate=float(spec.get("dropout", 0.0)),
        tie_word_embeddings=tied,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
        **sizes,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = T5ForConditionalGeneration(config)
        if not tied:
            untie_head(model, torch.randn(vocab_size, config.d_model) * config.d_model**-0.5)
        if spec.get("init", "copy") == "copy":
            make_copy_ready(model)
    return model


def load_pretrained(
    path: str | Path,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    dropout: float | None = None,
) -> T5ForConditionalGeneration:
    """The T5, mT5 or UMT5 of a directory or hub name, in ``dtype``; a head that differs from the embedding stays
    separate.

    ``dropout``: in place of that of its config.

    Call it without a live HfDeepSpeedConfig (under ZeRO-3 that drops a separate head). fp16 overflows in pretrained
    T5 and is refused. Raises InputError for another kind of model, weights that lack or do not fit, and pickles
    that hold more than weights.
    """
    if dtype is torch.float16:
        raise InputError(str(path), "fp16 overflows in a T5", "use fp32 or bf16")
    config = read_config(str(path), revision)
    if dropout is not None:
        config.dropout_rate = dropout
    model = read_weights(str(path), revision, config, dtype)
    if not is_tied(model):
        untie_head(model, model.lm_head.weight.detach())
    return model


def is_tied(model: T5ForConditionalGeneration) -> bool:
    """True if the head and the embedding are one parameter."""
    return model.lm_head.weight is model.shared.weight


def untie_head(model: T5ForConditionalGeneration, weight: Tensor) -> None:
    """Give ``model`` a head of its own, ``weight`` [vocabulary, d_model]; later calls of tie_weights leave it alone."""
    model.lm_head.weight = nn.Parameter(weight.to(model.shared.weight))
    for keys in ("_tied_weights_keys", "all_tied_weights_keys"):
        setattr(model, keys, {name: source for name, source in getattr(model, keys).items() if name != _HEAD})


def copy_with(
    config: T5Config,
    weights: Mapping[str, Tensor],
    change: Callable[[T5ForConditionalGeneration], object] = lambda model: None,
) -> T5ForConditionalGeneration:
    """A T5 of these weights by name, for use; its head is separate if ``weights`` has one.

    ``change``: what was done to the model, in place, before it had weights of these names (PEFT).

    RuntimeError where a name is missing, but for those that are tied to another, or is not one of this model's:
    such a model would keep random weights without a word.
    """
    model = of_config(config)(config)
    if _HEAD in weights:
        untie_head(model, weights[_HEAD])
    change(model)
    missing, unknown = model.load_state_dict(dict(weights), strict=False)
    if lost := sorted({*missing} - {*model.all_tied_weights_keys}) + sorted(unknown):
        raise RuntimeError(f"weights that do not fit the model: {', '.join(lost[:5])} ({len(lost)} names)")
    return model


def save_model(
    model: T5ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    directory: str | Path,
    output_length: int | None = None,
) -> None:
    """Write weights (safetensors), config and tokenizer, for ``from_pretrained`` of transformers.

    ``output_length``: tokens of an output at most, EOS counted, where transformers' ``generate`` is asked for no other
    (its own default is 20).
    Loaded again every parameter is bit-equal. The config says ``tie_word_embeddings`` as T5's own checkpoints do.
    """
    directory = Path(directory)
    if output_length is not None:
        ids = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
        model.generation_config = GenerationConfig(max_new_tokens=output_length, **ids)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    file = directory / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config["tie_word_embeddings"] = is_tied(model)
    config["scale_decoder_outputs"] = bool(model.config.scale_decoder_outputs)
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def parameter_roles(model: T5ForConditionalGeneration) -> dict[str, list[tuple[str, nn.Parameter]]]:
    """Every parameter once, under its role: shared, norm, q, k, v, o, wi, wo, relative_bias, lm_head (if separate)."""
    roles: dict[str, list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        roles.setdefault(_role(name), []).append((name, parameter))
    return roles


def _role(name: str) -> str:
    if re.search(r"(^|\.)(shared|embed_tokens)\.weight$", name):
        return "shared"
    if name.endswith("layer_norm.weight"):
        return "norm"
    owner = name.split(".")[-2]
    if owner in ("relative_attention_bias", "lm_head"):
        return "relative_bias" if owner != "lm_head" else owner
    return _ROLES.get(owner, "other")


def token_nll(model: nn.Module, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The negative log-likelihood of the targets, in nats, computed in fp32 from the logits.

    ``batch``: input_ids [b, s], attention_mask [b, s], labels [b, t] with -100 where there is no target. Gives the
    sum over tokens (scalar), the number of tokens (scalar, int64) and the sum for each example [b].
    """
    logits_btv = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        decoder_input_ids=shift_right(batch["labels"]),
        use_cache=False,
    ).logits
    nll_bt = nll_of_logits(logits_btv, batch["labels"])
    per_example = nll_bt.sum(dim=1)
    return per_example.sum(), (batch["labels"] != IGNORED).sum(), per_example


def nll_of_logits(logits_btv: Tensor, labels_bt: Tensor) -> Tensor:
    """The negative log-likelihood of each label [b, t], fp32, 0 where the label is -100."""
    flat = functional.cross_entropy(
        logits_btv.float().flatten(0, 1), labels_bt.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return flat.view_as(labels_bt)


def shift_right(labels_bt: Tensor) -> Tensor:
    """The decoder's inputs for ``labels``: 0 first, then the labels before the last; 0 for -100."""
    shifted = torch.zeros_like(labels_bt)
    shifted[:, 1:] = labels_bt[:, :-1]
    return shifted.masked_fill(shifted == IGNORED, 0)

"""Models that others made: kinds, weights and special ids are looked at, and mT5 gives the logits of transformers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
    UMT5Config,
    UMT5ForConditionalGeneration,
)

from t2t.engine.loss import TrainingModel
from t2t.errors import InputError
from t2t.model.backbone import load_pretrained
from t2t.model.families.t5 import untie_head
from t2t.model.pretrained import Described, check_ids, describe
from t2t.model.seq2seq import Seq2Seq, SpecialIds
from t2t.model.tokenizer import load_tokenizer, train_tokenizer
from tests.models import logits as logits_of

SIZES = {"vocab_size": 50, "d_model": 16, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 2}
BART = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
Weights = dict[str, Tensor]


def logits(model: PreTrainedModel | Seq2Seq) -> Tensor:
    return logits_of(model, torch.tensor([[5, 6, 7, 1]]), torch.tensor([[0, 4, 3]]))


def saved(model: PreTrainedModel, folder: Path) -> Path:
    model.save_pretrained(folder)
    return folder


def change(folder: Path, how: Callable[[Weights], Weights]) -> Path:
    file = folder / "model.safetensors"
    save_file(how(load_file(file)), file, metadata={"format": "pt"})
    return folder


@pytest.fixture
def t5(tmp_path: Path) -> Path:
    return saved(T5ForConditionalGeneration(T5Config(**SIZES)), tmp_path / "t5")


@pytest.mark.parametrize("separate", [True, False])
def test_mt5_gives_the_logits_of_transformers_and_keeps_them(tmp_path: Path, separate: bool) -> None:
    torch.manual_seed(1)
    original = MT5ForConditionalGeneration(MT5Config(**SIZES))
    if separate:
        untie_head(original, torch.randn(50, 16))
    folder = saved(original, tmp_path / "mt5")
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is True
    own = MT5ForConditionalGeneration.from_pretrained(folder)
    ours = load_pretrained(folder)
    assert ours.tied is not separate
    assert torch.equal(logits(ours), logits(own))
    ours.save(train_tokenizer(["a b"], 520), tmp_path / "again")
    for load in (load_pretrained, T5ForConditionalGeneration.from_pretrained):
        assert torch.equal(logits(load(tmp_path / "again")), logits(own))


def test_a_t5_1_1_saved_again_keeps_its_logits(tmp_path: Path) -> None:
    model = T5ForConditionalGeneration(T5Config(**SIZES, tie_word_embeddings=False, feed_forward_proj="gated-gelu"))
    untie_head(model, torch.randn(50, 16))
    assert torch.equal(logits(load_pretrained(saved(model, tmp_path))), logits(model))


def test_a_t5_1_1_without_its_head_is_refused(tmp_path: Path) -> None:
    model = T5ForConditionalGeneration(T5Config(**SIZES, tie_word_embeddings=False, feed_forward_proj="gated-gelu"))
    untie_head(model, torch.randn(50, 16))
    folder = saved(model, tmp_path)
    raw = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(raw | {"tie_word_embeddings": False}))  # as the hub's have it
    assert torch.equal(logits(load_pretrained(folder)), logits(model))
    change(folder, lambda w: w | {"lm_head.weight": w["shared.weight"].clone()})
    assert load_pretrained(folder).tied  # it is there, and equal
    load_pretrained(folder).module.save_pretrained(tmp_path / "parts", max_shard_size="20KB")
    (tmp_path / "parts" / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(InputError, match=r"they lack lm_head.weight"):
        load_pretrained(tmp_path / "parts")
    change(folder, lambda w: {name: one for name, one in w.items() if name != "lm_head.weight"})
    with pytest.raises(InputError, match=r"they lack lm_head.weight"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (lambda: BartForConditionalGeneration(BartConfig(vocab_size=50, d_model=16, **BART)), "bart"),
    ],
)
def test_other_kinds_are_refused_by_name(tmp_path: Path, model: Callable[[], PreTrainedModel], kind: str) -> None:
    folder = saved(model(), tmp_path)
    with pytest.raises(InputError, match=f"its model_type is '{kind}'; name a T5"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (lambda w: {k: v for k, v in w.items() if "decoder.block.1." not in k}, "they lack decoder.block.1.*10 more"),
        (lambda w: w | {"shared.weight": torch.zeros(40, 16)}, "they have in another shape shared.weight"),
        (lambda w: w | {"adapter.weight": torch.zeros(2)}, "they have beyond a T5 adapter.weight"),
    ],
)
def test_weights_that_are_not_the_models_are_refused(t5: Path, how: Callable[[Weights], Weights], told: str) -> None:
    with pytest.raises(InputError, match=told):
        load_pretrained(change(t5, how))


def test_what_checkpoints_of_t5_hold_twice_or_unused_is_harmless(t5: Path, caplog) -> None:
    expected = logits(load_pretrained(t5))
    more = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
    unused = {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": torch.zeros(32, 2)}
    change(t5, lambda w: w | {name: w["shared.weight"].clone() for name in more} | unused)
    model = load_pretrained(t5)
    assert model.tied
    assert torch.equal(logits(model), expected)


def test_broken_safetensors_are_refused_and_pickles_of_weights_read(
    t5: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = logits(load_pretrained(t5))
    file = t5 / "model.safetensors"
    torch.save(load_file(file), t5 / "pytorch_model.bin")
    file.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        load_pretrained(t5)
    file.unlink()
    assert capsys.readouterr().out == ""
    assert torch.equal(logits(load_pretrained(t5)), expected)
    line = "pytorch_model.bin: read by torch.load(weights_only=True), which runs no code of a pickle\n"
    assert capsys.readouterr().out == line
    (t5 / "pytorch_model.bin").unlink()
    with pytest.raises(InputError, match="it has no weights; name a directory"):
        load_pretrained(t5)


def test_pickles_in_parts_are_read(t5: Path) -> None:
    expected, file = logits(load_pretrained(t5)), t5 / "model.safetensors"
    parts = list(load_file(file).items())
    for name, some in (("one.bin", parts[:5]), ("two.bin", parts[5:])):
        torch.save(dict(some), t5 / name)
    places = {name: "one.bin" for name, _ in parts[:5]} | {name: "two.bin" for name, _ in parts[5:]}
    (t5 / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    file.unlink()
    assert torch.equal(logits(load_pretrained(t5)), expected)


class Code:
    """What a pickle with code in it unpickles to."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return Path.touch, (Path("made_by_a_pickle"),)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (Code(), "holds more than weights, or is damaged, and is not read"),
        ({"shared.weight": [1.0]}, "holds something else than named weights"),
        (torch.zeros(3), "holds something else than named weights"),
        (None, "holds more than weights, or is damaged"),
    ],
)
def test_a_pickle_of_anything_else_is_refused(
    t5: Path, content: object, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(t5)
    (t5 / "model.safetensors").unlink()
    torch.save(content, t5 / "pytorch_model.bin") if content is not None else (t5 / "pytorch_model.bin").write_text(
        "no"
    )
    with pytest.raises(InputError, match=told):
        load_pretrained(t5)
    assert not Path("made_by_a_pickle").exists()


def test_umt5_has_a_bias_in_each_layer_and_is_never_scaled(tmp_path: Path) -> None:
    torch.manual_seed(1)
    original = UMT5ForConditionalGeneration(UMT5Config(**SIZES))
    untie_head(original, torch.randn(50, 16))
    ours = load_pretrained(saved(original, tmp_path / "umt5"))
    assert not ours.tied
    assert sum("relative_attention_bias" in name for name in ours.parameters()) == 4
    # transformers takes every UMT5 for one whose head is the embedding, and scales its logits by d_model ** -0.5.
    batch = {"input_ids": torch.tensor([[5, 6, 7, 1]]), "labels": torch.tensor([[4, 3, 1]])}
    batch |= {"attention_mask": torch.ones(1, 4), "weights": torch.ones(1)}
    trained = ours.logits_of(batch, batch["labels"] != -100).detach()
    nats = TrainingModel(ours, 0.0, False)(batch)[1]
    assert float(nats) == pytest.approx(
        float(torch.nn.functional.cross_entropy(trained, batch["labels"][0]) * 3), rel=1e-5
    )
    assert torch.allclose(trained, 4 * logits(original)[0], atol=1e-5)
    ours.save(train_tokenizer(["a b"], 520), tmp_path / "again")
    assert torch.equal(logits(load_pretrained(tmp_path / "again")), logits(ours))


@pytest.mark.parametrize("content", ["", "[]", "null", "{", "5"])
@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]
)
def test_a_damaged_file_is_one_sentence(t5: Path, name: str, content: str) -> None:
    train_tokenizer(["hello world"] * 9, 500).save_pretrained(t5)
    (t5 / name).write_text(content)
    told: list[str] = []
    for load in (load_pretrained, load_tokenizer):
        try:
            load(t5)
        except InputError as error:
            told.append(str(error))
    assert told or name == "generation_config.json"  # which transformers does without, where it is no JSON
    assert all(sentence.startswith(str(t5)) for sentence in told)


def test_special_ids_and_sizes_are_those_of_the_tokenizer() -> None:
    tokenizer = train_tokenizer(["a b"], 520)
    size = len(tokenizer)
    check_ids("here", tokenizer, None)
    check_ids("here", tokenizer, Described(size, SpecialIds(0, 3, 1)))  # a start of its own
    wrong = {
        "the model's EOS is 2, the tokenizer's 1": Described(size, SpecialIds(0, 0, 2)),
        "the model's pad is 4, the tokenizer's 0": Described(size, SpecialIds(4, 0, 1)),
        f"ids up to {size - 1}, the model rows for {size - 1}": Described(size - 1, SpecialIds(0, 0, 1)),
        f"ids up to {size}, the model rows for {size}": Described(size, SpecialIds(0, size, 1)),
        "names no pad, or not one EOS": Described(size, None),
    }
    for told, model in wrong.items():
        with pytest.raises(InputError, match=told):
            check_ids("here", tokenizer, model)
    tokenizer.eos_token = None
    with pytest.raises(InputError, match="the tokenizer has no EOS"):
        check_ids("here", tokenizer, None)


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ({"decoder_start_token_id": 3}, SpecialIds(0, 3, 1)),
        ({}, SpecialIds(0, 0, 1)),
        ({"pad_token_id": 5, "eos_token_id": [2]}, SpecialIds(5, 5, 2)),
        ({"eos_token_id": [2, 3]}, None),
        ({"pad_token_id": None}, None),
    ],
)
def test_ids_of_a_saved_model_are_read_as_they_were(
    tmp_path: Path, settings: dict[str, int], ids: SpecialIds | None
) -> None:
    folder = saved(T5ForConditionalGeneration(T5Config(**SIZES)), tmp_path)
    raw = json.loads((folder / "config.json").read_text())
    raw.pop("decoder_start_token_id", None)
    (folder / "config.json").write_text(json.dumps(raw | settings))
    assert describe(str(folder)) == Described(SIZES["vocab_size"], ids)


def test_a_config_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    folder = saved(T5ForConditionalGeneration(T5Config(**SIZES)), tmp_path)
    raw = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(raw | {"d_model": "wide"}))
    with pytest.raises(InputError, match=r"no T5 could be loaded .*d_model"):
        describe(str(folder))
    shutil.rmtree(folder)
    with pytest.raises(InputError, match="no T5 could be loaded"):
        describe(str(folder))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda w: {**w, "shared.weight": w["shared.weight"].index_fill(0, torch.tensor([3]), float("nan"))},
         "hold NaN or infinity: shared.weight"),
        (lambda w: {**w, "encoder.final_layer_norm.weight": torch.full((16,), float("-inf"))},
         "hold NaN or infinity: encoder.final_layer_norm.weight"),
        (lambda w: {**w, "shared.weight": w["shared.weight"].to(torch.int32)},
         "of the type I32, not fractions: shared.weight"),
    ],
)  # fmt: skip
def test_weights_are_finite_fractions(t5: Path, how: Callable[[Weights], Weights], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_pretrained(change(t5, how))


@pytest.mark.parametrize("name", ["../other.safetensors", "/tmp/other.safetensors", "other.bin", "a/b.safetensors", 3])
def test_an_index_names_files_beside_it_alone(t5: Path, name: object) -> None:
    weights = load_file(t5 / "model.safetensors")
    (t5 / "model.safetensors").rename(t5.parent / "other.safetensors")
    index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(weights, name)}
    (t5 / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="which is no .safetensors file beside it".replace(".", r"\.")):
        load_pretrained(t5)


def test_shards_are_loaded(t5: Path) -> None:
    before = logits(load_pretrained(t5))
    weights = load_file(t5 / "model.safetensors")
    (t5 / "model.safetensors").unlink()
    halves = [dict(list(weights.items())[place::2]) for place in range(2)]
    for place, half in enumerate(halves):
        save_file(half, t5 / f"model-{place}.safetensors", metadata={"format": "pt"})
    names = {name: f"model-{place}.safetensors" for place, half in enumerate(halves) for name in half}
    index = {"metadata": {"total_size": 1}, "weight_map": names}
    (t5 / "model.safetensors.index.json").write_text(json.dumps(index))
    assert torch.equal(logits(load_pretrained(t5)), before)

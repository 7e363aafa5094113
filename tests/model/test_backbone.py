import json
import logging
import math

import pytest
import torch
from transformers import AutoTokenizer, T5ForConditionalGeneration

from t2t.errors import InputError
from t2t.model.backbone import (
    build_from_scratch,
    copy_with,
    is_tied,
    load_pretrained,
    nll_of_logits,
    parameter_roles,
    save_model,
    shift_right,
    token_nll,
)
from t2t.model.tokenizer import train_tokenizer

SPEC = {"d_model": 64, "d_kv": 16, "d_ff": 96, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4}
VOCABULARY = 520
KINDS = [(gated, tied) for gated in (True, False) for tied in (True, False)]
ROLES = {"shared", "norm", "q", "k", "v", "o", "wi", "wo", "relative_bias"}


def build(gated: bool, tied: bool, **more) -> T5ForConditionalGeneration:
    return build_from_scratch({**SPEC, "gated": gated, "tied": tied, **more}, VOCABULARY).eval()


def batch(rows: int = 4) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(3, VOCABULARY, (rows, 12), generator=generator)
    labels = torch.randint(3, VOCABULARY, (rows, 7), generator=generator)
    labels[0, 4:] = -100
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    return {"input_ids": ids * mask, "attention_mask": mask, "labels": labels}


@pytest.mark.parametrize(("gated", "tied"), KINDS)
def test_the_loss_starts_near_ln_v(gated: bool, tied: bool) -> None:
    with torch.no_grad():
        nll, tokens, _ = token_nll(build(gated, tied), batch(64))
    assert math.log(VOCABULARY) - 0.1 < float(nll / tokens) < math.log(VOCABULARY) + 1.2


def test_the_start_is_pad_and_the_end_is_one() -> None:
    config = build(True, True).config
    assert (config.decoder_start_token_id, config.pad_token_id, config.eos_token_id) == (0, 0, 1)
    assert build(True, True).generation_config.decoder_start_token_id == 0


def test_building_is_a_function_of_the_seed_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(5)
    first, state = build(True, False), torch.get_rng_state()
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    second = build(True, False)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    other = build_from_scratch({**SPEC}, VOCABULARY, seed=1)
    assert not torch.equal(first.shared.weight, other.shared.weight)


@pytest.mark.parametrize(("gated", "tied"), KINDS)
def test_saved_weights_load_bit_equal(tmp_path, gated: bool, tied: bool) -> None:
    model = build(gated, tied)
    save_model(model, train_tokenizer(["a b"], VOCABULARY), tmp_path)
    with torch.no_grad():
        expected = token_nll(model, batch())[2]
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["tie_word_embeddings"], config["scale_decoder_outputs"]) == (tied, tied)
    assert not list(tmp_path.glob("*.bin"))
    for load in (load_pretrained, T5ForConditionalGeneration.from_pretrained):
        again = load(tmp_path).eval()
        assert is_tied(again) == tied
        assert again.state_dict().keys() == model.state_dict().keys()
        assert all(torch.equal(again.state_dict()[name], value) for name, value in model.state_dict().items())
        with torch.no_grad():
            assert torch.equal(token_nll(again, batch())[2], expected)
    assert AutoTokenizer.from_pretrained(tmp_path)("<pad> ")["input_ids"][-1] == 1


def test_a_separate_head_survives_tie_weights_and_a_second_save(tmp_path) -> None:
    tokenizer = train_tokenizer(["a b"], VOCABULARY)
    model = build(True, False)
    model.tie_weights()
    assert not is_tied(model)
    save_model(model, tokenizer, tmp_path / "one")
    again = load_pretrained(tmp_path / "one")
    again.tie_weights()
    save_model(again, tokenizer, tmp_path / "two")
    assert torch.equal(load_pretrained(tmp_path / "two").lm_head.weight, model.lm_head.weight)
    assert not load_pretrained(tmp_path / "two").config.scale_decoder_outputs


def test_loading_gives_no_advice_that_does_not_help(tmp_path, caplog) -> None:
    save_model(build(True, False), train_tokenizer(["a b"], VOCABULARY), tmp_path)
    logger = logging.getLogger("transformers")
    logger.addHandler(caplog.handler)
    try:
        load_pretrained(tmp_path)
        ours = caplog.text
        T5ForConditionalGeneration.from_pretrained(tmp_path)
    finally:
        logger.removeHandler(caplog.handler)
    assert "tie_word_embeddings" not in ours
    assert "tie_word_embeddings" in caplog.text


def test_the_dtype_is_the_one_asked_for(tmp_path) -> None:
    save_model(build(True, True), train_tokenizer(["a b"], VOCABULARY), tmp_path)
    model = load_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert token_nll(model, batch())[0].dtype == torch.float32
    with pytest.raises(InputError, match="fp16"):
        load_pretrained(tmp_path, dtype=torch.float16)
    with pytest.raises(InputError, match="no T5 could be loaded"):
        load_pretrained(tmp_path / "nothing")


@pytest.mark.parametrize(("gated", "tied"), KINDS)
def test_every_parameter_has_one_role(gated: bool, tied: bool) -> None:
    model = build(gated, tied)
    roles = parameter_roles(model)
    assert set(roles) == (ROLES if tied else ROLES | {"lm_head"})
    named = [name for members in roles.values() for name, _ in members]
    assert sorted(named) == sorted(name for name, _ in model.named_parameters())
    assert len(roles["q"]) == 2 + 2 * 3
    assert len(roles["relative_bias"]) == 2


def test_the_loss_equals_transformers_own_in_fp32() -> None:
    model, data = build(True, True), batch()
    with torch.no_grad():
        nll, tokens, each = token_nll(model, data)
        own = model(**data).loss
    assert int(tokens) == 4 * 7 - 3
    assert float(nll / tokens) == pytest.approx(float(own), rel=1e-5)
    assert float(each.sum()) == pytest.approx(float(nll), rel=1e-6)


def test_padding_does_not_change_an_example() -> None:
    model, data = build(True, True), batch()
    alone = {"input_ids": data["input_ids"][1:2, :8], "attention_mask": data["attention_mask"][1:2, :8],
             "labels": data["labels"][1:2]}  # fmt: skip
    with torch.no_grad():
        padded, single = token_nll(model, data)[2][1], token_nll(model, alone)[2][0]
        unmasked = token_nll(model, {**data, "attention_mask": torch.ones_like(data["input_ids"])})[2][1]
    assert float(padded) == pytest.approx(float(single), rel=1e-5)
    assert float(unmasked) != pytest.approx(float(single), rel=1e-3)


def test_decoder_inputs_and_nll_of_known_values() -> None:
    labels = torch.tensor([[3, 9, 1, -100], [4, 1, -100, -100]])
    assert shift_right(labels).tolist() == [[0, 3, 9, 1], [0, 4, 1, 0]]
    logits = torch.zeros(2, 4, 10, dtype=torch.bfloat16)
    nll = nll_of_logits(logits, labels)
    assert nll.dtype == torch.float32
    assert nll[0].tolist() == pytest.approx([math.log(10)] * 3 + [0.0])


@pytest.mark.parametrize(("gated", "tied"), KINDS)
def test_a_copy_with_weights_has_all_of_them(gated: bool, tied: bool) -> None:
    model = build(gated, tied)
    weights = {name: parameter.detach() + 0.5 for name, parameter in model.named_parameters()}
    copy = copy_with(model.config, weights)
    assert is_tied(copy) is tied
    assert {name for name, _ in copy.named_parameters()} == set(weights)
    assert all(torch.equal(parameter, weights[name]) for name, parameter in copy.named_parameters())


@pytest.mark.parametrize("tied", [True, False])
def test_weights_under_other_names_make_no_model(tied: bool) -> None:
    model = build(True, tied)
    wrapped = {f"module.{name}" if "encoder" in name else name: p for name, p in model.named_parameters()}
    with pytest.raises(RuntimeError, match="weights that do not fit the model: encoder"):
        copy_with(model.config, wrapped)
    with pytest.raises(RuntimeError, match=r"shared\.weight \(1 names\)"):
        copy_with(model.config, {name: p for name, p in model.named_parameters() if name != "shared.weight"})

import json
import logging
import math

import pytest
import torch
from transformers import AutoTokenizer, T5ForConditionalGeneration

from t2t.errors import InputError
from t2t.model.backbone import T5_IDS, build_from_scratch, load_pretrained
from t2t.model.seq2seq import Seq2Seq, SpecialIds, shift_right
from t2t.model.tokenizer import train_tokenizer
from tests.models import module_of, tied, token_nll

SPEC = {"d_model": 64, "d_kv": 16, "d_ff": 96, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4}
VOCABULARY = 520
KINDS = [(gated, tied) for gated in (True, False) for tied in (True, False)]
ROLES = {"shared", "norm", "q", "k", "v", "o", "wi", "wo", "relative_bias"}


def build(gated: bool, tied: bool, **more) -> Seq2Seq:
    model = build_from_scratch({**SPEC, "gated": gated, "tied": tied, **more}, VOCABULARY)
    model.module.eval()
    return model


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
    model = build(True, True)
    assert model.ids == T5_IDS == SpecialIds(pad=0, start=0, end=1)
    assert model.module.generation_config.decoder_start_token_id == 0


def test_building_is_a_function_of_the_seed_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(5)
    first, state = build(True, False), torch.get_rng_state()
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    second = build(True, False)
    assert all(torch.equal(a, b) for a, b in zip(first.module.parameters(), second.module.parameters(), strict=True))
    other = build_from_scratch({**SPEC}, VOCABULARY, seed=1)
    assert not torch.equal(first.module.shared.weight, other.module.shared.weight)


@pytest.mark.parametrize(("gated", "is_tied"), KINDS)
def test_saved_weights_load_bit_equal(tmp_path, gated: bool, is_tied: bool) -> None:
    model = build(gated, is_tied)
    model.save(train_tokenizer(["a b"], VOCABULARY), tmp_path)
    with torch.no_grad():
        expected = token_nll(model, batch())[2]
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["tie_word_embeddings"], config["scale_decoder_outputs"]) == (is_tied, is_tied)
    assert not list(tmp_path.glob("*.bin"))
    for load in (load_pretrained, T5ForConditionalGeneration.from_pretrained):
        again, state = module_of(load(tmp_path)).eval(), model.module.state_dict()
        assert tied(again) == is_tied
        assert again.state_dict().keys() == state.keys()
        assert all(torch.equal(again.state_dict()[name], value) for name, value in state.items())
        with torch.no_grad():
            assert torch.equal(token_nll(again, batch())[2], expected)
    assert AutoTokenizer.from_pretrained(tmp_path)("<pad> ")["input_ids"][-1] == 1


def test_a_separate_head_survives_tie_weights_and_a_second_save(tmp_path) -> None:
    tokenizer = train_tokenizer(["a b"], VOCABULARY)
    model = build(True, False)
    model.module.tie_weights()
    assert not model.tied
    model.save(tokenizer, tmp_path / "one")
    again = load_pretrained(tmp_path / "one")
    again.module.tie_weights()
    again.save(tokenizer, tmp_path / "two")
    last = load_pretrained(tmp_path / "two")
    assert torch.equal(last.module.lm_head.weight, model.module.lm_head.weight)
    assert not last.module.config.scale_decoder_outputs


def test_loading_gives_no_advice_that_does_not_help(tmp_path, caplog) -> None:
    build(True, False).save(train_tokenizer(["a b"], VOCABULARY), tmp_path)
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
    build(True, True).save(train_tokenizer(["a b"], VOCABULARY), tmp_path)
    model = load_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.bfloat16}
    hidden = model.encode(batch()["input_ids"], batch()["attention_mask"])
    step = model.step(torch.zeros(4, dtype=torch.long), hidden, batch()["attention_mask"], model.new_cache())
    assert (model.dtype, step.dtype) == (torch.bfloat16, torch.float32)
    with pytest.raises(InputError, match="fp16"):
        load_pretrained(tmp_path, dtype=torch.float16)
    with pytest.raises(InputError, match="no T5 could be loaded"):
        load_pretrained(tmp_path / "nothing")


@pytest.mark.parametrize(("gated", "tied"), KINDS)
def test_every_parameter_has_one_role(gated: bool, tied: bool) -> None:
    model = build(gated, tied)
    roles = model.roles()
    assert set(roles) == (ROLES if tied else ROLES | {"lm_head"})
    named = [name for members in roles.values() for name, _ in members]
    assert sorted(named) == sorted(name for name in model.parameters())
    assert len(roles["q"]) == 2 + 2 * 3
    assert len(roles["relative_bias"]) == 2


def test_the_loss_equals_transformers_own_in_fp32() -> None:
    model, data = build(True, True), batch()
    with torch.no_grad():
        found = torch.nn.functional.cross_entropy(model.logits_of(data).flatten(0, 1), data["labels"].flatten())
        nll, tokens, each = token_nll(model, data)
        own = model.module(**data).loss
    assert int(tokens) == 4 * 7 - 3
    assert float(found) == pytest.approx(float(own), rel=1e-5)
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


def test_decoder_inputs_of_known_values() -> None:
    labels = torch.tensor([[3, 9, 1, -100], [4, 1, -100, -100]])
    assert shift_right(labels, T5_IDS).tolist() == [[0, 3, 9, 1], [0, 4, 1, 0]]
    assert shift_right(labels, SpecialIds(pad=7, start=2, end=1)).tolist() == [[2, 3, 9, 1], [2, 4, 1, 7]]


@pytest.mark.parametrize(("gated", "tied"), KINDS)
def test_a_copy_with_weights_has_all_of_them(gated: bool, tied: bool) -> None:
    model = build(gated, tied)
    weights = {name: parameter.detach() + 0.5 for name, parameter in model.parameters().items()}
    copy = model.copy_with(weights)
    assert copy.tied is tied
    assert copy.parameters().keys() == set(weights)
    assert all(torch.equal(parameter, weights[name]) for name, parameter in copy.parameters().items())


@pytest.mark.parametrize("tied", [True, False])
def test_weights_under_other_names_make_no_model(tied: bool) -> None:
    model = build(True, tied)
    wrapped = {f"module.{name}" if "encoder" in name else name: p for name, p in model.parameters().items()}
    with pytest.raises(RuntimeError, match="weights that do not fit the model: encoder"):
        model.copy_with(wrapped)
    with pytest.raises(RuntimeError, match=r"shared\.weight \(1 names\)"):
        model.copy_with({name: p for name, p in model.parameters().items() if name != "shared.weight"})

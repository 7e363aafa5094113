"""Methods of parameter-efficient fine-tuning: what they train, that they begin as no change, merge, and come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from t2t.config.run import FreezeSettings
from t2t.errors import InputError, RunFileError
from t2t.model.backbone import build_from_scratch, load_pretrained
from t2t.model.freezing import freeze_parts
from t2t.model.peft import Method, adapted, check_no_adapter, counts, load_adapter, read_method, save_adapter
from t2t.model.seq2seq import Seq2Seq, shift_right
from t2t.model.tokenizer import train_tokenizer

TOKENIZER = train_tokenizer(["words of a text"] * 20, 600)
SPEC = {"d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4, "init": "t5"}
METHODS: list[dict[str, Any]] = [
    {"method": "lora"},
    {"method": "lora", "r": 3, "alpha": 5, "rslora": True, "targets": ["q", "v", "wi_0", "wi_1", "wo", "o"]},
    {"method": "lora", "dora": True},
    {"method": "ia3"},
    {"method": "layernorm"},
    {"method": "lora", "init": "pissa"},
    {"method": "prompt", "length": 3},
    {"method": "prefix", "length": 3},
    {"method": "bitfit"},
    {"method": "houlsby", "size": 5},
    {"method": "pfeiffer", "size": 7},
]
each = pytest.mark.parametrize("data", METHODS, ids=lambda data: "-".join(map(str, data.values())))
heads = pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])


def plain(tied: bool = True) -> Seq2Seq:
    return build_from_scratch({**SPEC, "tied": tied}, len(TOKENIZER))


def method_of(data: dict[str, Any]) -> Method:
    method = read_method(data, lambda key: f"run.yaml:{key}")
    assert method is not None
    return method


def logits(model: Seq2Seq) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    ids, labels = (torch.randint(3, 90, size, generator=generator) for size in ((3, 9), (3, 6)))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    model.module.eval()
    with torch.no_grad():
        return model.logits_of({"input_ids": ids, "attention_mask": mask, "labels": labels})


def stepwise(model: Seq2Seq) -> Tensor:
    """The same logits token by token, with a cache."""
    generator = torch.Generator().manual_seed(1)
    ids, labels = (torch.randint(3, 90, size, generator=generator) for size in ((3, 9), (3, 6)))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    model.module.eval()
    with torch.no_grad():
        hidden, cache = model.encode(ids, mask), model.new_cache()
        started = shift_right(labels, model.ids)
        return torch.stack([model.step(started[:, t], hidden, mask, cache) for t in range(6)], dim=1)


def by_transformers(model: Any) -> Tensor:
    """The logits of a model that is not ours."""
    generator = torch.Generator().manual_seed(1)
    ids, labels = (torch.randint(3, 90, size, generator=generator) for size in ((3, 9), (3, 6)))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    started = shift_right(labels, plain().ids)
    with torch.no_grad():
        return model.eval()(input_ids=ids, attention_mask=mask, decoder_input_ids=started).logits


def train(model: Seq2Seq, steps: int = 4) -> None:
    optimizer = torch.optim.AdamW([one for one in model.parameters().values() if one.requires_grad], lr=0.05)
    generator = torch.Generator().manual_seed(2)
    for _ in range(steps):
        ids, labels = (torch.randint(3, 90, (4, 7), generator=generator) for _ in range(2))
        model.module.train()
        found = model.logits_of({"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels})
        torch.nn.functional.cross_entropy(found.flatten(0, 1), labels.flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()


@each
@heads
def test_it_begins_as_no_change_and_leaves_what_is_frozen_bit_for_bit(data: dict[str, Any], tied: bool) -> None:
    before, model = plain(tied), adapted(plain(tied), method_of(data))
    if data["method"] not in ("prompt", "prefix"):  # these change what is attended to
        assert torch.allclose(logits(model), logits(before), atol=1e-5)
    trained, whole = counts(model)
    assert 0 < trained < whole / 2
    frozen = {name: one.detach().clone() for name, one in model.parameters().items() if not one.requires_grad}
    train(model)
    assert not torch.allclose(logits(model), logits(before), atol=1e-2)
    assert all(torch.equal(frozen[name], one) for name, one in model.parameters().items() if name in frozen)
    assert torch.allclose(stepwise(model), logits(model), atol=1e-5)
    assert model.tied == tied


@each
@heads
def test_it_comes_back_with_equal_logits(data: dict[str, Any], tied: bool, tmp_path: Path) -> None:
    method = method_of(data)
    model = adapted(plain(tied), method)
    train(model)
    said, folder = logits(model), tmp_path / "model"
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    plain(tied).save(TOKENIZER, base)
    if method.portable:
        method.save(model, adapter, str(base))
    if method.merges:
        method.merge(model)
        assert model.parameters().keys() == plain(tied).parameters().keys()
        model.save(TOKENIZER, folder)
    else:
        folder.mkdir()
        save_adapter(model, method, folder)
        weights = {name: one.detach() for name, one in model.parameters().items()}
        bare = plain(tied)
        bare.module.load_state_dict(method.plain(weights), strict=False)
        assert method.plain(weights).keys() == bare.parameters().keys()
        bare.save(TOKENIZER, folder)
    if method.portable and data["method"] != "layernorm":
        from peft import PeftModel

        theirs = PeftModel.from_pretrained(load_pretrained(base).module, str(adapter))
        assert torch.allclose(by_transformers(theirs), said, atol=1e-5)
    again = load_adapter(load_pretrained(folder), folder)
    assert torch.allclose(logits(again), said, atol=1e-5)
    assert again.tied == tied


def test_a_damaged_adapter_is_told(tmp_path: Path) -> None:
    method = method_of({"method": "pfeiffer", "size": 4})
    save_adapter(adapted(plain(), method), method, tmp_path)
    (tmp_path / "adapter.json").write_text(json.dumps({"method": "pfeiffer", "size": 5}))
    with pytest.raises(InputError, match="not what the adapter says"):
        load_adapter(plain(), tmp_path)
    with pytest.raises(InputError, match="start from the model that was adapted"):
        check_no_adapter(str(tmp_path))
    (tmp_path / "adapter.json").write_text(json.dumps({"method": "pfeiffer", "size": 4}))
    weights = load_file(tmp_path / "adapter.safetensors")
    for value in (float("nan"), float("inf")):
        save_file({name: one.clone().fill_(value) for name, one in weights.items()}, tmp_path / "adapter.safetensors")
        with pytest.raises(InputError, match="holds NaN, infinity"):
            load_adapter(plain(), tmp_path)
    (tmp_path / "adapter.safetensors").write_bytes(b"short")
    with pytest.raises(InputError, match=r"adapter\.json"):
        load_adapter(plain(), tmp_path)
    for damaged in ("{", "[]", "[" * 100_000, json.dumps({"method": "none"})):
        (tmp_path / "adapter.json").write_text(damaged)
        with pytest.raises(InputError, match=r"adapter\.json"):
            load_adapter(plain(), tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {},
            "run.yaml:peft: peft has no method:; name one: bitfit, houlsby, ia3, layernorm, lora, pfeiffer, pre",
        ),
        ({"method": "lorra"}, "run.yaml:peft.method: unknown PEFT method 'lorra'; did you mean 'lora'?"),
        ({"method": "lora", "rank": 4}, "run.yaml:peft.rank: unknown key 'rank' of lora; "),
        ({"method": "lora", "r": 0}, "run.yaml:peft.r: r: 0 is not greater than 0"),
        ({"method": "lora", "targets": ["x"]}, "targets"),
        ({"method": "ia3", "r": 4}, "unknown key 'r' of ia3"),
    ],
)
def test_a_mistake_is_told_at_its_place(data: dict[str, Any], message: str) -> None:
    with pytest.raises(RunFileError) as caught:
        method_of(data)
    assert message in str(caught.value)


@pytest.mark.parametrize("targets", [["wi"], ["q", "wi"]])
def test_layers_that_the_model_has_not_are_told(targets: list[str]) -> None:
    with pytest.raises(InputError, match=r"no layer 'wi'; use some of: q, k, v, o, wi_0, wi_1, wo"):
        adapted(plain(), method_of({"method": "lora", "targets": targets}))


def where(key: str) -> str:
    return f"run.yaml:{key}"


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        (FreezeSettings(parts=("embedding", "encoder")), r"decoder\."),
        (FreezeSettings(parts=("decoder",)), r"shared|encoder\."),
        (FreezeSettings(all_but_top=1), r"encoder\.block\.1\.|decoder\.block\.2\.|.*final_layer_norm"),
        (FreezeSettings(names=("*.q.weight", "*layer_norm*", "shared*")),
         r".*\.(k|v|o|w.*|relative_attention_bias)\.weight"),
    ],
)  # fmt: skip
def test_parts_are_frozen(freeze: FreezeSettings, trained: str) -> None:
    import re

    model = plain()
    frozen = freeze_parts(model, freeze, where)
    names = {name for name, one in model.parameters().items() if one.requires_grad}
    assert names
    assert names | set(frozen) == model.parameters().keys()
    assert all(re.match(trained, name) for name in names)
    assert not any(re.match(trained, name) for name in frozen)


def test_nothing_to_train_and_nothing_of_a_name_are_refused() -> None:
    with pytest.raises(RunFileError, match=r"run\.yaml:freeze: nothing is left to train"):
        freeze_parts(plain(), FreezeSettings(names=("*",)), where)
    with pytest.raises(
        RunFileError, match=r"run\.yaml:freeze\.names\.1: freeze\.names: no weight is called '\*.query'"
    ):
        freeze_parts(plain(), FreezeSettings(names=("*.q.weight", "*.query")), where)

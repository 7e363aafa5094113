import torch

from t2t.model.backbone import build_from_scratch, token_nll

SHAPE = {"d_model": 48, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 3}


def copying_loss(init: str, updates: int) -> float:
    """The mean loss of the last updates of learning to copy random strings of 300 symbols."""
    torch.manual_seed(0)
    model = build_from_scratch({**SHAPE, "init": init}, 320, seed=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.0)
    generator = torch.Generator().manual_seed(7)
    losses = []
    for _ in range(updates):
        ids = torch.randint(3, 303, (16, 12), generator=generator)
        ids[:, -1] = 1
        nats, tokens, _ = token_nll(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids})
        (nats / tokens).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float((nats / tokens).detach()))
    return sum(losses[-20:]) / 20


def test_copying_is_learned_much_sooner() -> None:
    assert copying_loss("copy", 200) < 0.5 * copying_loss("t5", 200)


def test_scales_are_those_of_t5() -> None:
    ours, theirs = (build_from_scratch({**SHAPE, "init": init}, 320, seed=1) for init in ("copy", "t5"))
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert mine.shape == other.shape
        if ".EncDecAttention.q." not in name and "relative" not in name:
            assert 0.6 < float(mine.detach().std()) / max(1e-9, float(other.detach().std())) < 1.6 or "norm" in name, (
                name
            )


def test_one_head_and_an_inner_size_other_than_d_model() -> None:
    spec = {"d_model": 32, "d_kv": 48, "d_ff": 64, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 1}
    model = build_from_scratch(spec, 320)
    cross = model.decoder.block[0].layer[1].EncDecAttention
    assert torch.equal(cross.q.weight, cross.k.weight)
    assert torch.equal(cross.o.weight, cross.v.weight.T)

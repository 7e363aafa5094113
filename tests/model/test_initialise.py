import torch

from t2t.model.backbone import build_from_scratch
from tests.models import token_nll

SHAPE = {"d_model": 48, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 3}


def copying_loss(init: str, updates: int) -> float:
    """The mean loss of the last updates of learning to copy random strings of 300 symbols."""
    torch.manual_seed(0)
    model = build_from_scratch({**SHAPE, "init": init}, 320, seed=1).module
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
    ours, theirs = (build_from_scratch({**SHAPE, "init": init}, 320, seed=1).module for init in ("copy", "t5"))
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert mine.shape == other.shape
        if ".EncDecAttention.q." not in name and "relative" not in name:
            assert 0.6 < float(mine.detach().std()) / max(1e-9, float(other.detach().std())) < 1.6 or "norm" in name, (
                name
            )


def looked_at(ids: list[int], copied: int) -> list[int]:
    """Where the first head of cross-attention of a fresh model looks after each of the first ``copied`` tokens."""
    model = build_from_scratch({**SHAPE, "d_model": 192, "d_kv": 32, "num_heads": 6}, 320, seed=1).module
    model.decoder.set_attn_implementation("eager")
    prompt = torch.tensor([ids])
    start = torch.tensor([[0, *ids[:copied]]])
    weights: list[torch.Tensor] = []
    first = model.decoder.block[0].layer[1].EncDecAttention
    first.register_forward_hook(lambda module, given, found: weights.extend(one for one in found if one is not None))
    model(input_ids=prompt, decoder_input_ids=start)
    assert weights[-1].shape == (1, 6, copied + 1, len(ids))
    return weights[-1][0, 0, 1:].argmax(dim=-1).tolist()


def test_the_next_token_is_looked_at_before_any_training() -> None:
    ids = torch.randperm(300, generator=torch.Generator().manual_seed(3))[:40].add(3).tolist()
    hits = [place == number + 1 for number, place in enumerate(looked_at(ids, 30))]
    assert sum(hits[2:]) >= 25  # of 28; by chance one


def test_of_two_places_with_the_same_token_the_one_with_the_same_past_is_looked_at() -> None:
    first, second = [11, 12, 13, 50, 14, 15], [21, 22, 23, 50, 24, 25]
    assert looked_at([*first, *second], 4)[3] == 4
    assert looked_at([*second, *first], 4)[3] == 4


def test_one_head_and_an_inner_size_other_than_d_model() -> None:
    spec = {"d_model": 32, "d_kv": 48, "d_ff": 64, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 1}
    cross = build_from_scratch(spec, 320).module.decoder.block[0].layer[1].EncDecAttention
    assert cross.q.weight.shape == (48, 32)
    assert torch.equal(cross.o.weight, cross.v.weight.T)

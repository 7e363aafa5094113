import copy

import pytest
import torch
from torch import Tensor

from t2t.model.backbone import build_from_scratch
from t2t.model.families.t5_kernels import FusedNorm, fuse_kernels
from tests.models import token_nll

SPEC = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 2, "gated": True}


def batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(3, 40, (3, 7), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids[:, :5]}


def gradients(model: torch.nn.Module, precision: torch.dtype | None) -> tuple[float, dict[str, Tensor]]:
    with torch.autocast("cpu", torch.bfloat16, enabled=precision is torch.bfloat16):
        nats = token_nll(model, batch())[0]
    nats.backward()
    return float(nats.detach()), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_fused_kernels_are_the_same_functions() -> None:
    plain = build_from_scratch(SPEC, 40, 1).module
    fused = copy.deepcopy(plain)
    fuse_kernels(fused)
    assert any(isinstance(module, torch.nn.GELU) for module in fused.modules())
    assert sum(isinstance(module, FusedNorm) for module in fused.modules()) == 12
    (nats, wanted), (found_nats, found) = gradients(plain, None), gradients(fused, None)
    assert found_nats == pytest.approx(nats, rel=1e-6)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert torch.allclose(found[name], gradient, rtol=1e-4, atol=1e-5), name


def test_under_autocast_a_norm_gives_what_linear_layers_compute_with() -> None:
    plain = build_from_scratch(SPEC, 40, 1).module
    fused = copy.deepcopy(plain)
    fuse_kernels(fused)
    norm = fused.encoder.final_layer_norm
    with torch.autocast("cpu", torch.bfloat16):
        assert norm(torch.ones(1, 2, 16)).dtype == torch.bfloat16
    assert norm(torch.ones(1, 2, 16)).dtype == torch.float32
    (nats, _), (found, _) = gradients(plain, torch.bfloat16), gradients(fused, torch.bfloat16)
    assert found == pytest.approx(nats, rel=1e-2)


def test_a_norm_of_bf16_weights_gives_bf16() -> None:
    model = build_from_scratch(SPEC, 40, 1).module.to(torch.bfloat16)
    fuse_kernels(model)
    hidden = torch.randn(2, 3, 16, dtype=torch.bfloat16)
    wanted = hidden.float() * torch.rsqrt(hidden.float().pow(2).mean(-1, keepdim=True) + 1e-6)
    assert torch.equal(model.encoder.final_layer_norm(hidden), wanted.to(torch.bfloat16))

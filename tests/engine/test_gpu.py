"""Real DeepSpeed on a GPU (NCCL, one process): every ZeRO stage, offload, bf16, resume. Skipped without a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from t2t.engine.distributed import free_port
from tests.places import PYTHONPATH

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("worker.py")
STAGES = ["zero0", "zero1", "zero2", "zero3", "zero2_offload", "zero3_offload"]

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the worker wrote, trained on the first GPU."""
    out = tmp_path_factory.mktemp("gpu") / "out.json"
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, str(WORKER), str(out), "offload"],
        env={**os.environ, **alone, "MASTER_PORT": str(free_port()), "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_it_was_a_gpu(results: dict[str, Any]) -> None:
    assert results["device"] == torch.cuda.get_device_name()


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_gives_the_losses_and_weights_of_stage_0(results: dict[str, Any], stage: str) -> None:
    reference, got = results["zero0 micro-batches1"], results[f"{stage} micro-batches1"]
    assert got["losses"] == pytest.approx(reference["losses"], rel=1e-4)
    assert got["norms"] == pytest.approx(reference["norms"], rel=1e-3)
    assert got["weights"] == pytest.approx(reference["weights"], abs=1e-4)


@pytest.mark.parametrize("stage", range(4))
def test_more_units_of_a_step_give_the_same_step(results: dict[str, Any], stage: int) -> None:
    reference, got = results[f"zero{stage} micro-batches1"], results[f"zero{stage} micro-batches3"]
    assert got["losses"] == pytest.approx(reference["losses"], rel=1e-4)


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.02), ("autocast_bf16", 0.02)])
def test_half_precision_is_near_fp32_and_not_it(results: dict[str, Any], precision: str, tolerance: float) -> None:
    full, half = results["zero2 micro-batches1"]["losses"], results[precision]["losses"]
    assert half == pytest.approx(full, rel=tolerance)
    assert half != full


@pytest.mark.parametrize("stage", range(4))
def test_a_bf16_run_gives_the_fp32_weights_of_the_optimiser(results: dict[str, Any], stage: int) -> None:
    assert results[f"masters zero{stage}"] == {"fp32": True, "finer": True, "same": True}


def test_a_resumed_run_is_bit_equal(results: dict[str, Any]) -> None:
    assert results["resumed"]["equal"] is True


def test_what_is_not_finite_stops_the_run(results: dict[str, Any]) -> None:
    assert results["broken is finite"] is False
    for message, ranks, written, as_before in results["exploding"].values():
        assert "gradient is not finite at step 2" in message
        assert (ranks, written, as_before) == (1, False, True)

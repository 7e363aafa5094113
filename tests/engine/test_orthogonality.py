"""A LoRA that is kept orthogonal to earlier ones: the same penalty and curve at every stage, on one or two ranks."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.forking import run_ranks

WORKER = str(Path(__file__).with_name("orthogonal_worker.py"))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """What the worker wrote, by number of processes."""
    found = {}
    for world in (1, 2):
        out = tmp_path_factory.mktemp(f"world{world}") / "out.json"
        run_ranks(world, [WORKER, str(out)], out.parent)
        found[world] = json.loads(out.read_text())
    return found


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("stage", range(4))
def test_the_first_update_is_the_gradient_of_the_penalty(
    results: dict[int, dict[str, Any]], world: int, stage: int
) -> None:
    one = results[world][f"one step zero{stage}"]
    assert len(one["moved"]) == 3 * (3 * 2 * 16 + 2 * 32)  # r x the inputs of q and v of three attentions, two wo
    assert one["moved"] == pytest.approx(one["expected"], rel=1e-4, abs=1e-7)
    assert max(map(abs, one["expected"])) > 1e-4


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("stage", range(4))
def test_penalties_and_curve_are_those_of_one_rank_at_stage_0(
    results: dict[int, dict[str, Any]], world: int, stage: int
) -> None:
    reference, got = results[1]["zero0"], results[world][f"zero{stage}"]
    assert got["losses"] == pytest.approx(reference["losses"], rel=1e-5)
    assert got["norms"] == pytest.approx(reference["norms"], rel=1e-4)
    assert got["seen"] == pytest.approx(reference["seen"], rel=1e-4)
    assert got["last"] == pytest.approx(reference["last"], rel=1e-4)
    assert got["weights"] == pytest.approx(reference["weights"], abs=2e-5)


@pytest.mark.parametrize("world", [1, 2])
def test_the_penalty_falls_and_without_strength_nothing_is_changed(
    results: dict[int, dict[str, Any]], world: int
) -> None:
    kept, free = results[world]["zero3"], results[world]["free zero3"]
    assert kept["seen"][0] == pytest.approx(free["seen"][0])
    assert kept["last"] < 0.8 * kept["seen"][0]
    assert free["last"] > 0.95 * free["seen"][0]
    assert results[world]["bf16"]["last"] < results[world]["bf16"]["seen"][0]

"""A checkpoint of so many processes goes on with others, at every ZeRO stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.resharding_worker import KINDS, stages_of
from tests.forking import run_ranks

WORKER = str(Path(__file__).with_name("resharding_worker.py"))
ALL = tuple(KINDS)
WAYS = {(2, 1): ALL, (2, 3): ALL, (2, 4): ("fp32", "offload"), (1, 2): ALL}
TRIED = [(way, kind, stage) for way, kinds in WAYS.items() for kind in kinds for stage in stages_of(kind)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """What the processes that wrote found, and those that went on, by how many they were."""
    found = {}
    for wrote in (1, 2):
        folder = tmp_path_factory.mktemp(f"of{wrote}")
        run_ranks(wrote, [WORKER, "save", str(folder)], folder)
        for now in [now for one, now in WAYS if one == wrote]:
            run_ranks(now, [WORKER, "load", str(folder), *WAYS[wrote, now]], folder)
            found[wrote, now] = [
                json.loads((folder / name).read_text()) for name in (f"save{wrote}.json", f"load{now}.json")
            ]
    return found


@pytest.mark.parametrize(("way", "kind", "stage"), TRIED, ids=[f"{w[0]}to{w[1]}-{k}{s}" for w, k, s in TRIED])
def test_weights_are_equal_and_the_curve_goes_on(
    results: dict[tuple[int, int], list[dict[str, Any]]], way: tuple[int, int], kind: str, stage: int
) -> None:
    wrote, went_on = (one[f"{kind}{stage}"] for one in results[way])
    assert went_on["before"] == wrote["before"]
    rel, near = (5e-3, 2e-2) if kind == "bf16" else (1e-5, 2e-5)
    assert went_on["losses"] == pytest.approx(wrote["losses"], rel=rel)
    assert went_on["after"] == pytest.approx(wrote["after"], abs=near)
    # As far as the optimiser went on, and not as if it had begun anew.
    assert wrote["after"] != pytest.approx(wrote["before"], abs=1e-3)

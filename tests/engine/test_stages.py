"""Real DeepSpeed on one and on two CPU processes: the same steps at every ZeRO stage, in whatever units."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.forking import run_ranks

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("worker.py")
VARIANTS = [f"zero{stage} micro-batches{count}" for stage in range(4) for count in (1, 3, 4)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """What the worker wrote, by number of processes."""
    outs = {world: tmp_path_factory.mktemp(f"world{world}") / "out.json" for world in (1, 2)}
    for world, out in outs.items():
        run_ranks(world, [str(WORKER), str(out)], out.parent)
    return {world: json.loads(out.read_text()) for world, out in outs.items()}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("world", [1, 2])
def test_losses_gradients_and_weights_are_those_of_one_unit_on_one_process(
    results: dict[int, dict[str, Any]], world: int, variant: str
) -> None:
    # Units 3 on two processes: one of them computes a dummy.
    reference, got = results[1]["zero2 micro-batches1"], results[world][variant]
    assert got["losses"] == pytest.approx(reference["losses"], rel=1e-5)
    assert got["norms"] == pytest.approx(reference["norms"], rel=1e-4)
    assert got["weights"] == pytest.approx(reference["weights"], abs=2e-5)


@pytest.mark.parametrize("name", ["sgd zero0", "sgd zero2", "sgd zero3", "parted adamw zero1", "parted adamw zero3"])
def test_other_optimizers_and_rates_by_part_do_not_depend_on_stage_and_processes(
    results: dict[int, dict[str, Any]], name: str
) -> None:
    reference, got = results[1][f"{name[:-1]}1"], results[2][name]
    assert got["losses"] == pytest.approx(reference["losses"], rel=1e-5)
    assert got["weights"] == pytest.approx(reference["weights"], abs=2e-5)
    assert got["weights"] != pytest.approx(results[1]["zero2 micro-batches1"]["weights"], abs=1e-4)


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("stage", range(4))
def test_weights_are_pulled_alike_at_every_stage_and_on_two_processes(
    results: dict[int, dict[str, Any]], world: int, stage: int
) -> None:
    reference, got = results[1]["anchored zero0"], results[world][f"anchored zero{stage}"]
    assert got["losses"] == pytest.approx(reference["losses"], rel=1e-5)
    assert got["norms"] == pytest.approx(reference["norms"], rel=1e-4)
    assert got["weights"] == pytest.approx(reference["weights"], abs=2e-5)
    assert got["weights"] != pytest.approx(results[1]["zero2 micro-batches1"]["weights"], abs=1e-3)


def test_the_masters_of_bf16_weights_are_pulled(results: dict[int, dict[str, Any]]) -> None:
    free, pulled = results[1]["bf16 zero0"], results[1]["anchored bf16 zero0"]
    assert pulled["weights"] != pytest.approx(free["weights"], abs=1e-3)
    assert results[2]["anchored bf16 zero2"]["weights"] == pytest.approx(pulled["weights"], abs=5e-3)


def test_adafactor_trains_alike_on_two_processes(results: dict[int, dict[str, Any]]) -> None:
    one, two = results[1]["adafactor"], results[2]["adafactor"]
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)
    assert two["weights"] == pytest.approx(one["weights"], abs=2e-5)
    assert one["losses"][-1] < one["losses"][0]


def test_training_changes_the_loss(results: dict[int, dict[str, Any]]) -> None:
    losses = results[1]["zero2 micro-batches1"]["losses"]
    assert len({round(loss, 3) for loss in losses}) == len(losses)


def test_a_separate_head_is_trained_alike_at_stage_3(results: dict[int, dict[str, Any]]) -> None:
    whole, cut = results[2]["zero0 untied"], results[2]["zero3 untied"]
    assert whole["names"] == cut["names"] == results[2]["zero0 micro-batches1"]["names"] + 1
    assert cut["losses"] == pytest.approx(whole["losses"], rel=1e-5)
    assert cut["weights"] == pytest.approx(whole["weights"], abs=2e-5)


@pytest.mark.parametrize("name", ["zero2 true", "zero3 true", "zero3 false"])
@pytest.mark.parametrize("world", [1, 2])
def test_a_loss_in_chunks_does_not_depend_on_stage_and_processes(
    results: dict[int, dict[str, Any]], world: int, name: str
) -> None:
    # Three micro-batches on two processes: one computes a dummy, which is cut into as many parts, most of them empty.
    reference, got = results[1][f"chunked zero0 {name.split()[1]}"], results[world][f"chunked {name}"]
    assert got["losses"] == pytest.approx(reference["losses"], rel=1e-5)
    assert got["norms"] == pytest.approx(reference["norms"], rel=1e-4)
    assert got["weights"] == pytest.approx(reference["weights"], abs=2e-5)


@pytest.mark.parametrize("stage", range(4))
@pytest.mark.parametrize("world", [1, 2])
def test_a_teacher_teaches_alike_at_every_stage_on_one_process_and_on_two(
    results: dict[int, dict[str, Any]], world: int, stage: int
) -> None:
    reference, got = results[1]["taught zero0 5"], results[world][f"taught zero{stage} 5"]
    assert got["losses"] == pytest.approx(reference["losses"], rel=1e-5)
    assert got["norms"] == pytest.approx(reference["norms"], rel=1e-4)
    assert got["weights"] == pytest.approx(reference["weights"], abs=2e-5)
    assert got["names"] == results[1]["zero0 micro-batches1"]["names"]
    assert got["norms"] != pytest.approx(results[1]["tasks"]["norms"], rel=1e-2)
    assert got["norms"] != pytest.approx(results[1]["taught zero0 null"]["norms"], rel=1e-4)


@pytest.mark.parametrize("norm", ["examples", "tasks"])
def test_other_norms_do_not_depend_on_the_number_of_processes(results: dict[int, dict[str, Any]], norm: str) -> None:
    assert results[2][norm]["norms"] == pytest.approx(results[1][norm]["norms"], rel=1e-4)
    assert results[2][norm]["norms"] != pytest.approx(results[2]["zero2 micro-batches3"]["norms"], rel=1e-2)


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.02), ("autocast_bf16", 0.01)])
def test_half_precision_is_near_fp32_and_not_it(
    results: dict[int, dict[str, Any]], precision: str, tolerance: float
) -> None:
    full, half = results[2]["zero2 micro-batches1"]["losses"], results[2][precision]["losses"]
    assert half == pytest.approx(full, rel=tolerance)
    assert half != full


@pytest.mark.parametrize("stage", range(4))
@pytest.mark.parametrize("world", [1, 2])
def test_a_bf16_run_gives_the_fp32_weights_of_the_optimiser(
    results: dict[int, dict[str, Any]], world: int, stage: int
) -> None:
    assert results[world][f"masters zero{stage}"] == {"fp32": True, "finer": True, "same": True}


@pytest.mark.parametrize("world", [1, 2])
def test_the_first_updates_in_bf16_are_alike_at_stages_0_and_2(results: dict[int, dict[str, Any]], world: int) -> None:
    assert results[world]["bf16 zero0"]["losses"] == pytest.approx(results[world]["bf16"]["losses"], rel=5e-4)


@pytest.mark.parametrize("world", [1, 2])
def test_a_resumed_run_is_bit_equal_and_skips_what_is_half_written(
    results: dict[int, dict[str, Any]], world: int
) -> None:
    resumed = results[world]["resumed"]
    assert resumed["equal"] is True
    assert resumed["latest"] == "step00000002"
    assert any("step00000003.tmp" in line for line in resumed["said"])


@pytest.mark.parametrize(
    "variant", ["zero0 fp32", "zero1 fp32", "zero2 fp32", "zero3 fp32", "zero0 bf16", "zero2 bf16"]
)
@pytest.mark.parametrize("world", [1, 2])
def test_a_run_goes_on_with_the_clip_of_its_run_file(
    results: dict[int, dict[str, Any]], world: int, variant: str
) -> None:
    assert results[world]["clipped"][variant] == pytest.approx([0.1, 0.001], rel=1e-3)


@pytest.mark.parametrize("world", [1, 2])
def test_nan_is_seen_before_the_update(results: dict[int, dict[str, Any]], world: int) -> None:
    assert results[world]["broken is finite"] is False


@pytest.mark.parametrize("world", [1, 2])
def test_the_loop_ends_by_steps_and_writes_rows_and_checkpoints(results: dict[int, dict[str, Any]], world: int) -> None:
    looped = results[world]["looped"]
    assert looped["end"][:3] == [6, 1, 2]
    assert looped["end"] == results[1]["looped"]["end"]
    assert looped["checkpoints"] == ["step00000004", "step00000006"]
    header, *rows = [row.split(",") for row in looped["rows"]]
    assert header[:3] == ["step", "epoch", "loss"]
    assert rows[-1][:2] == ["6", "1"]
    assert float(rows[-1][2]) == pytest.approx(float(results[1]["looped"]["rows"][-1].split(",")[2]), rel=1e-4)


@pytest.mark.parametrize("world", [1, 2])
def test_the_clock_ends_training_on_all_ranks_at_once(results: dict[int, dict[str, Any]], world: int) -> None:
    steps, seconds = results[world]["looped"]["clock"]
    assert steps > 1
    assert 1.8 <= seconds < 15


@pytest.mark.parametrize("world", [1, 2])
def test_sigterm_to_one_rank_leaves_a_checkpoint(results: dict[int, dict[str, Any]], world: int) -> None:
    assert results[world]["looped"]["killed"] == "step00000003"


@pytest.mark.parametrize("world", [1, 2])
def test_nan_on_one_rank_stops_all_without_a_checkpoint(results: dict[int, dict[str, Any]], world: int) -> None:
    message, written = results[world]["looped"]["spoilt"]
    assert "loss is not finite at step 2" in message
    assert written is False


@pytest.mark.parametrize(
    "variant", ["zero0 fp32", "zero1 fp32", "zero2 fp32", "zero3 fp32", "zero0 bf16", "zero2 bf16"]
)
@pytest.mark.parametrize("world", [1, 2])
def test_an_infinite_gradient_stops_all_ranks_and_changes_no_weight(
    results: dict[int, dict[str, Any]], world: int, variant: str
) -> None:
    message, ranks, written, as_before = results[world]["exploding"][variant]
    assert "gradient is not finite at step 2" in message
    assert (ranks, written, as_before) == (world, False, True)

import math

import numpy as np
import pytest
import torch

from t2t.data.batch import GRID, Plan, Step, cut_micro_batches, on_grid
from t2t.data.collate import collate
from t2t.data.encode import Encoded
from t2t.model.backbone import T5_IDS
from t2t.tasks.mixture import Mixture


def encoded(name: str, task: int, prompt: int, target: int) -> Encoded:
    ids = [np.full(size, 5, dtype=np.int32) for size in (prompt, target)]
    return Encoded(name, task, *ids)


def plan(count: int = 300, tokens: int = 200, micro_batches: int = 4, window: int = 64, seed: int = 1) -> Plan:
    lengths = np.random.default_rng(5).integers(1, 40, (count, 2)).tolist()
    data = [[encoded(str(n), 0, *pair) for n, pair in enumerate(lengths)]]
    return Plan(lambda epoch: data, Mixture([count], [1.0], seed), tokens, micro_batches, window)


def ids(step: Step) -> list[list[str]]:
    return [[row.id for row in micro_batch] for micro_batch in step.micro_batches]


def cost(rows: list[Encoded]) -> int:
    longest = [max(len(row.input_ids) for row in rows), max(len(row.labels) for row in rows)]
    return len(rows) * int(on_grid(np.array(longest)).sum())


def test_an_epoch_holds_each_example_once_in_units_that_fit() -> None:
    steps = list(plan().steps(0))
    assert sorted(name for step in steps for micro_batch in ids(step) for name in micro_batch) == sorted(
        map(str, range(300))
    )
    assert all(cost(micro_batch) <= 200 for step in steps for micro_batch in step.micro_batches)
    assert [len(step.micro_batches) for step in steps[:-1]] == [4] * (len(steps) - 1)
    assert [step.number for step in steps] == list(range(len(steps)))


def test_units_stay_inside_their_window_and_are_shuffled() -> None:
    made = plan()
    places = {str(index): place // 64 for place, (_, index) in enumerate(made.order.epoch(0).tolist())}
    micro_batches = [micro_batch for step in made.steps(0) for micro_batch in ids(step)]
    assert all(len({places[name] for name in micro_batch}) == 1 for micro_batch in micro_batches)
    assert ids(next(plan(seed=2).steps(0))) != ids(next(made.steps(0)))
    assert ids(next(made.steps(1))) != ids(next(made.steps(0)))


def test_a_resumed_epoch_goes_on_where_it_stopped() -> None:
    whole = [ids(step) for step in plan().steps(2)]
    assert [ids(step) for step in plan().steps(2, after=3)] == whole[3:]
    assert next(plan().steps(2, after=3)).number == 3


def test_the_tasks_of_the_steps_taken_are_counted() -> None:
    data = [[encoded(f"{task}-{n}", task, 5 + 20 * task, 3) for n in range(100)] for task in range(2)]
    made = Plan(lambda epoch: data, Mixture([100, 100], [3.0, 1.0], 1), 200, 4, 64)
    for steps in (0, 1, 3):
        rows = [
            row for step in list(made.steps(1))[:steps] for micro_batch in step.micro_batches for row in micro_batch
        ]
        assert made.taken(1, steps) == {
            task: n for task in (0, 1) if (n := sum(row.task_index == task for row in rows))
        }
    assert sum(made.taken(1, 1000).values()) == 200


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_ranks_share_the_units_of_a_step_and_have_equally_many(world: int) -> None:
    step = next(plan().steps(0))
    shared = [step.of_rank(rank, world) for rank in range(world)]
    assert len({len(micro_batches) for micro_batches in shared}) == 1
    interleaved = [shared[place % world][place // world] for place in range(len(shared[0]) * world)]
    assert interleaved[: len(step.micro_batches)] == step.micro_batches
    assert all(micro_batch == [] for micro_batch in interleaved[len(step.micro_batches) :])


def test_an_example_that_is_too_long_is_alone() -> None:
    micro_batches = cut_micro_batches(np.array([3, 500, 3]), np.array([2, 2, 2]), 100)
    assert sorted(map(sorted, (micro_batch.tolist() for micro_batch in micro_batches))) == [[0, 2], [1]]


def test_units_waste_little() -> None:
    generator = np.random.default_rng(0)
    prompts, targets = (np.exp(generator.normal(3.7, 0.6, 4096)).astype(np.int64) + 1 for _ in range(2))
    micro_batches = cut_micro_batches(prompts, targets, 4096)
    positions = sum(
        len(micro_batch) * (prompts[micro_batch].max() + targets[micro_batch].max()) for micro_batch in micro_batches
    )
    assert (prompts.sum() + targets.sum()) / positions > 0.75


def test_tokens_are_counted_without_padding() -> None:
    step = Step(0, 0, [[encoded("a", 0, 3, 2), encoded("b", 0, 7, 1)], [encoded("c", 0, 1, 4)]])
    assert (step.examples, step.target_tokens, step.tokens) == (3, 7, 18)


def test_collate_pads_to_the_grid() -> None:
    batch = collate([encoded("a", 0, 5, 1), encoded("b", 1, 1, 2)], T5_IDS, lambda row: 1.0 + row.task_index)
    assert batch["input_ids"].tolist() == [[5] * 5 + [0] * 3, [5] + [0] * 7]
    assert batch["attention_mask"].tolist() == [[1] * 5 + [0] * 3, [1] + [0] * 7]
    assert batch["labels"].tolist() == [[5] + [-100] * 7, [5, 5] + [-100] * 6]
    assert batch["weights"].tolist() == [1.0, 2.0]


def test_no_rows_are_a_dummy_of_weight_zero() -> None:
    batch = collate([], T5_IDS, lambda row: 1.0)
    assert torch.equal(batch["weights"], torch.zeros(1))
    assert batch["labels"].tolist() == [[1] + [-100] * 7]


def test_a_unit_that_is_nearly_full_is_filled_up_with_rows_that_count_nothing() -> None:
    rows = [encoded(str(number), 0, 6, 3) for number in range(8)]  # 8 + 8 positions a row
    batch = collate(rows, T5_IDS, lambda row: 1.0, tokens=160)
    assert batch["input_ids"].shape == (10, 8)
    assert batch["weights"].tolist() == [1.0] * 8 + [0.0] * 2
    assert (batch["labels"][8:] == -100).all()
    assert batch["attention_mask"][8:].sum(dim=1).tolist() == [1, 1]
    assert collate(rows[:7], T5_IDS, lambda row: 1.0, tokens=160)["input_ids"].shape == (7, 8)
    assert collate(rows, T5_IDS, lambda row: 1.0, tokens=120)["input_ids"].shape == (8, 8)


def test_units_have_few_shapes() -> None:
    """Kernels are built for a shape: without a grid nearly every micro-batch would have one of its own."""
    generator = np.random.default_rng(0)
    prompts, targets = (np.exp(generator.normal(3.3, 0.5, 16384)).astype(np.int64) + 1 for _ in range(2))
    shapes: dict[tuple[int, ...], int] = {}
    for micro_batch in cut_micro_batches(prompts, targets, 1200):
        rows = [encoded("", 0, int(prompts[place]), int(targets[place])) for place in micro_batch]
        shape = tuple(collate(rows, T5_IDS, lambda row: 1.0, 1200)["input_ids"].shape)
        shapes[shape] = shapes.get(shape, 0) + 1
    repeated = sum(count for count in shapes.values() if count > 1)
    assert repeated > 0.8 * sum(shapes.values())


def test_lengths_are_rounded_up() -> None:
    assert on_grid(np.array([1, GRID, GRID + 1])).tolist() == [GRID, GRID, 2 * GRID]


@pytest.mark.parametrize("epochs", [1, 3, 2.5, 0.01])
def test_the_steps_of_epochs_are_counted_without_being_made(epochs: float) -> None:
    made = plan(micro_batches=1, window=16)
    each = [len(list(made.steps(epoch))) for epoch in range(4)]
    assert len(set(each)) > 1  # epochs differ
    whole = sum(each[: int(epochs)])
    assert made.count(epochs) == whole + math.ceil((epochs % 1) * each[int(epochs)])

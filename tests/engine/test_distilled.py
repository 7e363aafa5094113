"""What a teacher adds to the loss, against values that are known otherwise."""

import math

import pytest
import torch
from torch.nn import functional

from t2t.data.collate import collate
from t2t.engine.distilled import Distilled, divergence
from t2t.engine.loss import TrainingModel
from t2t.model.backbone import T5_IDS, build_from_scratch
from tests.engine.test_loss import SPEC, gradients, rows

LOGITS = torch.tensor([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5]])
TAUGHT = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.3, 0.5]]))


def test_the_divergence_has_the_value_of_its_formula() -> None:
    even = 0.5 * math.log(0.5 * 3) + 2 * 0.25 * math.log(0.25 * 3)
    assert float(divergence(LOGITS, TAUGHT, 1.0)[0]) == pytest.approx(even, rel=1e-5)
    # At temperature 2 the teacher's probabilities are as the roots: 1 to 0.5^0.5 to 0.5^0.5.
    first = 1 / (1 + math.sqrt(2))
    rest = (1 - first) / 2
    cooled = first * math.log(first * 3) + 2 * rest * math.log(rest * 3)
    assert float(divergence(LOGITS, TAUGHT, 2.0)[0]) == pytest.approx(4 * cooled, rel=1e-4)
    assert divergence(TAUGHT + 3.0, TAUGHT, 2.0).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    by_torch = functional.kl_div(LOGITS.log_softmax(-1), TAUGHT.softmax(-1), reduction="none").sum(-1)
    assert torch.allclose(divergence(LOGITS, TAUGHT, 1.0), by_torch)


def test_beyond_the_top_all_others_are_one_class() -> None:
    # The likeliest of the second row has 0.5, the others 0.5 together.
    own = float(LOGITS[1].softmax(-1)[2])
    wanted = 0.5 * math.log(0.5 / own) + 0.5 * math.log(0.5 / (1 - own))
    found = divergence(LOGITS, TAUGHT, 1.0, top=1)
    assert float(found[1]) == pytest.approx(wanted, rel=1e-5)
    assert bool((found <= divergence(LOGITS, TAUGHT, 1.0) + 1e-6).all())
    assert torch.equal(divergence(LOGITS, TAUGHT, 1.0, top=3), divergence(LOGITS, TAUGHT, 1.0))
    sure = torch.tensor([[50.0, 0.0, 0.0]], requires_grad=True)  # nothing is left to the others
    value = divergence(sure, sure.detach() * 2, 1.0, top=2)
    value.sum().backward()
    assert bool(value.isfinite().all())
    assert bool(sure.grad.isfinite().all())  # type: ignore[union-attr]


def test_rows_that_one_of_the_two_lacks_are_left_out() -> None:
    wider = torch.cat([LOGITS, torch.full((2, 2), 9.0)], dim=-1)
    assert torch.allclose(divergence(wider, TAUGHT, 2.0), divergence(LOGITS, TAUGHT, 2.0))


@pytest.mark.parametrize("chunk", [0, 5])
def test_it_stands_for_its_weight_of_the_loss_and_the_teacher_learns_nothing(chunk: int) -> None:
    student, teacher = build_from_scratch(SPEC, 40, 1), build_from_scratch({**SPEC, "d_ff": 8, "dropout": 0.5}, 48, 2)
    batch = collate(rows(), T5_IDS, lambda row: 1.0)
    batch["weights"] = torch.tensor([0.0, 2.0, 1.0, 0.5])
    made = TrainingModel(student, 0.0, False, [Distilled(teacher, 0.25, 2.0)], chunk)
    loss, nats, found = gradients(made, batch)
    with torch.no_grad():
        kept = batch["labels"] != -100
        weights = batch["weights"][:, None].expand_as(kept)[kept]
        taught = teacher.logits_of(batch, kept)
        gold, plain_nats = TrainingModel(student, 0.0, False)(batch)
        wanted = 0.75 * gold + 0.25 * (divergence(student.logits_of(batch, kept), taught, 2.0) * weights).sum()
    assert float(loss) == pytest.approx(float(wanted), rel=1e-5)
    assert float(nats) == pytest.approx(float(plain_nats), rel=1e-6)  # what is told is the cross-entropy with the gold
    assert all(one.grad is None for one in teacher.module.parameters())
    assert not any("teacher" in name for name in found)
    assert len(list(made.parameters())) == len(student.parameters())


def test_a_teacher_that_is_the_student_leaves_only_the_gold_to_learn() -> None:
    batch = collate(rows(), T5_IDS, lambda row: 1.0)
    student, same = (build_from_scratch(SPEC, 40, 1) for _ in range(2))
    _, _, gold = gradients(TrainingModel(student, 0.0, False), batch)
    _, _, found = gradients(TrainingModel(student, 0.0, False, [Distilled(same, 0.4, 3.0)]), batch)
    assert all(torch.allclose(found[name], 0.6 * gradient, atol=1e-5) for name, gradient in gold.items())

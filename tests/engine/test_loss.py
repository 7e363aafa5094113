import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from t2t.data.batch import Step
from t2t.data.collate import collate
from t2t.data.encode import Encoded
from t2t.engine.loss import TrainingModel, divisor, weigher
from t2t.engine.terms import ZLoss
from t2t.model.backbone import T5_IDS, build_from_scratch
from tests.models import token_nll

SPEC = {"d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 2, "num_heads": 4}


def rows() -> list[Encoded]:
    generator = torch.Generator().manual_seed(2)

    def ids(size: int) -> object:
        return torch.randint(3, 40, (size,), generator=generator, dtype=torch.int32).numpy()

    return [Encoded(str(n), n % 2, ids(3 + n), ids(1 + 2 * n)) for n in range(4)]  # type: ignore[arg-type]


@pytest.mark.parametrize("tied", [True, False])
def test_it_is_the_negative_log_likelihood_of_the_whole_model(tied: bool) -> None:
    model = build_from_scratch({**SPEC, "tied": tied}, 40, 1)
    batch = collate(rows(), T5_IDS, lambda row: 1.0)
    with torch.no_grad():
        nll, _, per_example = token_nll(model, batch)
    loss, nats = TrainingModel(model, 0.0, False)(batch)
    assert float(loss.detach()) == pytest.approx(float(nll), rel=1e-5)
    assert float(nats) == pytest.approx(float(nll), rel=1e-5)
    batch["weights"] = torch.tensor([0.0, 2.0, 0.0, 0.5])
    loss, nats = TrainingModel(model, 0.0, False)(batch)
    assert float(loss.detach()) == pytest.approx(float(2 * per_example[1] + 0.5 * per_example[3]), rel=1e-5)
    assert float(nats) == pytest.approx(float(per_example[1] + per_example[3]), rel=1e-5)


def test_label_smoothing_changes_what_is_trained_and_not_what_is_told() -> None:
    model = build_from_scratch(SPEC, 40, 1)
    batch = collate(rows(), T5_IDS, lambda row: 1.0)
    plain, nats = TrainingModel(model, 0.0, False)(batch)
    smooth, told = TrainingModel(model, 0.2, False)(batch)
    assert float(told) == pytest.approx(float(nats), rel=1e-6)
    assert float((smooth - plain).detach().abs()) > 1e-3


def test_autocast_gives_fp32_sums() -> None:
    loss, nats = TrainingModel(build_from_scratch(SPEC, 40, 1), 0.0, True)(collate(rows(), T5_IDS, lambda row: 1.0))
    assert loss.dtype == nats.dtype == torch.float32


def gradients(model: TrainingModel, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    loss, nats = model(batch)
    loss.backward()
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    return loss.detach(), nats, found


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("chunk", [1, 5, 15])
def test_in_chunks_the_loss_and_its_gradients_are_the_same(tied: bool, autocast: bool, chunk: int) -> None:
    model = build_from_scratch({**SPEC, "tied": tied}, 40, 1)
    batch = collate(rows(), T5_IDS, lambda row: 1.0 / len(row.labels))
    terms = [ZLoss(1e-2)]
    plain, nats, wanted = gradients(TrainingModel(model, 0.1, autocast, terms, chunk=0), batch)
    loss, told, found = gradients(TrainingModel(model, 0.1, autocast, terms, chunk=chunk), batch)
    assert float(loss) == pytest.approx(float(plain), rel=1e-6)
    assert float(told) == pytest.approx(float(nats), rel=1e-6)
    assert found.keys() == wanted.keys()
    assert {"model.lm_head.weight", "model.shared.weight"} & found.keys()
    for name, gradient in wanted.items():
        assert torch.allclose(found[name], gradient, rtol=2e-2 if autocast else 1e-5, atol=2e-2 if autocast else 1e-6)


def test_no_more_positions_than_a_chunk_has_are_given_to_the_head_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch, seen = build_from_scratch(SPEC, 40, 1), collate(rows(), T5_IDS, lambda row: 1.0), []
    whole = model.logits
    monkeypatch.setattr(model, "logits", lambda states: (seen.append(len(states)), whole(states))[1])
    loss, _ = TrainingModel(model, 0.0, False, chunk=6)(batch)
    assert seen == [6, 5, 5]
    loss.backward()
    assert sorted(seen[3:]) == [5, 5, 6]  # once more in the backward pass
    seen.clear()
    monkeypatch.setattr("t2t.engine.loss._LOGITS", 40 * 10)
    TrainingModel(model, 0.0, False)(batch)
    assert seen == [8, 8]
    seen.clear()
    TrainingModel(model, 0.0, False, chunk=0)(batch)
    assert seen == [16]


def test_parts_may_be_empty_and_still_reach_the_head() -> None:
    """As on a rank whose micro-batch is smaller than another's: at ZeRO 3 both gather the head equally often."""
    model, batch = build_from_scratch(SPEC, 40, 1), collate([], T5_IDS, lambda row: 1.0)
    batch["weights"] = torch.tensor([2.0])
    made = TrainingModel(model, 0.1, False, [ZLoss(1e-2)])
    plain, _, wanted = gradients(made, batch)
    loss, _ = made(batch, 4)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(plain), rel=1e-6)
    assert (made.parts(0), made.parts(1)) == (1, 1)
    assert all(torch.allclose(one.grad, wanted[name]) for name, one in made.named_parameters() if name in wanted)


def test_the_z_loss_is_the_squared_logarithm_of_the_sum_of_exponentials() -> None:
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]])  # Z is 2, and 4
    begun = ZLoss(0.1).begin({}, torch.ones(1, 2, dtype=torch.bool))
    assert begun(slice(0, 2), logits, torch.zeros(2)).tolist() == pytest.approx(
        [0.1 * math.log(2.0) ** 2, 0.1 * math.log(4.0) ** 2]
    )


def test_the_z_loss_is_weighed_as_the_positions_are_and_belongs_to_training_alone() -> None:
    model, batch = build_from_scratch(SPEC, 40, 1), collate(rows(), T5_IDS, lambda row: 1.0)
    batch["weights"] = torch.tensor([0.0, 2.0, 0.0, 0.5])
    plain, nats = TrainingModel(model, 0.0, False)(batch)
    with torch.no_grad():
        ln_z = torch.logsumexp(model.logits_of(batch), dim=-1)
        wanted = sum(w * (ln_z[n, : 1 + 2 * n] ** 2).sum() for n, w in ((1, 2.0), (3, 0.5)))
    made = TrainingModel(model, 0.0, False, [ZLoss(0.3)])
    loss, told = made(batch)
    assert float((loss - plain).detach()) == pytest.approx(0.3 * float(wanted), rel=1e-4)
    assert float(told) == float(nats)
    assert float(made.eval()(batch)[0].detach()) == pytest.approx(float(plain.detach()), rel=1e-6)


def test_weights_and_divisors() -> None:
    step = Step(0, 0, [rows()[:1], rows()[1:]])  # 1, 3, 5 and 7 target tokens, tasks 0 1 0 1
    shares = [0.75, 0.25]

    def weights(norm: str) -> list[float]:
        return [weigher(norm, shares)(row) for row in rows()]  # type: ignore[arg-type]

    assert (divisor("tokens", step), divisor("examples", step), divisor("tasks", step)) == (16, 4, 4)
    assert weights("tokens") == [1, 1, 1, 1]
    assert weights("examples") == pytest.approx([1, 1 / 3, 1 / 5, 1 / 7])
    assert weights("tasks") == pytest.approx([1 / 0.75, 4 / 3, 1 / 5 / 0.75, 4 / 7])


def test_the_norm_tasks_is_unbiased_for_the_sum_of_the_tasks_means() -> None:
    shares, generator = [0.8, 0.2], torch.Generator().manual_seed(0)
    means = [3.0, 10.0]  # the mean loss a token of the examples of each task
    drawn = (torch.rand(20_000, generator=generator) > shares[0]).long().tolist()
    total = 0.0
    example = rows()[2]
    for task in drawn:
        row = Encoded("", task, example.input_ids, example.labels)
        total += weigher("tasks", shares)(row) * means[task] * len(row.labels)
    assert total / len(drawn) == pytest.approx(sum(means), rel=0.03)

import pytest
import torch

from t2t.data.batch import Step
from t2t.data.collate import collate
from t2t.data.encode import Encoded
from t2t.engine.loss import TrainingModel, divisor, weigher
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

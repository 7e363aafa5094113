"""What each strategy keeps of a stage, and what it brings into the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from t2t.continual.anchors import fisher, normalised
from t2t.continual.replay import chosen
from t2t.continual.strategy import Stage, Strategy, Support, Trained, Training, read_strategy
from t2t.data.collate import collate
from t2t.data.encode import Encoded, Ids
from t2t.errors import RunDirectoryError, RunFileError
from t2t.generation.engine import Search
from t2t.generation.torch_engine import TorchEngine
from t2t.model.backbone import build_from_scratch
from t2t.model.peft import adapted, read_method, save_adapter
from t2t.model.seq2seq import Seq2Seq
from t2t.model.tokenizer import train_tokenizer
from tests.models import token_nll

SHAPE = {"d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 4}


def rows(task: str, count: int, seed: int = 0) -> list[Encoded]:
    draw = np.random.default_rng(seed)
    return [
        Encoded(f"{task}:{n}", 0, *(np.append(draw.integers(3, 50, 4), 1).astype(np.int32) for _ in range(2)))
        for n in range(count)
    ]


def stages(folder: Path, count: int) -> list[Stage]:
    folders = [folder / f"{number:02d}" for number in range(count)]
    return [Stage(number, one, tuple(folders[:number])) for number, one in enumerate(folders)]


def spelled(text: str) -> Ids:
    """Ids of letters, which say which text they are."""
    return np.array([3 + ord(letter) % 50 for letter in text] + [1], dtype=np.int32)


def training(rows_of: Mapping[str, Sequence[Encoded]] | None = None, vocabulary: str = "v") -> Training:
    return Training(rows=rows_of or {}, vocabulary=vocabulary, ids=spelled, seed=5)


def trained(rows_of: Mapping[str, Sequence[Encoded]], seed: int = 1, vocabulary: str = "v") -> Trained:
    return Trained(model=lambda: model(seed), rows=rows_of, vocabulary=vocabulary, ids=spelled, seed=5)


def model(seed: int) -> Seq2Seq:
    return build_from_scratch(SHAPE, 60, seed)


def strategy(name: str, **settings: object) -> Strategy:
    return read_strategy({"strategy": name, **settings}, lambda key: f"run.yaml:{key}")


def test_replay_keeps_a_share_of_each_task_and_the_same_whatever_the_order(tmp_path: Path) -> None:
    replay = strategy("replay", keep=0.1, share=0.25)
    first, second, third = stages(tmp_path, 3)
    assert not replay.begin(first, training()).rows
    replay.end(first, trained({"a": rows("a", 40), "b": rows("b", 5)}))
    one = replay.begin(second, training())
    assert [row.id.partition(":")[0] for row in one.rows] == ["a"] * 4 + ["b"]
    assert one.share == 0.25
    replay.end(second, trained({"c": rows("c", 20), "a": rows("a2", 40)}))
    two = replay.begin(third, training())
    ids = [row.id for row in two.rows]
    assert len([one for one in ids if one.startswith("a")]) == 8  # a tenth of the 80 that were seen
    assert len(ids) == 8 + 1 + 2
    backwards = chosen(rows("a", 40)[::-1], 4, 5, "a")
    assert [row.id for row in backwards] == [row.id for row in chosen(rows("a", 40), 4, 5, "a")]
    kept = {row.id: row for row in rows("a", 40)}
    assert all(np.array_equal(row.labels, kept[row.id].labels) for row in one.rows[:4])


def test_what_is_chosen_has_each_label_as_often_as_it_comes_and_each_row_alike() -> None:
    targets = [np.array([3 + number % 10, 1], dtype=np.int32) for number in range(200)]
    labelled = [replace(row, labels=target) for row, target in zip(rows("a", 200), targets, strict=True)]
    for seed in range(3):
        counts = Counter(int(row.labels[0]) for row in chosen(labelled, 50, seed, "a"))
        assert sorted(counts) == list(range(3, 13))
        assert set(counts.values()) == {5}
    own = Counter(row.id for seed in range(400) for row in chosen(rows("a", 20), 5, seed, "a"))  # a target each
    assert set(own) == {row.id for row in rows("a", 20)}
    assert all(60 < count < 140 for count in own.values())  # 100 each
    assert len(chosen(labelled, 500, 0, "a")) == 200


def test_replay_of_so_many_examples_is_shared_out_among_the_tasks(tmp_path: Path) -> None:
    replay = strategy("replay", examples=12)
    first, second, third = stages(tmp_path, 3)
    replay.end(first, trained({"a": rows("a", 40)}))
    assert len(replay.begin(second, training()).rows) == 12
    replay.end(second, trained({"b": rows("b", 40), "c": rows("c", 2)}))
    assert [row.id[0] for row in replay.begin(third, training()).rows] == ["a"] * 4 + ["b"] * 4 + ["c"] * 2
    with pytest.raises(RunDirectoryError, match="the examples that it keeps were encoded by another tokenizer"):
        replay.begin(third, training(vocabulary="another"))


def taught(some: Sequence[Encoded]) -> Seq2Seq:
    """A model that has learned some rows, so that what it says ends."""
    made = model(1)
    optimizer = torch.optim.Adam(made.parameters().values(), 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        nats, count, _ = token_nll(made, collate(some, made.ids, lambda _: 1.0))
        (nats / count).backward()
        optimizer.step()
    return made


def test_generative_replay_learns_to_write_prompts_and_answers_its_own(tmp_path: Path) -> None:
    some, many = rows("a", 8), rows("b", 20, 1)
    writes = strategy("generative", examples=9, writing=0.5)
    first, second, third = stages(tmp_path, 3)
    one = writes.begin(first, training({"a": some})).rows
    assert len(one) == 4
    by_id = {f"write {row.id}": row for row in some}
    for row in one:
        assert row.input_ids.tolist() == spelled("write a prompt of the task a").tolist()
        assert row.labels.tolist() == by_id[row.id].input_ids.tolist()
    able = taught([*some, *one])
    writes.end(first, replace(trained({"a": some}), model=lambda: able))
    two = writes.begin(second, training({"b": many})).rows
    written = [row for row in two if not row.id.startswith("write")]
    assert 4 < len(written) <= 9
    assert len({tuple(row.input_ids.tolist()) for row in written}) == len(written)
    assert sum(row.id.startswith("write a ") for row in two) == len(written)  # that it goes on to know how
    assert sum(row.id.startswith("write b:") for row in two) == 10
    engine = TorchEngine(able)
    for row in written:
        assert row.input_ids[-1] == row.labels[-1] == 1
        assert len(row.input_ids) <= 5
        assert engine.decode([row.input_ids.tolist()], Search(5))[0].ids == tuple(row.labels.tolist())
    both = replace(trained({"b": many}), model=lambda: able)
    writes.end(second, both)
    three = writes.begin(third, training({"c": some})).rows
    assert 1 < sum(row.id.startswith("a ") for row in three) <= 4  # nine are shared out between two tasks
    writes.end(second, both)  # killed before it was said to be done: the same again
    again = writes.begin(third, training({"c": some})).rows
    assert [row.input_ids.tolist() for row in again] == [row.input_ids.tolist() for row in three]


def test_the_fisher_information_is_of_each_example_and_not_of_their_mean() -> None:
    made, some = model(1), rows("a", 3)
    found = fisher(made, some)
    expected = {name: torch.zeros_like(one) for name, one in made.parameters().items()}
    for row in some:
        made.module.zero_grad()
        token_nll(made, collate([row], made.ids, lambda _: 1.0))[0].backward()
        for name, one in made.parameters().items():
            expected[name] += one.grad**2 / 3
    assert all(torch.allclose(found[name], one, rtol=1e-4, atol=1e-9) for name, one in expected.items())
    made.module.zero_grad()
    token_nll(made, collate(some, made.ids, lambda _: 1.0))[0].backward()
    name = "encoder.block.0.layer.0.SelfAttention.q.weight"
    together = (made.parameters()[name].grad / 3) ** 2
    assert not torch.allclose(found[name], together, rtol=0.1)
    whole = normalised(found)
    count = sum(one.numel() for one in whole.values())
    assert sum(float(one.sum()) for one in whole.values()) / count == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("online", [False, True])
def test_ewc_pulls_to_where_each_stage_ended_or_online_to_the_last(tmp_path: Path, online: bool) -> None:
    ewc = strategy("ewc", strength=3.0, examples=4, online=online, decay=0.5)
    first, second, third = stages(tmp_path, 3)
    assert ewc.begin(first, training()).anchor is None
    ewc.end(first, trained({"a": rows("a", 6)}, seed=1))
    ewc.end(second, trained({"b": rows("b", 6, 1)}, seed=2))
    one, two = ewc.begin(second, training()).anchor, ewc.begin(third, training()).anchor
    assert one is not None
    assert two is not None
    assert two.strength == 3.0
    own = [normalised(fisher(model(seed), chosen_of(task, seed))) for seed, task in ((1, "a"), (2, "b"))]
    for name, weight in model(2).parameters().items():
        old = model(1).parameters()[name].detach()
        importance = own[1][name] + 0.5 * own[0][name]
        assert torch.allclose(two.importance[name], importance, rtol=1e-4, atol=1e-7)
        pulled = importance * weight if online else own[1][name] * weight + 0.5 * own[0][name] * old
        assert torch.allclose(two.pulled[name], pulled, rtol=1e-4, atol=1e-7)
        assert torch.allclose(one.pulled[name], own[0][name] * old, rtol=1e-4, atol=1e-7)


def chosen_of(task: str, seed: int) -> list[Encoded]:
    """The four rows by which the importance is measured, as the strategy draws them."""
    from t2t.draws import chance_of

    own = rows(task, 6, seed - 1)
    return sorted(own, key=lambda row: chance_of(5, "fisher", task, row.id))[:4]


def test_l2_pulls_all_weights_alike_to_the_stage_before(tmp_path: Path) -> None:
    l2 = strategy("l2", strength=0.5)
    first, second, third = stages(tmp_path, 3)
    l2.end(first, trained({"a": rows("a", 2)}, seed=1))
    l2.end(second, trained({"a": rows("a", 2)}, seed=2))
    anchor = l2.begin(third, training()).anchor
    assert anchor is not None
    for name, weight in model(2).parameters().items():
        assert torch.equal(anchor.importance[name], torch.ones_like(weight))
        assert torch.equal(anchor.pulled[name], weight)


def test_olora_keeps_apart_from_the_rows_of_all_earlier_stages(tmp_path: Path) -> None:
    lora = read_method({"method": "lora"}, str)
    olora, own = read_strategy({"strategy": "olora", "strength": 2.0}, str, lora), []
    first, second, third = stages(tmp_path, 3)
    for seed, stage in ((1, first), (2, second)):
        torch.manual_seed(seed)
        method = read_method({"method": "lora", "r": 2, "targets": ["q", "wo"]}, str)
        assert method is not None
        save_adapter(adapted(model(1), method), method, stage.folder / "adapter")
        own.append(load_file(stage.folder / "adapter" / "adapter.safetensors"))
    assert olora.begin(first, training()) == Support()
    one, two = olora.begin(second, training()), olora.begin(third, training())
    assert one.orthogonal is not None
    assert two.orthogonal is not None
    assert (one.draw, two.draw, two.orthogonal.strength) == (1, 2, 2.0)
    names = [name for name in own[0] if "lora_A" in name]
    assert len(names) == 5
    assert two.orthogonal.earlier.keys() == one.orthogonal.earlier.keys() == set(names)
    for name in names:
        assert torch.equal(one.orthogonal.earlier[name], own[0][name])
        assert torch.equal(two.orthogonal.earlier[name], torch.cat([own[0][name], own[1][name]]))


def test_averaging_starts_the_next_stage_from_the_mean(tmp_path: Path) -> None:
    mean = strategy("averaging", before=0.25)
    first, second, _ = stages(tmp_path, 3)
    tokenizer = train_tokenizer(["some words"] * 10, 520)
    for seed, stage in ((1, first), (2, second)):
        build_from_scratch(SHAPE, len(tokenizer), seed).save(tokenizer, stage.folder / "model")
        mean.end(stage, trained({}))
    assert mean.model(first.folder) == first.folder / "model"
    old, new = (load_file(stage.folder / "model" / "model.safetensors") for stage in (first, second))
    found = load_file(mean.model(second.folder) / "model.safetensors")
    assert mean.model(second.folder) != second.folder / "model"
    assert all(torch.allclose(one, 0.25 * old[name] + 0.75 * new[name]) for name, one in found.items())
    mean.end(second, trained({}))  # killed before it was said to be done: the same again
    assert all(
        torch.equal(one, found[name])
        for name, one in load_file(mean.model(second.folder) / "model.safetensors").items()
    )


@pytest.mark.parametrize(
    ("data", "peft", "message"),
    [
        ({"strategy": "reply"}, None, "continual.strategy: unknown strategy 'reply'; did you mean 'replay'"),
        ({"strategy": "replay", "kept": 1}, None, "continual.kept: unknown key 'kept' of replay; did you mean 'keep'"),
        ({"strategy": "replay", "keep": 2}, None, "run.yaml:continual.keep: "),
        ({"strategy": "ewc"}, {"method": "lora"}, "ewc: it pulls the model's own weights, which peft: lora does not"),
        ({"strategy": "adapters"}, None, "adapters: each stage trains an adapter, and there is no peft:; say which: "),
        ({"strategy": "adapters"}, {"method": "lora", "init": "pissa"}, "adapters: this lora changes the base"),
        ({"strategy": "olora"}, None, "olora: each stage trains a plain LoRA, and there is no peft:; use peft: "),
        ({"strategy": "olora"}, {"method": "ia3"}, "olora: each stage trains a plain LoRA, and peft: is ia3; use "),
        ({"strategy": "olora"}, {"method": "lora", "dora": True}, "and its LoRA has dora: or init: pissa"),
        ({"strategy": "olora", "strength": -1}, {"method": "lora"}, "run.yaml:continual.strength: "),
        ({"strategy": "adapters"}, {"method": "ia3"}, "adapters: random weights are no base for adapters"),
    ],
)  # fmt: skip
def test_mistakes(data: dict[str, object], peft: dict[str, object] | None, message: str) -> None:
    with pytest.raises(RunFileError) as caught:
        read_strategy(data, lambda key: f"run.yaml:{key}", read_method(peft, str))
    assert message in str(caught.value)

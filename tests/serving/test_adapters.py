"""Several adapters on one base: each row by the adapter of its task, as if it were alone; the base stays as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import t2t
from t2t.cli import main
from t2t.config.run import Lengths
from t2t.errors import InputError
from t2t.model.backbone import build_from_scratch, load_pretrained
from t2t.model.peft import ADAPTER, BASE, adapted, read_method, save_adapter, weights_hash
from t2t.model.tokenizer import train_tokenizer
from t2t.serving.loading import load_with_adapters
from t2t.tasks.kept import FILE, keep
from t2t.tasks.task import load_task

TEXTS = ["Ada moved to Oslo", "Rome fell; Bo wept", "no names here", "Oslo, Oslo and Oslo"]
SHAPE = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 2}
LENGTHS = Lengths(prompt=128, target=32)
TASKS = ("atlas/ner_en", "atlas/topic_en", "atlas/intent_en")
METHODS: list[dict[str, Any]] = [
    {"method": "lora", "r": 4, "targets": ["q", "v", "wo"]},
    {"method": "lora", "dora": True},
    {"method": "ia3"},
    {"method": "prompt", "length": 5},
    {"method": "prefix", "length": 3},
    {"method": "bitfit"},
    {"method": "houlsby", "size": 4},
    {"method": "pfeiffer", "size": 4},
    {"method": "layernorm"},
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tokenizer = train_tokenizer([f"find names: {text} = city ; person" for text in TEXTS] * 5, 600)
    build_from_scratch(SHAPE, len(tokenizer), 1).save(tokenizer, folder, 32)
    return folder


def trained(base: Path, folder: Path, method: dict[str, Any], task: str, seed: int = 3) -> Path:
    """An adapter as training leaves it, its weights by chance."""
    torch.manual_seed(seed)
    model = load_pretrained(str(base))
    digest = weights_hash(model)
    found = read_method(method, str)
    assert found is not None
    adapted(model, found)
    with torch.no_grad():
        for parameter in model.parameters().values():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    save_adapter(model, found, folder, digest)
    (folder / FILE).write_text(keep([load_task(task)], LENGTHS, "0.1.0"), encoding="utf-8")
    return folder


def answers(model: Any, task: str) -> list[Any]:
    return [(one.id, one.value, one.text, one.score) for one in model(task, TEXTS)]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: "-".join(map(str, method.values())))
def test_each_is_as_if_it_were_alone_and_the_base_stays(base: Path, tmp_path: Path, method: dict[str, Any]) -> None:
    one = trained(base, tmp_path / "one", method, TASKS[0])
    other = trained(base, tmp_path / "other", {"method": "lora", "r": 2}, TASKS[1], seed=5)
    alone = [
        answers(t2t.load(base, adapters={"x": folder}), task) for folder, task in ((one, TASKS[0]), (other, TASKS[1]))
    ]
    both = t2t.load(base, adapters={"a": one, "b": other})
    assert both.tasks == list(TASKS[:2])
    for _ in range(2):
        assert [answers(both, task) for task in TASKS[:2]] == alone
    generator, others = load_with_adapters(base, {"a": one, "b": other}, "cpu")
    faces = [generator.engine.model, *(each.engine.model for each in others.values())]
    assert weights_hash(faces[0]) == weights_hash(load_pretrained(str(base)))
    held = {parameter.data_ptr(): parameter.numel() for face in faces for parameter in face.parameters().values()}
    sizes = [sum(parameter.numel() for parameter in face.parameters().values()) for face in faces]
    assert sum(held.values()) < 1.25 * sizes[0]  # once, with what is added
    # Alone in a folder of its own it is a model as training leaves it.
    whole = tmp_path / "whole"
    tokenizer = generator.tokenizer
    load_pretrained(str(base)).save(tokenizer, whole, 32)
    for name in (ADAPTER, "adapter.safetensors", FILE):
        (whole / name).write_bytes((one / name).read_bytes())
    assert answers(t2t.load(whole), TASKS[0]) == alone[0]


def test_a_mixed_file_is_answered_row_by_row_in_its_order(base: Path, tmp_path: Path) -> None:
    folders = {
        name: trained(base, tmp_path / name, method, task, seed)
        for seed, (name, method, task) in enumerate(
            zip("abc", (METHODS[0], METHODS[3], METHODS[6]), TASKS, strict=True)
        )
    }
    rows = [{"id": f"r{n}", "task": TASKS[n % 3], "text": TEXTS[n % 4]} for n in range(12)]
    rows.insert(5, {"id": "bad", "task": "atlas/none", "text": "x"})
    rows.insert(7, {"id": "worse", "text": "x"})
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = [f"{name}={folder}" for name, folder in folders.items()]
    out = tmp_path / "out.jsonl"
    command = ["generate", "--model", str(base), "--adapters", *given, "--input", str(tmp_path / "in.jsonl")]
    assert main([*command, "--output", str(out)]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["id"] for line in lines] == [f"r{n}" for n in range(12)]
    loaded = t2t.load(base, adapters=folders)
    for line, row in zip(lines, [row for row in rows if row["id"][0] == "r"], strict=True):
        (one,) = loaded(row["task"], [row["text"]])
        assert line["value"] == one.to_json()["value"]
        assert line["score"] == pytest.approx(one.score, abs=1e-4)
    bad = [json.loads(line) for line in (tmp_path / "out.jsonl.bad.jsonl").read_text().splitlines()]
    assert [one["found"] for one in bad] == ["its task is 'atlas/none', which is not known", "it has no field 'task'"]


def test_what_does_not_belong_together_is_refused(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = trained(base, tmp_path / "one", METHODS[0], TASKS[0])
    another = tmp_path / "another"
    model = build_from_scratch(SHAPE, load_pretrained(str(base)).vocabulary, 2)
    model.save(load_with_adapters(base, {}, "cpu")[0].tokenizer, another, 32)
    with pytest.raises(InputError, match="trained on other weights than those of the base; name the model that it was"):
        t2t.load(another, adapters={"a": one})
    with pytest.raises(InputError, match=r"the adapters a and b both know the task atlas/ner_en"):
        t2t.load(base, adapters={"a": one, "b": one})
    with pytest.raises(InputError, match=r"there is no adapter\.json in it"):
        t2t.load(base, adapters={"a": tmp_path})
    with pytest.raises(InputError, match="adapters are put on by the engine torch"):
        t2t.load(base, adapters={"a": one}, engine="ctranslate2")
    with pytest.raises(InputError, match="neither the base nor an adapter has a task 'atlas/ner'; did you mean"):
        t2t.load(base, adapters={"a": one})("atlas/ner", TEXTS)
    (one / FILE).unlink()
    with pytest.raises(InputError, match="keeps no tasks"):
        t2t.load(base, adapters={"a": one})
    (one / BASE).write_text("{}")
    for pair, told in ((f"a{one}", "it is no NAME=DIR"), (f"a={one}", "was trained on other weights")):
        assert main(["generate", "--model", str(base), "--input", "x.jsonl", "--adapters", pair]) == 2
        assert told in capsys.readouterr().err


def test_the_base_answers_its_own_tasks_beside_them(base: Path, tmp_path: Path) -> None:
    own = tmp_path / "base"
    load_pretrained(str(base)).save(load_with_adapters(base, {}, "cpu")[0].tokenizer, own, 32)
    (own / FILE).write_text(keep([load_task(task) for task in TASKS], LENGTHS, "0.1.0"), encoding="utf-8")
    plain = t2t.load(own)
    one = trained(base, tmp_path / "one", METHODS[0], TASKS[1])
    (one / FILE).unlink()  # one of an older version: its name says the task
    both = t2t.load(own, adapters={TASKS[1]: one})
    assert both.tasks == list(TASKS)
    assert answers(both, TASKS[0]) == answers(plain, TASKS[0])
    assert answers(both, TASKS[1]) != answers(plain, TASKS[1])

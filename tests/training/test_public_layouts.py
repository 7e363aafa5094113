"""The folder layouts of public checkpoints, at toy size with random weights: each is fine-tuned by a real run, saved,
loaded by plain transformers and generated from, which gives what t2t generates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from transformers import AutoTokenizer, MT5Config, PreTrainedModel, T5Config, T5ForConditionalGeneration, UMT5Config
from transformers import UMT5ForConditionalGeneration as UMT5

from t2t.model.backbone import load_pretrained
from t2t.model.families.t5 import untie_head
from t2t.tasks.sources import data_dir
from tests.forking import run_python

ROOT = Path(__file__).parents[2]
MODELS = data_dir() / "sentencepiece_models"
T5, MT5 = MODELS / "t5" / "spiece.model", MODELS / "mt5_zh_bojone" / "sentencepiece_cn.model"
SIZES = {"d_model": 16, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 2}
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
CHINESE = ["王明去了上海，她很高兴。", "北京是中国的首都（二〇一九年）！", "他说：你好，世界？", "小李在南京大学读书。"]
ENGLISH = ["El Niño met Ada in Oslo", "Bob lives in {Paris}", "Škoda is near Zoë", "nobody is here"]
pytestmark = pytest.mark.skipif(not (T5.is_file() and MT5.is_file()), reason=f"no {MODELS}")

TEMPLATE = """\
task: demo/copy
version: 1
source: {format: jsonl, train: rows.jsonl, test: rows.jsonl}
prompt: "copy: {text}"
target: {as: "{name} @ {text}", fields: {name: {span_of: text}, text: {text: text}}}
metrics: [exact_match]
"""
RUN = """\
run: %s
tasks: [%s.yaml]
model: {from: %s}
unsayable_share: 0.5
lengths: {prompt: 128, target: 70}
schedule: {epochs: 2}
batch: {tokens: 256, micro_batches: 1}
deepspeed: ds_configs/zero0.json
generate: {max_tokens: 70}
"""
TRIED = """\
import json, sys
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
from t2t.config.run import load_run
from t2t.engine import distributed
from t2t.commands.generate import generate_run
from t2t.training.train import train

device, found = distributed.start(), {}
for name in sys.argv[1:]:
    folder = train(load_run(f"{name}.run.yaml"), device)
    lines = {}
    for constrain in ("false", "true"):
        generate_run(load_run(f"{name}.run.yaml", [f"generate.constrain={constrain}"]))
        text = (folder / "predictions" / "demo" / f"{name}.jsonl").read_text()
        lines[constrain] = [json.loads(line) for line in text.splitlines()]
    model = AutoModelForSeq2SeqLM.from_pretrained(folder / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    plain = []
    for line in lines["false"]:
        ids = model.generate(**tokenizer(line["prompt"], return_tensors="pt"))[0].tolist()
        plain.append([tokenizer.decode(ids, skip_special_tokens=True), len(ids)])
    head = sorted(n for n, _ in model.named_parameters(remove_duplicate=True) if "lm_head" in n)
    found[name] = {
        "free": lines["false"], "constrained": lines["true"], "plain": plain,
        "head": head, "kind": model.config.model_type,
        "facts": json.loads((folder / "facts.json").read_text()),
        "data": json.loads((folder / "data.json").read_text())[f"demo/{name}"],
        "generation": json.loads((folder / "model" / "generation_config.json").read_text()),
    }
json.dump(found, open("found.json", "w"))
distributed.stop()
"""
Maker = Callable[[Path], None]


def weights(folder: Path, model: PreTrainedModel, as_pickle: bool, **config: Any) -> None:
    """Save ``model`` with a head of its own where its kind has one, as the hub has it."""
    torch.manual_seed(1)
    if config.get("tie_word_embeddings") is False:
        untie_head(model, torch.randn(model.shared.weight.shape) * 0.25)
    folder.mkdir()
    model.save_pretrained(folder)
    raw = json.loads((folder / "config.json").read_text())
    for key in ("scale_decoder_outputs", "tie_word_embeddings"):
        raw.pop(key, None)
    (folder / "config.json").write_text(json.dumps(raw | config))
    (folder / "generation_config.json").unlink()
    if as_pickle:
        (folder / "model.safetensors").unlink()
        state = dict(model.state_dict())
        torch.save({name: one.clone() for name, one in state.items()}, folder / "pytorch_model.bin")


def t5(gated: bool, as_pickle: bool, fast: bool) -> Maker:
    def make(folder: Path) -> None:
        more = GATED if gated else {}
        weights(folder, T5ForConditionalGeneration(T5Config(vocab_size=32_128, **SIZES, **more)), as_pickle, **more)
        shutil.copy(T5, folder / "spiece.model")
        if fast:
            AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
            assert (folder / "tokenizer.json").is_file()
            assert json.loads((folder / "tokenizer_config.json").read_text())["tokenizer_class"] == "T5Tokenizer"

    return make


def mt5(rows: int) -> Maker:
    def make(folder: Path) -> None:
        model = T5ForConditionalGeneration(T5Config(**MT5Config(vocab_size=rows, **SIZES).to_dict()))
        weights(folder, model, True, model_type="mt5", tie_word_embeddings=False, tokenizer_class="T5Tokenizer")
        shutil.copy(MT5, folder / "spiece.model")

    return make


def umt5(folder: Path) -> None:
    weights(folder, UMT5(UMT5Config(vocab_size=256_384, **SIZES)), True, tie_word_embeddings=False)
    shutil.copy(MT5, folder / "spiece.model")


def byt5(folder: Path) -> None:
    model = T5ForConditionalGeneration(T5Config(vocab_size=384, **SIZES, **GATED))
    weights(folder, model, True, tie_word_embeddings=False, tokenizer_class="ByT5Tokenizer")


def mengzi(folder: Path) -> None:
    """A Chinese vocabulary of its own, without bytes and without sentinels, in fewer rows than T5's."""
    model = T5ForConditionalGeneration(T5Config(vocab_size=400, **SIZES, **GATED))
    weights(folder, model, True, tie_word_embeddings=False)
    text = folder / "text"
    text.write_text(
        "\n".join([*CHINESE, "copy: name @ text ? ! ( ) , . abcdefghijklmnopqrstuvwxyz"] * 20), encoding="utf-8"
    )
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "spiece"), vocab_size=150, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        hard_vocab_limit=False, character_coverage=1.0, minloglevel=2,
    )  # fmt: skip
    for file in (text, folder / "spiece.vocab"):
        file.unlink()


LAYOUTS: dict[str, tuple[Maker, list[str]]] = {
    "t5-small": (t5(gated=False, as_pickle=False, fast=True), ENGLISH),
    "t5-v1_1": (t5(gated=True, as_pickle=True, fast=False), ENGLISH),
    "flan-t5": (t5(gated=True, as_pickle=False, fast=True), ENGLISH),
    "mt5": (mt5(250_112), CHINESE + ENGLISH),
    "umt5": (umt5, CHINESE + ENGLISH),
    "byt5": (byt5, CHINESE + ENGLISH),
    "mengzi": (mengzi, CHINESE),
    "randeng": (mt5(32_598), CHINESE),
}
FILES = {
    "t5-small": {"config.json", "model.safetensors", "spiece.model", "tokenizer.json", "tokenizer_config.json"},
    "mt5": {"config.json", "pytorch_model.bin", "spiece.model"},
    "byt5": {"config.json", "pytorch_model.bin"},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process found that trained every layout in turn."""
    place = tmp_path_factory.mktemp("layouts")
    (place / "ds_configs").symlink_to(ROOT / "ds_configs")
    for name, (make, texts) in LAYOUTS.items():
        make(place / name)
        assert FILES.get(name, set()) <= {file.name for file in (place / name).iterdir()}
        folder = place / "demo"
        folder.mkdir(exist_ok=True)
        (place / f"{name}.run.yaml").write_text(RUN % (name, f"demo/{name}", name))
        task = TEMPLATE.replace("demo/copy", f"demo/{name}").replace("rows", name)
        (folder / f"{name}.yaml").write_text(task)
        rows = [{"text": text, "name": text.split(" ")[0] if " " in text else text[:2]} for text in texts]
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    printed = place / "printed.txt"
    code = run_python(["-c", TRIED, *LAYOUTS], place, printed)
    assert not code, printed.read_text()[-5000:]
    found: dict[str, Any] = json.loads((place / "found.json").read_text())
    found["said"] = printed.read_text()
    found["place"] = str(place)
    return found


@pytest.mark.parametrize("name", LAYOUTS)
def test_it_is_fine_tuned_saved_and_generates_in_transformers(trained: dict[str, Any], name: str) -> None:
    found = trained[name]
    assert found["kind"] == ("umt5" if name == "umt5" else "t5")
    assert found["head"] == ([] if name == "t5-small" else ["lm_head.weight"])
    assert found["generation"]["max_new_tokens"] == 70
    assert found["facts"]["steps"] > 0
    whole = [(line, plain) for line, plain in zip(found["free"], found["plain"], strict=True)]
    assert len(whole) == len(LAYOUTS[name][1])
    for line, (plain, _) in whole:
        assert line["text"].replace("<unk>", "").strip() == plain.replace("<unk>", "").strip()
    assert max(length for _, length in found["plain"]) > 21  # plain transformers stops at 20 of its own accord


@pytest.mark.parametrize("name", LAYOUTS)
def test_its_outputs_can_be_constrained(trained: dict[str, Any], name: str) -> None:
    lines = trained[name]["constrained"]
    strict = [line for line in lines if not line["issues"] or {one["kind"] for one in line["issues"]} <= {"closed"}]
    assert strict
    assert all(line["value"]["name"]["found"] in ("exact", "folded", "accents") for line in strict)


def test_what_cannot_be_said_is_counted_told_and_kept(trained: dict[str, Any]) -> None:
    words = "2 of 4 targets changed, characters 'Š' 2, 'ë' 1, 'ñ' 1"
    for name in ("t5-small", "t5-v1_1", "flan-t5"):
        data = trained[name]["data"]
        assert (data["targets_changed"], data["targets_lost"], data["characters"]) == (2, 0, {"ñ": 1, "Š": 2, "ë": 1})
        assert data["unsayable"] == words
    assert trained["said"].count(words) == 3
    assert trained["mt5"]["data"]["targets_changed"] == 0
    assert "unsayable" not in trained["byt5"]["data"]


def test_pickles_are_told_and_safetensors_are_not(trained: dict[str, Any]) -> None:
    assert trained["said"].count("pytorch_model.bin: read by torch.load(weights_only=True)") >= 6


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_weight_is_random_after_loading(trained: dict[str, Any], name: str) -> None:
    place = Path(trained["place"])
    before = load_pretrained(place / name).module.state_dict()
    after = load_pretrained(place / "runs" / name / "model").module.state_dict()
    assert before.keys() == after.keys()
    moved = [float((before[key] - after[key]).abs().max() / (before[key].abs().max() + 1e-3)) for key in before]
    assert 0 < max(moved) < 0.2

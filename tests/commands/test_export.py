"""A model for others: what they load, what its card says, what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from t2t.cli import main
from t2t.commands.export import export
from t2t.config.run import Lengths
from t2t.model.backbone import build_from_scratch
from t2t.model.peft import adapted, read_method, save_adapter
from t2t.model.tokenizer import train_tokenizer
from t2t.tasks.kept import FILE, KeptTasks, keep
from t2t.tasks.task import load_task

SPEC = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
# Without t2t: as where it was never installed.
CLEAN = """\
import sys
sys.modules["t2t"] = None
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
tokenizer, model = (kind.from_pretrained(sys.argv[1]) for kind in (AutoTokenizer, AutoModelForSeq2SeqLM))
given = tokenizer("find names: Ada", return_tensors="pt")
print(model.generate(**given)[0].tolist())
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder as training, evaluation and generation leave it, as far as a card reads it."""
    folder = tmp_path / "runs" / "toy"
    tokenizer = train_tokenizer(["find names: Ada = city ; person"] * 10, 560)
    torch.manual_seed(1)
    build_from_scratch(SPEC, len(tokenizer)).save(tokenizer, folder / "model", 12)
    tasks = [load_task("atlas/ner_en"), load_task("slots/snips_inline")]
    (folder / "model" / FILE).write_text(keep(tasks[:1], Lengths(prompt=64, target=12), "0.1.0"), encoding="utf-8")
    (folder / "run.yaml").write_text("run: toy\n")
    scores = [{"task": "atlas/ner_en", "split": "test", "metric": "span_f1", "value": 0.91234, "low": 0.9, "high": 0.92,
               "n": 500}]  # fmt: skip
    (folder / "scores.json").write_text(json.dumps(scores))
    (folder / "data.json").write_text(json.dumps({"atlas/ner_en": {"n": 1234, "realised": 0.5}}))
    (folder / "facts.json").write_text(json.dumps({"parameters": 3580224, "steps": 9, "versions": {"t2t": "0.1.0"}}))
    return folder


def test_others_load_it_without_us(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["export", "--model", str(run), "--to", str(out)]) == 0
    said = [
        subprocess.run([sys.executable, "-c", CLEAN, str(folder)], capture_output=True, text=True, check=True).stdout
        for folder in (out, run / "model")
    ]
    assert said[0] == said[1]
    assert KeptTasks(out).names == ["atlas/ner_en"]


def test_the_card_says_what_the_run_knows(run: Path, tmp_path: Path) -> None:
    card = (export(run, tmp_path / "out") / "README.md").read_text(encoding="utf-8")
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head) == {
        "library_name": "transformers",
        "language": ["en"],
        "tags": ["text2text-generation", "t2t"],
    }
    for part in (
        "# toy",
        "| atlas/ner_en | Names of countries, cities, languages and currencies in English text. | en | `find names",
        "| atlas/ner_en | test | span_f1 | 0.9123 | 0.9 to 0.92 | 500 |",
        "| 1234 | 50.0% |",
        "- parameters: 3,580,224",
        "```yaml\nrun: toy\n```",
        "find names: {text}",
    ):
        assert part in body


def test_a_model_folder_alone_has_a_card_too(run: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(run / "model", tmp_path / "alone")
    (alone / FILE).unlink()
    card = (export(alone, tmp_path / "out") / "README.md").read_text(encoding="utf-8")
    assert "# alone" in card
    assert "does not say which tasks" in card
    assert "Scores\n" not in card


def test_what_cannot_be_given_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "thesis.txt").write_text("mine")
    assert main(["export", "--model", str(run), "--to", str(tmp_path / "there")]) == 2
    assert "it is there already; name a new folder" in capsys.readouterr().err
    assert main(["export", "--model", str(tmp_path), "--to", str(tmp_path / "out")]) == 2
    assert "no model/config.json" in capsys.readouterr().err
    method = read_method({"method": "prompt", "length": 2}, str)
    assert method is not None
    save_adapter(adapted(build_from_scratch(SPEC, 600), method), method, run / "model")
    assert main(["export", "--model", str(run), "--to", str(tmp_path / "out")]) == 2
    assert "what was trained is no part of the T5 beside it" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ctranslate2_gives_the_tokens_of_torch(run: Path, tmp_path: Path) -> None:
    ctranslate2 = pytest.importorskip("ctranslate2")
    from t2t.generation.generator import Decoding, Request
    from t2t.serving.loading import load_generator

    out = export(run, tmp_path / "out", "ctranslate2")
    assert "library_name: ctranslate2" in (out / "README.md").read_text()
    generator = load_generator(run)
    ids = generator.tokenizer("find names: Ada")["input_ids"]
    (ours,) = generator.generate([Request("a", ids)], Decoding(12))
    pieces = generator.tokenizer.convert_ids_to_tokens(ids)
    (theirs,) = ctranslate2.Translator(str(out)).translate_batch([pieces], beam_size=1, max_decoding_length=12)
    found = generator.tokenizer.convert_tokens_to_ids(theirs.hypotheses[0])
    assert [token for token in ours.ids if token != 1] == found


def test_without_ctranslate2_it_says_how_to_get_it(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from t2t.errors import InputError

    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    monkeypatch.setitem(sys.modules, "ctranslate2.converters", None)
    with pytest.raises(InputError, match="ctranslate2 is not installed; install it"):
        export(run, tmp_path / "out", "ctranslate2")

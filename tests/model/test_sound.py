"""Models and tokenizers that were made to hurt: one sentence, at once, in little memory."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from t2t.errors import InputError
from t2t.model.backbone import build_from_scratch, load_pretrained
from t2t.model.tokenizer import load_tokenizer, train_tokenizer

SPEC = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
SECONDS, GIGABYTES = 10.0, 2.0


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tokenizer = train_tokenizer(["a b"], 520)
    build_from_scratch(SPEC, len(tokenizer)).save(tokenizer, tmp_path)
    return tmp_path


def change(file: Path, **keys: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


@pytest.fixture(autouse=True)
def bounded() -> Any:
    unit = 1 << 30 if sys.platform == "darwin" else 1 << 20
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    yield
    assert time.monotonic() - began < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit < GIGABYTES


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_heads": 0}, "num_heads of its config.json is 0, not from 1 to 4,096"),
        ({"num_layers": 10**7}, "num_layers of its config.json is 10000000, not from 1 to 1,024"),
        ({"d_model": -1}, "d_model of its config.json is -1"),
        ({"relative_attention_num_buckets": 0}, "relative_attention_num_buckets of its config.json is 0"),
        ({"num_layers": 1000, "d_ff": 1 << 20}, r"describes 50,383,\d{3},\d{3} parameters, its files hold 12,\d{3}"),
        ({"vocab_size": 1 << 23}, r"describes 134,\d{3},\d{3} parameters, its files hold 12,\d{3}"),
    ],
)
def test_a_config_beyond_reason_is_refused(model: Path, config: dict[str, int], message: str) -> None:
    change(model / "config.json", **config)
    with pytest.raises(InputError, match=message):
        load_pretrained(model)


def growing() -> dict[str, Any]:
    step = {"type": "Replace", "pattern": {"Regex": "."}, "content": "a" * 50}
    return {"normalizer": {"type": "Sequence", "normalizers": [step] * 4}}


def exploding() -> dict[str, Any]:
    pattern = {"Regex": r"^(a+)+$|(a|a)*b|(\s+)+x"}
    return {"pre_tokenizer": {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (growing(), "its normaliser makes 6,250,000 characters of 'a'"),
        (exploding(), "it cannot encode a plain line|it takes more than 5 s"),
    ],
)
def test_a_tokenizer_that_does_no_work_is_refused(model: Path, content: dict[str, Any], message: str) -> None:
    change(model / "tokenizer.json", **content)
    with pytest.raises(InputError, match=message):
        load_tokenizer(model)


def test_a_vocabulary_that_is_empty_is_refused(model: Path) -> None:
    kind = json.loads((model / "tokenizer.json").read_text())["model"]
    change(model / "tokenizer.json", model=kind | {"vocab": []})
    with pytest.raises(InputError, match=r"no tokenizer could be loaded \(.*vocab"):
        load_tokenizer(model)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("mode", [0o600, 0o744])
@pytest.mark.parametrize("closed", ["model.safetensors", "config.json", "tokenizer.json", ".", ".."])
def test_what_another_user_may_not_read_is_said_to_be_so(closed: str, mode: int) -> None:
    if mode == 0o744 and not closed.startswith("."):
        pytest.skip("readable")
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        folder = Path(open_to_all) / "model"
        tokenizer = train_tokenizer(["a b"], 520)
        build_from_scratch(SPEC, len(tokenizer)).save(tokenizer, folder)
        (folder / closed).chmod(mode)
        os.seteuid(65534)
        try:
            for load in (load_pretrained, load_tokenizer):
                with pytest.raises(InputError, match=r"/model.*: this user may not read it; let its owner"):
                    load(folder)
        finally:
            os.seteuid(0)


def test_a_folder_with_a_link_to_nothing_and_a_closed_file_of_others_is_read(model: Path) -> None:
    (model / "pytorch_model.bin").symlink_to(model / "pruned")
    (model / "training_args.bin").write_bytes(b"")
    (model / "training_args.bin").chmod(0)
    assert load_pretrained(model).tied

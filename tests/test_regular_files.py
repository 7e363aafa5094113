"""A name of a stranger leads to a regular file, or to one sentence at once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from t2t.authoring.new.given_files import text_files
from t2t.config.run import load_run
from t2t.config.template import read_template
from t2t.engine.deepspeed_file import read_deepspeed
from t2t.errors import InputError
from t2t.json_lines import json_line
from t2t.model.backbone import load_pretrained
from t2t.regular_files import read_regular
from t2t.tasks.data_files import find_file
from t2t.tasks.sources import build_source
from t2t.tasks.task import load_task


@pytest.fixture(params=["pipe", "device", "folder", "log"])
def strange(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "family" / "strange.yaml"
    path.parent.mkdir()
    match request.param:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "log":
            if not Path("/proc/kmsg").exists():
                pytest.skip("no /proc/kmsg")
            path.symlink_to("/proc/kmsg")
    return path


def test_it_is_told_at_once(strange: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    for read in (load_run, read_template):
        with pytest.raises(InputError, match=r"strange\.yaml"):
            read(strange)
    run = tmp_path / "run.yaml"
    run.write_text("run: a\ntasks: [a/b]\nmodel: {from: x}\nschedule: {steps: 1}\n")
    with pytest.raises(InputError, match=r"strange\.yaml"):
        read_deepspeed(strange, load_run(run))
    assert time.monotonic() - began < 5


def test_it_is_no_template_no_data_and_no_model(strange: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match=r"strange\.yaml(:1: the file is no mapping|: cannot be read )"):
        load_task(str(strange))
    with pytest.raises(InputError, match=r"strange\.yaml is no regular file|no file 'family/strange\.yaml'"):
        find_file("family/strange.yaml", tmp_path, "t.yaml:1")
    for form in ("jsonl", "csv", "tsv", "parquet"):
        source = build_source({"format": form, "train": "family/strange.yaml"}, tmp_path, "t.yaml:1")
        with pytest.raises(InputError, match=r"is no regular file|no file 'family/strange\.yaml'|no folder"):
            list(source.records("train"))
    assert text_files(str(strange.parent)) == []
    (tmp_path / "model").mkdir()
    strange.rename(tmp_path / "model" / "config.json")
    if not (tmp_path / "model" / "config.json").is_dir():
        with pytest.raises(InputError, match=r"model|config\.json"):
            load_pretrained(tmp_path / "model")
    assert time.monotonic() - began < 10


def test_no_more_is_read_than_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abcdef")
    assert read_regular(tmp_path / "a", 4) == b"abcd"
    assert read_regular(tmp_path / "a", 40) == b"abcdef"


def test_a_line_of_json_is_json() -> None:
    row = {"a": float("nan"), "b": [1.5, float("-inf"), {"c": (float("inf"), "é")}], "d": True}
    assert json_line(row) == '{"a": null, "b": [1.5, null, {"c": [null, "é"]}], "d": true}\n'
    assert json.loads(json_line({"a": 1e308, "b": Path("x")}, default=str)) == {"a": 1e308, "b": "x"}

"""The walk of docs/first_steps.md, from an installed wheel in an empty folder: own file, template, check, a pretrained
T5, a model that knows its tasks, structures from text without gold, by command and by Python."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from t2t.config.run import load_run
from t2t.tasks.sources import data_dir
from tests.test_wheel import site  # noqa: F401  (a fixture)

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "first_steps.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line[2:] for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]
TOY = ["--set", "schedule.epochs=null", "--set", "schedule.steps=3", "--set", "lengths.target=24"]
PEOPLE = "Ada Moss,Zoë Quist,Li Wei,Tom Hale,Uma Das,Ida Roth,Sam Oke,Jo Lind,Ben Ruiz,Mia Cole,Raj Nair,Eva Holm"
FIRMS = "Acme Corp,Novi Lab,Kite & Co,Orbit GmbH,Blue Fern,Delta Works,Pine Ltd,Vega Soft,Iron Bay,Lumen AG"
PLACES = "Oslo,Lima,Graz,São Bento,New Harbour,Kyoto,Leeds,Porto,Turku,Quito"
FORMS = (
    "{p} joined {f} in {c} on day {n}.", "In {c}, {f} hired {p} ({n}).", "{f} of {c} thanked {p}; note {n}.",
    "{p} left {c} for {f} after {n} days.", "Day {n}: {p} of {f} met the press in {c}.",
)  # fmt: skip
KINDS = {"p": "PER", "f": "ORG", "c": "LOC"}
SPIECE = data_dir() / "sentencepiece_models" / "t5"


def notes(count: int) -> list[dict[str, Any]]:
    """Annotated sentences as doccano exports them."""
    draw = random.Random(1)
    made = []
    for number in range(count):
        said = {key: draw.choice(names.split(",")) for key, names in (("p", PEOPLE), ("f", FIRMS), ("c", PLACES))}
        text = FORMS[number % len(FORMS)].format(n=number, **said)
        marks = sorted((text.index(name), text.index(name) + len(name), KINDS[key]) for key, name in said.items())
        entities = [{"id": i, "label": k, "start_offset": a, "end_offset": b} for i, (a, b, k) in enumerate(marks)]
        made.append({"id": number, "text": text, "entities": entities})
    return made


def pretrained(folder: Path) -> None:
    """A T5 of toy size with T5's own vocabulary and random weights, as the public checkpoints lie in a folder."""
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(1)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    T5ForConditionalGeneration(T5Config(vocab_size=32128, decoder_start_token_id=0, **sizes)).save_pretrained(folder)
    shutil.copy(SPIECE / "spiece.model", folder)


def run(site: Path, folder: Path, command: str, *more: str) -> str:  # noqa: F811
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", *command.split(), *more]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr[-3000:]}"
    return done.stdout


def printed(command: str) -> list[str]:
    """What the page shows below a command."""
    block = next(block for block in BLOCKS if f"$ {command}\n" in block)
    below = block.partition(f"$ {command}\n")[2].partition("$ ")[0]
    return below.splitlines()


def test_the_page_shows_the_file() -> None:
    shown = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    assert [json.loads(line) for line in shown[1].splitlines()] == notes(2)


@pytest.mark.skipif(not SPIECE.is_dir(), reason=f"no vocabulary of T5 at {SPIECE}; set T2T_DATA")
def test_the_walk(site: Path, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "notes.jsonl").write_text(
        "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in notes(400)), encoding="utf-8"
    )
    texts = ["Zoë Quist joined Kite & Co in Leeds on day 900.", "In Quito, Pine Ltd hired Mia Cole (12)."]
    (tmp_path / "new.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    pretrained(tmp_path / "t5")
    new, check, train, scratch, generate, evaluate, report, answer, again = COMMANDS
    for command in (new, check):
        found = run(site, tmp_path, command).splitlines()
        assert [line for line in printed(command) if line not in found] == []
    assert load_run_settings(tmp_path, scratch) == (None, 192, 700)
    run(site, tmp_path, train, *TOY)
    (tmp_path / "notes.jsonl").rename(tmp_path / "notes.moved")  # the model reads nothing of it
    found = [json.loads(line) for line in run(site, tmp_path, answer).splitlines()]
    check_answers(found, texts)
    run(site, tmp_path, again)
    (tmp_path / "notes.moved").rename(tmp_path / "notes.jsonl")
    run(site, tmp_path, generate)
    assert "ner/notes  span_f1" in run(site, tmp_path, evaluate)
    assert run(site, tmp_path, report).strip() == printed(report)[0]
    script = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert script is not None
    (tmp_path / "script.py").write_text(script[1], encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said = [(item["type"], item["text"]["text"]) for item in found[0]["value"]]
    assert [tuple(re.fullmatch(r"(\S+) (.*) \d+ \d+", line).groups()) for line in done.stdout.splitlines()] == said  # type: ignore[union-attr]


def load_run_settings(folder: Path, command: str) -> tuple[str | None, Any, int]:
    """Model, width and steps of a training command."""
    words = command.split()
    run_ = load_run(folder / words[2], [words[place + 1] for place, word in enumerate(words) if word == "--set"])
    return run_.model.source, run_.model.shape["d_model"], run_.schedule.steps


def check_answers(found: list[dict[str, Any]], texts: list[str]) -> None:
    """Structures of the task, with offsets into the texts."""
    assert [one["id"] for one in found] == ["1", "2"]
    for one, text in zip(found, texts, strict=True):
        assert set(one) == {"id", "value", "issues", "score", "confidence"}
        for item in one["value"]:
            span = item["text"]
            assert text[span["start"] : span["end"]] == span["text"]
            assert item["type"] in KINDS.values()

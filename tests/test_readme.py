"""Every command of the README runs, and what it shows is what is printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
# Toy sizes for commands that train or need what training leaves.
TOY = [
    "run=readme", "tasks=[{task: atlas/ner_en, limit: 40}, {task: atlas/qa_en, limit: 40}]", "tokenizer.vocab_size=800",
    "model.from_scratch.d_model=16", "model.from_scratch.num_layers=1", "model.from_scratch.num_decoder_layers=1",
    "schedule.steps=4", "lengths.target=24", "generate.limit=4",
]  # fmt: skip
SETS = [part for override in TOY for part in ("--set", override)]
RUN = [
    "deepspeed launch.sh --config examples/atlas.yaml",
    "./launch.sh --config examples/atlas.yaml",
    "t2t generate --config examples/atlas.yaml",
    "t2t evaluate --config examples/atlas.yaml",
    "t2t report --config examples/atlas.yaml",
]
PLAIN = ["t2t list", "t2t show atlas/ner_en", "t2t show atlas/event_zh", "t2t check atlas/ner_en"]
NAMED = {"t2t demo --ask", "t2t check", "t2t new", "t2t evaluate", "t2t report", "t2t drift",
         "t2t export --model runs/atlas --to OUT"}  # fmt: skip  # spoken of, not shown


def commands() -> list[str]:
    """All commands in the README: inline code and console blocks that begin with one of our programs."""
    inline = re.findall(r"`((?:t2t|deepspeed|\./launch\.sh|make) [^`\n]*)`", README)
    console = re.findall(r"^(?:\$ )?((?:t2t|deepspeed|make) [^#\n]*)", README, re.MULTILINE)
    return sorted({command.strip() for command in inline + console if "FILE" not in command})


def run(command: str, cwd: Path = ROOT, *more: str) -> subprocess.CompletedProcess[str]:
    words = [word if word != "launch.sh" else str(ROOT / word) for word in command.split()]
    words = [str(ROOT / word) if word.startswith(("examples/", "./launch.sh")) else word for word in words]
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*words, *more], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_every_command_of_the_readme_is_one_that_runs_here() -> None:
    known = {*RUN, *PLAIN, "make demo", "make test", "make check", "make faults"}
    unknown = [c for c in commands() if c not in known and c not in NAMED]
    assert unknown == []
    assert set(PLAIN) <= set(commands())


@pytest.mark.parametrize("command", PLAIN)
def test_commands_that_need_no_training(command: str) -> None:
    done = run(command)
    assert done.returncode == 0, done.stderr


def test_the_printed_output_is_the_output() -> None:
    shown = re.search(r"^\$ t2t show atlas/ner_en\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert run("t2t show atlas/ner_en").stdout.rstrip() == shown[1].rstrip()


def test_the_yaml_is_the_template() -> None:
    block = re.search(r"```yaml\n# (task_templates/\S+)\n(.*?)```", README, re.DOTALL)
    assert block is not None
    assert yaml.safe_load(block[2]) == yaml.safe_load((ROOT / block[1]).read_text(encoding="utf-8"))


def test_the_run_file_is_the_example() -> None:
    block = re.search(r"```yaml\n# (examples/finetune.yaml)[^\n]*\n(.*?)```", README, re.DOTALL)
    assert block is not None
    assert yaml.safe_load(block[2]) == yaml.safe_load((ROOT / block[1]).read_text(encoding="utf-8"))


def test_commands_that_train_and_what_follows(tmp_path: Path) -> None:
    for command in RUN:
        done = run(command, tmp_path, *SETS)
        assert done.returncode == 0, f"{command}: {done.stderr[-3000:]}"
    assert (tmp_path / "runs" / "readme" / "report.html").is_file()


def test_the_demo(tmp_path: Path) -> None:
    """`make demo` and `make test` do what they say: the demo itself here at toy size."""
    for target, expected in (("demo", "/t2t demo"), ("test", "/python -m pytest"), ("check", "mypy")):
        assert expected in run(f"make --dry-run {target}").stdout
    done = run("t2t demo", tmp_path, *SETS)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "span_f1" in done.stdout
    assert "report.html" in done.stdout


PAGE = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
PAGE_TEMPLATES = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if block.startswith("task: ")]


@pytest.mark.parametrize("block", PAGE_TEMPLATES, ids=lambda block: block.split()[1])
def test_every_template_of_the_language_page_runs(block: str, tmp_path: Path) -> None:
    """It compiles, and where its data are there, its first examples go to the target and back."""
    from t2t.tasks.sources import data_dir
    from t2t.tasks.task import load_task, named_tasks

    path = tmp_path / f"{block.split()[1]}.yaml"
    path.parent.mkdir()
    path.write_text(block, encoding="utf-8")
    tasks = [load_task(name) for name in named_tasks(str(path))]
    if not data_dir().is_dir():
        pytest.skip(f"no data sets at {data_dir()}; set T2T_DATA")
    for task in tasks:
        for example in islice(task.windowed(task.examples(task.splits()[0])), 20):
            rendered = task.render(example)
            assert rendered.prompt
            assert task.parse(rendered.target, example).ok


def test_the_language_page_has_every_format_and_adapter_with_its_arguments() -> None:
    import t2t.tasks.fields  # noqa: F401  (adapters and formats register)
    from t2t.tasks.fields.adapter import ADAPTERS
    from t2t.tasks.sources.base import SOURCES

    for name in ADAPTERS.names():
        told = re.findall(rf"^\| `({name}: .*?)` \|", PAGE, re.MULTILINE)
        said = re.findall(rf"``({name}: .*?)``", " ".join((ADAPTERS.get(name, "").__doc__ or "").split()))
        assert set(told) & set(said), name
    formats = PAGE[PAGE.index("Formats: ") : PAGE.index("Files are looked")]
    assert all(f"`{name}`" in formats for name in SOURCES.names())


def test_gold_with_offsets_is_put_together_as_the_language_page_says(tmp_path: Path) -> None:
    from t2t.config.template import read_template
    from t2t.tasks.task import Task

    record, expression = re.search(r'here `(\{"triples.*?)`.*?expression: `triples: "(.*?)"`', PAGE, re.DOTALL).groups()
    (tmp_path / "aspects").mkdir()
    path = tmp_path / "aspects" / "triples.yaml"
    path.write_text(
        "task: aspects/triples\nversion: 1\nsource: {format: jsonl, train: train.jsonl}\n"
        f'fields: {{text: text, triples: "{expression}"}}\nprompt: "{{text}}"\n'
        "target: {each: triples, as: '{aspect} = {mood}', fields: {aspect: {span_of: text}, mood: {label: [bad]}}}\n"
        "metrics: [exact_match]\n"
    )
    (path.parent / "train.jsonl").write_text(json.dumps({"text": "the hinge is awful", **json.loads(record)}))
    (example,) = Task(read_template(path)).examples("train")
    assert example.gold[0]["aspect"].start == 4


def test_the_example_of_the_language_page_gives_what_it_says(tmp_path: Path) -> None:
    from t2t.config.template import read_template
    from t2t.tasks.sources import data_dir
    from t2t.tasks.task import Task

    if not data_dir().is_dir():
        pytest.skip(f"no data sets at {data_dir()}; set T2T_DATA")
    (tmp_path / "snips").mkdir()
    path = tmp_path / "snips" / "joint.yaml"
    path.write_text(PAGE_TEMPLATES[-1])
    task = Task(read_template(path))
    example = next(
        example for example in task.examples("train") if example.fields["text"].strip() == "play techno on lastfm"
    )
    assert task.target_text(example) == "play music @ genre = techno ; service = lastfm"
    assert "`play music @ genre = techno ; service = lastfm`" in PAGE

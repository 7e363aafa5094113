import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from t2t.cli import build_parser, main

ROOT = Path(__file__).resolve().parents[1]
FLAGS = {
    "check": ["--json", "--tokenizer", "--trust-python", "template"],
    "show": ["--epoch", "--id", "--split", "--tokenizer", "--trust-python", "task"],
    "new": ["--from", "--out"],
    "list": [],
    "train": ["--allow-unverified", "--config", "--dry-run", "--set", "--trust-python", "file"],
    "generate": [
        "--adapters",
        "--config",
        "--distributed",
        "--field",
        "--format",
        "--input",
        "--keep",
        "--min-score",
        "--model",
        "--output",
        "--set",
        "--task",
        "--top",
        "--trust-python",
        "--types",
        "--unique-ids",
        "--workers",
    ],
    "explain": [
        "--adapters",
        "--field",
        "--format",
        "--input",
        "--json",
        "--limit",
        "--model",
        "--output",
        "--task",
        "--trust-python",
    ],
    "drift": [
        "--fail-on-drift",
        "--field",
        "--format",
        "--input",
        "--json",
        "--limit",
        "--model",
        "--task",
        "--trust-python",
    ],
    "export": ["--format", "--model", "--public", "--push", "--quantization", "--to"],
    "evaluate": ["--config", "--set", "--trust-python"],
    "report": ["--config", "--set", "--trust-python"],
    "demo": ["--ask", "--set", "--trust-python"],
}


def test_flags_are_frozen() -> None:
    actions = build_parser()._subparsers._group_actions[0]
    assert isinstance(actions, argparse._SubParsersAction)
    found = {
        name: sorted(
            action.option_strings[0] if action.option_strings else action.dest
            for action in command._actions
            if action.dest != "help"
        )
        for name, command in actions.choices.items()
    }
    assert found == FLAGS


def cpu_seconds() -> float:
    """Of the processes that have ended: what a busy machine does not lengthen."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("arguments", [["--help"], ["list"]])
def test_starts_in_a_blink_without_torch(arguments: list[str]) -> None:
    code = (
        "import sys; from t2t.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)"
    )
    times = []
    for _ in range(3):
        started = cpu_seconds()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        times.append(cpu_seconds() - started)
        assert done.returncode == 0, done.stderr
        assert "check" in done.stdout or "task" in done.stdout
    assert min(times) < 0.35


def test_a_users_mistake_is_one_sentence_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "atlas/ner_em"]) == 2
    assert capsys.readouterr().err == "t2t: task: unknown task 'atlas/ner_em'; did you mean 'atlas/ner_en'?\n"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "x/y"), 2, "t2t: x/y: No such file or directory; "),
        (OSError(28, "No space left on device"), 1, "t2t: a disk is full; make room"),
        (UnicodeEncodeError("ascii", "é", 0, 1, "no such character"), 1, "t2t: 'ascii' codec can't encode"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int, words: str
) -> None:
    def refuse() -> str:
        raise error

    monkeypatch.setattr("t2t.authoring.listing.list_tasks", refuse)
    assert main(["list"]) == code
    told = capsys.readouterr().err
    assert told.startswith(words)
    assert told.count("\n") == 1


def test_a_terminal_without_chinese_still_gets_the_list() -> None:
    code = "import t2t.cli; import t2t.authoring.listing as l; l.list_tasks = lambda: '中'; t2t.cli.main(['list'])"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == "\\u4e2d\n", done.stderr


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("schedule.stepz=3", "unknown key 'stepz'; did you mean 'steps'?"),
        ("tasks=[snips/jont]", "unknown task 'snips/jont'; did you mean 'snips/joint'?"),
        ("deepspeed=nix.json", "nix.json cannot be read"),
    ],
)
def test_train_tells_mistakes_before_it_starts_anything(
    setting: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *given, **settings: pytest.fail("something was started"))
    assert main(["train", str(ROOT / "examples" / "snips.yaml"), "--set", setting]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("given", [[], ["run.yaml", "--config", "run.yaml"]])
def test_train_takes_one_run_file(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *given]) == 2
    assert capsys.readouterr().err == "t2t: t2t train: there is not exactly one run file; write t2t train FILE\n"

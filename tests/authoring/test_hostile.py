"""Templates and files of strangers: bounded time and memory, one sentence with file and line, exit code 2 (a template)
or an error of ``t2t check`` (a record), never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from t2t.cli import main

TEMPLATE = """\
task: demo/x
version: 1
source: {format: jsonl, train: train.jsonl}
prompt: "say: {text}"
target: {label: {LABELS}, gold: label}
metrics: [accuracy]
"""
GOOD = TEMPLATE.replace("{LABELS}", "[good, bad]")
ROW = '{"text": "t", "label": "good"}\n'
SECONDS = 10.0
MEGABYTES = 100
# Prints, as the last line: exit code, seconds, growth of the largest resident size in MB.
PROBE = """\
import resource, sys, time
from t2t.cli import main
main(["check", sys.argv[1]])
sys.stdout.flush()
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
code = main(sys.argv[2:])
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (1 << 20 if sys.platform == "darwin" else 1024)
print(f"\\n{code} {time.process_time() - began} {grown}")
"""


def write(folder: Path, template: str | bytes = GOOD, data: str | bytes = ROW) -> Path:
    path = folder / "demo" / "x.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(template if isinstance(template, bytes) else template.encode())
    (path.parent / "train.jsonl").write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def probe(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and what was printed; time and memory beside a sound check are bounded."""
    sound = write(folder / "sound")
    command = [sys.executable, "-c", PROBE, str(sound), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    code, seconds, grown = done.stdout.splitlines()[-1].split()
    assert float(seconds) < SECONDS
    assert float(grown) < MEGABYTES
    return int(code), done.stdout + done.stderr


ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
TEMPLATES: dict[str, tuple[str | bytes, int, str]] = {
    "alias bomb": (ALIASES, 1, "anchors and aliases are not read; correct it"),
    "a million braces": (GOOD.replace("say:", "{" * 999_999), 4, "write {name}, or {{ and }} for braces"),
    "a million closing braces": (GOOD.replace("say:", "}" * 999_999), 4, "write {name}, or {{ and }} for braces"),
    "many names": (GOOD.replace("say:", "{text}" * 100_000), 0, ""),
    "a 100,000-deep list": (GOOD.replace("[good, bad]", "[" * 100_000), 5, "more than 50 levels"),
    "deep blocks": ("".join(f"{' ' * n}a:\n" for n in range(200)), 50, "more than 50 levels"),
    "huge number": (GOOD.replace("version: 1", "version: " + "9" * 1_000_000), 2, "a number of 1000000 digits"),
    "huge hexadecimal": (GOOD.replace("version: 1", "version: 0x" + "f" * 200), 2, "a number of 202 digits"),
    "key twice": (GOOD + "task: demo/x\n", 7, "the key 'task' stands twice"),
    "label twice": (GOOD.replace("[good, bad]", "{a: x, a: y}"), 5, "the key 'a' stands twice"),
    "yaml booleans as words": (GOOD.replace("[good, bad]", "{good: true, bad: false}"), 5, "has the words True"),
    "invalid UTF-8": (GOOD.encode() + b"# \xff\n", 7, "no UTF-8 text"),
    "NUL": (GOOD + "# \0\n", 7, "the character '\\x00'"),
    "tabs": (GOOD.replace("version: 1", "\tversion: 1"), 2, "no readable YAML"),
    "code": (GOOD.replace("version: 1", "version: !!python/object/apply:os.system [x]"), 2, "is not read"),
    "a 20 MB comment": (GOOD + "# " + "x" * 20_000_000, 1, "larger than"),
    "merge keys": (GOOD + "<<: {version: 2}\n", 7, "unknown key '<<'"),
}


Captured = pytest.CaptureFixture[str]


def run(capsys: Captured, *arguments: str) -> tuple[int, str]:
    """As ``probe``, in this process and without a look at memory."""
    began = time.process_time()
    code = main(arguments)
    assert time.process_time() - began < SECONDS
    captured = capsys.readouterr()
    return code, captured.out + captured.err


@pytest.mark.parametrize("case", [case for case in TEMPLATES if TEMPLATES[case][1]])
def test_a_hostile_template_is_one_sentence(tmp_path: Path, capsys: Captured, case: str) -> None:
    template, line, words = TEMPLATES[case]
    path = write(tmp_path, template)
    long = len(template) > 100_000
    code, told = probe(tmp_path, "show", str(path)) if long else run(capsys, "show", str(path))
    assert code == 2
    (sentence,) = (part for part in told.splitlines() if part.startswith("t2t: "))
    assert f"{path}:{line}: " in sentence
    assert words in sentence
    assert len(sentence) < 1000


def test_many_names_in_a_prompt_are_no_mistake(tmp_path: Path) -> None:
    assert probe(tmp_path, "check", str(write(tmp_path, TEMPLATES["many names"][0])))[0] == 0


def test_yes_and_no_are_words(tmp_path: Path, capsys: Captured) -> None:
    yes = TEMPLATE.replace("{LABELS}", "{yes: yes, no: no, on: off}")
    data = "".join(json.dumps({"text": word, "label": word}) + "\n" for word in ("yes", "no", "on"))
    code, told = run(capsys, "check", str(write(tmp_path, yes, data)))
    assert code == 0, told
    assert "3 of 3" in told


def test_true_labels_of_json_are_found_by_true(tmp_path: Path, capsys: Captured) -> None:
    labels = TEMPLATE.replace("{LABELS}", "{true: entailed, false: not entailed}")
    data = '{"text": "a", "label": true}\n{"text": "b", "label": false}\n'
    assert run(capsys, "check", str(write(tmp_path, labels, data)))[0] == 0
    assert run(capsys, "check", str(write(tmp_path, labels, data.replace("true", '"true"'))))[0] == 0  # one equality
    code, told = run(capsys, "check", str(write(tmp_path, labels, data.replace("true", "1"))))
    assert code == 1
    assert "train.jsonl:1: gold of 'label' is 1, which is no label of the closed set" in told


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path, capsys: Captured) -> None:
    path = write(tmp_path, "\ufeff" + GOOD, "\ufeff" + ROW)
    assert run(capsys, "check", str(path))[0] == 0


RECORDS: dict[str, tuple[bytes, str]] = {
    "invalid UTF-8": (b'{"text": "\xff"}\n', "no utf-8 text"),
    "NUL": (b'{"text": "\0"}\n', "a NUL character"),
    "escaped NUL": (b'{"text": "\\u0000", "label": "good"}\n', "a NUL character"),
    "half a character": (b'{"text": "\\ud800", "label": "good"}\n', "a lone surrogate"),
    "deep nesting": (b"[" * 200_000 + b"\n", "no JSON"),
    "huge number": (b'{"text": "a", "label": ' + b"9" * 200_000 + b"}\n", "no JSON"),
    "large number": (b'{"text": "a", "label": ' + b"9" * 4000 + b"}\n", "gold of 'label' is 999"),
    "not a number": (b'{"text": NaN, "label": "good"}\n', "field 'text' of the prompt is no number (NaN or infinite)"),
}


@pytest.mark.parametrize("case", RECORDS)
def test_a_hostile_record_is_one_sentence_and_hides_no_other(tmp_path: Path, capsys: Captured, case: str) -> None:
    line, words = RECORDS[case]
    code, told = run(capsys, "check", str(write(tmp_path, GOOD, ROW.encode() + line + ROW.encode())))
    assert code == 1
    (sentence,) = (part for part in told.splitlines() if part.startswith("  error: "))
    assert "train.jsonl:2: " in sentence
    assert words in sentence
    assert len(sentence) < 1000
    assert "examples" in told
    assert " 2\n" in told  # both sound records were read


def test_a_line_of_100_megabytes_is_not_held(tmp_path: Path) -> None:
    path = write(tmp_path)
    with (path.parent / "train.jsonl").open("wb") as file:
        file.write(ROW.encode() + b'{"text": "')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n' + ROW.encode())
    code, told = probe(tmp_path, "check", str(path))
    assert code == 1
    assert "train.jsonl:2: a line longer than 16777216 bytes; is this a text file with line breaks?" in told
    assert " 2\n" in told

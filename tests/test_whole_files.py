"""Files that appear when they are complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from t2t.whole_files import remove_stale_parts, whole_file, write_text

WRITE = """\
import sys
from pathlib import Path
from t2t.whole_files import whole_file
with whole_file(Path(sys.argv[1])) as file:
    file.write("half")
    file.flush()
    print("written", flush=True)
    sys.stdin.read()
"""


def writer(path: Path) -> subprocess.Popen[str]:
    """A process that has written half of a file and waits."""
    command = [sys.executable, "-c", WRITE, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    return process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_parts_of_dead_processes_are_removed_and_those_of_live_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "line.jsonl"
    dead, live, other = writer(path), writer(path), writer(tmp_path / "other.jsonl")
    for process in (dead, other):
        process.kill()
        process.communicate()
    assert f"line.jsonl.{dead.pid}.part" in names(tmp_path)
    write_text(path, "whole")
    assert names(tmp_path) == ["line.jsonl", f"line.jsonl.{live.pid}.part", f"other.jsonl.{other.pid}.part"]
    live.communicate("")
    assert path.read_text() == "half"


def test_a_part_that_a_process_of_another_machine_holds_stays(tmp_path: Path) -> None:
    path = tmp_path / "line.jsonl"
    process = writer(path)
    elsewhere = tmp_path / f"line.jsonl.{2**22 + 1}.part"  # no process here has such a number
    (tmp_path / f"line.jsonl.{process.pid}.part").rename(elsewhere)
    write_text(path, "whole")
    assert elsewhere.read_text() == "half"
    process.kill()
    process.communicate()
    with whole_file(path):
        assert not elsewhere.exists()


def test_what_dead_processes_left_in_a_folder_goes_whatever_it_was_called(tmp_path: Path) -> None:
    dead, live = writer(tmp_path / "abc.npz"), writer(tmp_path / "def.npz")
    dead.kill()
    dead.communicate()
    remove_stale_parts(tmp_path)
    assert names(tmp_path) == [f"def.npz.{live.pid}.part"]
    live.communicate("")

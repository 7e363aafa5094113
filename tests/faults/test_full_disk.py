"""Disks that are full: a sentence says which file and how much room there is, and nothing that was there is lost."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from t2t.engine.disk import room_at, whole_folder
from t2t.errors import FullDiskError
from tests.faults.rounds import MINUTES, rounds
from tests.faults.runs import LAUNCH, finish, make_run, rows, same, weights

FOUND = (752,)  # kilobytes at which both processes told it once
SMALLEST, WHOLE = 60, 1200  # kilobytes: what a run needs before its first step, and about all that it writes


def mount(folder: Path, kilobytes: int, again: bool = False) -> bool:
    """A disk of so many kilobytes at a folder; False where nobody lets us."""
    options = f"{'remount,' if again else ''}size={kilobytes}k"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return os.name == "posix" and shutil.which("mount") is not None and not subprocess.run(
        command, capture_output=True, check=False
    ).returncode  # fmt: skip


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount(folder, 64):
        pytest.skip("a disk of our own needs the rights of root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_run_on_a_full_disk_says_so_and_goes_on_when_there_is_room(
    reference: Path, disk: Path, tmp_path: Path
) -> None:
    drawn = (draw.randint(SMALLEST, WHOLE) for draw in rounds("full disks", 1, 0.15))
    for number, size in enumerate(itertools.chain(FOUND if MINUTES else (), drawn)):
        assert mount(disk, size, again=True)
        folder = make_run(tmp_path / str(number))
        (disk / "runs").mkdir()
        (folder / "runs").symlink_to(disk / "runs")
        code, said = finish(folder, LAUNCH)
        if code:
            told = [line for line in said.splitlines() if line.startswith("t2t: ")]
            assert code == 1, (size, said[-3000:])
            assert "Traceback" not in said, (size, said[-3000:])
            assert len(told) == 1, (size, said[-3000:])
            assert "disk is full" in told[0], (size, told)
            assert mount(disk, 4 * WHOLE, again=True)
            code, said = finish(folder, LAUNCH)
        assert code == 0, (size, said[-3000:])
        assert same(weights(folder), weights(reference)), size
        assert rows(folder) == rows(reference), size
        shutil.rmtree(disk / "runs")


def test_a_folder_that_finds_no_room_leaves_the_older_one(disk: Path) -> None:
    with whole_folder(disk / "kept") as part:
        (part / "a").write_text("old")
    with pytest.raises(FullDiskError, match=r"kept\.tmp: its disk is full \(0\.0 MB free\); make room"), whole_folder(
        disk / "kept"
    ) as part:  # fmt: skip
        (part / "a").write_bytes(b"new" * 100_000)
    assert (disk / "kept" / "a").read_text() == "old"


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        Exception("No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 128 vs 0"),
    ],
)
def test_the_words_of_libraries_are_understood(error: Exception, disk: Path) -> None:
    (disk / "filler").write_bytes(b"x" * 60_000)
    with pytest.raises(FullDiskError, match="its disk is full"), room_at(disk / "a"):
        raise error


def test_other_errors_stay(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a mistake"), room_at(tmp_path / "a"):
        raise RuntimeError("a mistake")

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from t2t.engine import checkpoint
from t2t.engine.checkpoint import Position
from t2t.errors import RunDirectoryError


class Writer:
    """What DeepSpeed's engine does with a checkpoint, as far as files go; ``breaks`` makes it fail half-way."""

    def __init__(self, breaks: bool = False) -> None:
        self.breaks = breaks
        self.loaded: str | None = None
        self.optimizer = None

    def zero_optimization_stage(self) -> int:
        return 0

    def save_checkpoint(self, folder: str, tag: str, save_latest: bool) -> None:
        assert save_latest is False
        (Path(folder) / tag).mkdir()
        (Path(folder) / tag / "states.pt").write_text("half")
        if self.breaks:
            raise OSError("disk full")

    def load_checkpoint(self, folder: str, tag: str) -> None:
        self.loaded = tag


def load(folder: Path) -> tuple[Position | None, str | None, list[Any]]:
    writer, said = Writer(), []
    return checkpoint.load_latest(writer, folder, 3, said.append), writer.loaded, said


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    checkpoint.save(Writer(), tmp_path, Position(7, 1, 3, 12.5, 999), keep=2)
    assert load(tmp_path) == (Position(7, 1, 3, 12.5, 999), "step00000007", [])
    assert (tmp_path / "latest").read_text() == "step00000007"
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    assert saved.world_size == 1


def test_random_states_come_back(tmp_path: Path) -> None:
    def draw() -> list[float]:
        return [float(torch.rand(1)), float(np.random.rand()), random.random()]

    checkpoint.save(Writer(), tmp_path, Position(1), keep=1)
    first = draw()
    assert draw() != first
    load(tmp_path)
    assert draw() == first


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 15, 100):
        checkpoint.save(Writer(), tmp_path, Position(step), keep=2)
    assert sorted(path.name for path in tmp_path.glob("step*")) == ["step00000015", "step00000100"]
    assert load(tmp_path)[1] == "step00000100"


def test_a_half_written_checkpoint_is_skipped_and_told(tmp_path: Path) -> None:
    checkpoint.save(Writer(), tmp_path, Position(5), keep=2)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(Writer(breaks=True), tmp_path, Position(10), keep=2)
    position, loaded, said = load(tmp_path)
    assert (position, loaded) == (Position(5), "step00000005")
    assert len(said) == 1
    assert "step00000010.tmp" in said[0]
    assert (tmp_path / "latest").read_text() == "step00000005"
    checkpoint.save(Writer(), tmp_path, Position(10), keep=2)
    assert load(tmp_path)[1:] == ("step00000010", [])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    """One other byte, the size as it was."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "a file is missing": (lambda folder: (folder / "states.pt").unlink(), "states.pt is missing"),
    "a file is cut": (lambda folder: cut(folder / "states.pt"), "states.pt has 3 bytes instead of 4"),
    "a byte has changed": (lambda folder: flip(folder / "states.pt"), "states.pt has other bytes than were written"),
    "random state missing": (lambda folder: (folder / "random_00000.pt").unlink(), "random_00000.pt is missing"),
    "no mark": (lambda folder: (folder / "complete.json").unlink(), "complete.json is missing or unreadable"),
    "half a mark": (lambda folder: cut(folder / "complete.json"), "complete.json is missing or unreadable"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_skipped_told_and_removed(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    for step in (5, 10):
        checkpoint.save(Writer(), tmp_path, Position(step), keep=2)
    damage(tmp_path / "step00000010")
    position, loaded, said = load(tmp_path)
    assert (position, loaded) == (Position(5), "step00000005")
    assert said == [f"{tmp_path / 'step00000010'}: damaged checkpoint ({message}), skipped"]
    checkpoint.save(Writer(), tmp_path, Position(7), keep=1)
    assert [path.name for path in tmp_path.glob("step*")] == ["step00000007"]


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_where_all_are_damaged_training_does_not_start_over_in_silence(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    checkpoint.save(Writer(), tmp_path, Position(5), keep=2)
    damage(tmp_path / "step00000005")
    with pytest.raises(RunDirectoryError, match=f"none of the checkpoints is whole .*{message}.*; put the files back"):
        load(tmp_path)


def test_what_a_user_keeps_beside_the_checkpoints_is_neither_loaded_nor_removed(tmp_path: Path) -> None:
    checkpoint.save(Writer(), tmp_path, Position(5), keep=1)
    for copy in ("step00000100.best", "step123", "step000001000", "step00000009.tmp.old"):
        shutil.copytree(tmp_path / "step00000005", tmp_path / copy)
    (tmp_path / "step-notes.md").write_text("good at step 5")
    (tmp_path / "step00000200").write_text("a file is no checkpoint")
    there = {path.name for path in tmp_path.glob("step*")}
    assert load(tmp_path) == (Position(5), "step00000005", [])
    checkpoint.save(Writer(), tmp_path, Position(10), keep=1)
    assert {path.name for path in tmp_path.glob("step*")} == there - {"step00000005"} | {"step00000010"}


def test_a_rank_that_did_not_write_draws_its_random_state_from_seed_rank_and_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(rank: int) -> tuple[list[float], list[Any]]:
        monkeypatch.setattr("t2t.engine.distributed.rank", lambda: rank)
        said = load(tmp_path)[2]
        return [float(torch.rand(1)), float(np.random.rand()), random.random()], said

    checkpoint.save(Writer(), tmp_path, Position(5), keep=2)
    monkeypatch.setattr("t2t.engine.distributed.world_size", lambda: 3)
    first, said = drawn(0)
    assert [line.split(": ")[1] for line in said] == [
        "written by 1 of now 3 processes; the others draw random numbers anew"
    ]
    second = drawn(1)
    assert second == drawn(1)
    assert second[1] == []
    assert len({str(first), str(second[0]), str(drawn(2)[0])}) == 3

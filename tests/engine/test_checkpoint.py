import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from t2t.engine import checkpoint
from t2t.engine.checkpoint import Position


class Writer:
    """What DeepSpeed's engine does with a checkpoint, as far as files go; ``breaks`` makes it fail half-way."""

    def __init__(self, breaks: bool = False) -> None:
        self.breaks = breaks
        self.loaded: str | None = None

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
    return checkpoint.load_latest(writer, folder, said.append), writer.loaded, said


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    checkpoint.save(Writer(), tmp_path, Position(7, 1, 3, 12.5, 999), keep=2)
    assert load(tmp_path) == (Position(7, 1, 3, 12.5, 999), "step00000007", [])
    assert (tmp_path / "latest").read_text() == "step00000007"
    assert checkpoint.world_size_of_latest(tmp_path) == 1


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


def test_a_folder_without_the_mark_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "step00000009").mkdir()
    assert load(tmp_path) == (None, None, [])
    assert checkpoint.world_size_of_latest(tmp_path) is None

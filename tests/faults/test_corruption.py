"""Bytes of a checkpoint that change behind our back: no weights come of them that nobody trained."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from t2t.engine import checkpoint
from t2t.errors import RunDirectoryError
from tests.faults.rounds import only_long, rounds
from tests.faults.runs import LAUNCH, finish, half_trained, rows, same, weights


def damage(folder: Path, draw: random.Random) -> str:
    """Change some bytes of a file of a checkpoint, its size as it was; gives what was done."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    path = draw.choice(files)
    data = bytearray(path.read_bytes())
    first, size = draw.randrange(len(data)), draw.choice([1, 1, 8, 512])
    for place in range(first, min(first + size, len(data))):
        data[place] ^= draw.randrange(1, 256)
    path.write_bytes(data)
    return f"{path.relative_to(folder)}: {size} bytes from {first}"


def test_a_damaged_checkpoint_is_never_taken(reference: Path, tmp_path: Path) -> None:
    kept = half_trained(reference, tmp_path / "kept") / "checkpoints"
    whole = checkpoint.newest(kept)
    assert whole is not None
    for number, draw in enumerate(rounds("corruptions", 40, 0.1)):
        folder = tmp_path / str(number)
        shutil.copytree(kept, folder)
        done, said = damage(folder / whole.folder.name, draw), []
        found = checkpoint.newest(folder, said.append)
        assert found is not None, done
        assert found.position.step < whole.position.step, done
        assert "damaged checkpoint" in said[0], done
        for older in [path for path in folder.glob("step*") if path.name != whole.folder.name]:
            damage(older, draw)
        with pytest.raises(RunDirectoryError, match="none of the checkpoints is whole"):
            checkpoint.newest(folder)
        shutil.rmtree(folder)


@only_long
def test_training_goes_on_from_the_older_one_to_the_same_weights(reference: Path, tmp_path: Path) -> None:
    for number, draw in enumerate(rounds("corruptions under the launcher", 1, 0.1)):
        folder = tmp_path / str(number)
        run = half_trained(reference, folder)
        newest = checkpoint.newest(run / "checkpoints")
        assert newest is not None
        done = damage(newest.folder, draw)
        code, said = finish(folder, LAUNCH)
        assert code == 0, (done, said[-3000:])
        assert "damaged checkpoint" in said, done
        assert same(weights(folder), weights(reference)), done
        assert rows(folder) == rows(reference), done

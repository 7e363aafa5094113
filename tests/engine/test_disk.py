import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from t2t.engine.disk import file_sizes, whole_folder


def test_a_folder_appears_whole_and_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(os.readlink(f"/proc/self/fd/{file}")), sync(file)))
    (tmp_path / "model.tmp").mkdir()
    (tmp_path / "model.tmp" / "half").write_text("of a killed process")
    with whole_folder(tmp_path / "model") as folder:
        (folder / "more").mkdir()
        (folder / "more" / "weights").write_text("1234")
        assert not (tmp_path / "model").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert file_sizes(tmp_path / "model") == {"more/weights": 4}
    assert [Path(path).name for path in synced][-1] == tmp_path.name
    assert {Path(path).name for path in synced} == {"weights", "more", "model.tmp", tmp_path.name}


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_have_the_mode_of_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        with whole_folder(tmp_path / "model") as folder:
            save_file({"weight": torch.ones(2)}, folder / "model.safetensors")
            (folder / "config.json").write_text("{}")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()} == {mode}


def test_an_older_folder_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").write_text("")
    with pytest.raises(IsADirectoryError), whole_folder(tmp_path / "model") as folder:
        folder.write_text("fails")
    assert file_sizes(tmp_path / "model") == {"old": 0}
    with whole_folder(tmp_path / "model") as folder:
        (folder / "new").write_text("")
    assert file_sizes(tmp_path / "model") == {"new": 0}

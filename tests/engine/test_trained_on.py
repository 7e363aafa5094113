from dataclasses import replace
from pathlib import Path

import pytest

from t2t.engine.trained_on import TrainedOn, check_rows, check_unchanged, kept_tokenizer
from t2t.errors import RunDirectoryError
from t2t.model.tokenizer import load_tokenizer, train_tokenizer

NOW = TrainedOn(2, "abc", ["a/b", "c/d"], ["1", "2"], [40, 1000])


def run(folder: Path, checkpoint: bool = True) -> Path:
    """A run directory with what it trained on and, as its only checkpoint, an empty whole one."""
    NOW.write(folder / "checkpoints", train_tokenizer(["a", "b"], 600))
    if checkpoint:
        step = folder / "checkpoints" / "step00000005"
        step.mkdir()
        (step / "complete.json").write_text('{"world_size": 1, "position": {}, "files": {}}')
    return folder


def test_the_same_goes_on_with_the_kept_tokenizer(tmp_path: Path) -> None:
    check_rows(run(tmp_path), NOW)
    kept = kept_tokenizer(tmp_path / "checkpoints")
    assert kept is not None
    assert TrainedOn.of(2, load_tokenizer(kept), [], []) == TrainedOn.of(2, train_tokenizer(["a", "b"], 600), [], [])


def test_other_rows_and_another_vocabulary_are_refused(tmp_path: Path) -> None:
    run(tmp_path)
    message = r"other numbers of rows \(c/d: 1,000, now 1,001\); undo the change"
    with pytest.raises(RunDirectoryError, match=message):
        check_rows(tmp_path, replace(NOW, rows=[40, 1001]))
    with pytest.raises(RunDirectoryError, match="the ids mean other pieces; undo the change"):
        check_rows(tmp_path, replace(NOW, vocabulary="abd"))
    with pytest.raises(RunDirectoryError, match="the teacher changed since its checkpoints were trained; undo"):
        check_rows(tmp_path, replace(NOW, teacher="ef"))


def test_before_the_first_checkpoint_everything_may_change(tmp_path: Path) -> None:
    run(tmp_path, checkpoint=False)
    changed = replace(NOW, stage=3, rows=[41, 1001])
    check_unchanged(tmp_path, 3, [])
    check_rows(tmp_path, changed)
    assert kept_tokenizer(tmp_path / "checkpoints") is None
    changed.write(tmp_path / "checkpoints", train_tokenizer(["a", "b"], 600))
    check_rows(tmp_path, changed)


def test_checkpoints_that_do_not_say_what_they_were_trained_on_are_refused(tmp_path: Path) -> None:
    (run(tmp_path) / "checkpoints" / "start" / "start.json").write_text("{")
    with pytest.raises(RunDirectoryError, match=r"start/start.json is missing or unreadable\); put it back"):
        check_unchanged(tmp_path, 2, [])

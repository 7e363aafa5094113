"""Progress: the time that is left, and plain lines where there is no terminal."""

from __future__ import annotations

import pytest

from t2t.engine import progress
from t2t.engine.checkpoint import Position
from t2t.engine.progress import Progress, time_left


def test_what_is_left_goes_by_updates_or_by_the_clock() -> None:
    half = Position(step=50, elapsed=100.0)
    assert time_left(half, 100, None) == 100
    assert time_left(half, 100, 2.0) == 20
    assert time_left(half, 100, 1.0) == 0


def test_without_a_terminal_lines_are_plain_and_few(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    told = Progress(0, 1200)
    for step in range(1, 25):
        now[0] = float(step)
        told.at(step)
        told.show(Position(step=step, elapsed=float(step)), 2.5, 5464.4, last=step == 24)
    told.close()
    said = capsys.readouterr().err
    assert "\r" not in said
    assert said.splitlines() == [
        "step 10 of 1,200: loss 2.500, 5,464 tokens/s, 19:50 left",
        "step 20 of 1,200: loss 2.500, 5,464 tokens/s, 19:40 left",
        "step 24 of 1,200: loss 2.500, 5,464 tokens/s, 19:36 left",
    ]

"""A run that fails says why once, whichever of its processes found it first."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from t2t.commands import launch
from t2t.engine import lifetime, peers


@pytest.mark.parametrize(
    ("rank", "failed", "said", "told"),
    [
        ("0", True, 1, False),  # its own error is what the other's end led to
        ("0", True, None, True),  # the other was killed, and could not say anything
        ("0", False, None, True),
        ("1", True, 1, False),
        ("1", False, None, True),  # the first one finds nothing wrong
    ],
)
def test_who_fails_after_another_that_told_why_is_silent(
    rank: str, failed: bool, said: int | None, told: bool,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    event = threading.Event()
    if failed:
        event.set()
    monkeypatch.setattr(peers, "_peers", SimpleNamespace(failed=event, code=said))
    for name in ("ignore_signals", "heed_signals"):
        monkeypatch.setattr(lifetime, name, lambda: None)
    monkeypatch.setattr(launch, "_PATIENCE", 0.01)
    monkeypatch.setattr(launch, "_CONSEQUENCE", 0.01)
    monkeypatch.setenv("RANK", rank)
    assert launch._say("a disk is full", 1) == 1
    assert capsys.readouterr().err == ("t2t: a disk is full\n" if told else "")


def test_a_process_alone_tells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(peers, "_peers", None)
    for name in ("ignore_signals", "heed_signals"):
        monkeypatch.setattr(lifetime, name, lambda: None)
    assert launch._say("a disk is full", 1) == 1
    assert capsys.readouterr().err == "t2t: a disk is full\n"

"""One run that nothing disturbs, for all tests of the fault bench to compare with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from tests.faults.runs import LAUNCH, finish, make_run


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained run; the workers of pytest share it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "faults_reference"
    with FileLock(shared / "faults_reference.lock"):
        if not (folder / "runs" / "toy" / "model").exists():
            code, said = finish(make_run(folder), LAUNCH)
            assert code == 0, said[-3000:]
    return folder

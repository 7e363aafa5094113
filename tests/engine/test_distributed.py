"""Joining the group: what it costs before the first step."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.places import PYTHONPATH

CODE = """\
import sys
from t2t.engine import distributed
distributed.start()
from deepspeed.runtime import compiler
from deepspeed.runtime.zero.muon.muon_optimizer import MuonWithAuxAdam
assert "torch._inductor.compile_fx" not in sys.modules, "a compiler that nothing here is compiled by"
assert compiler.compile.__module__ == compiler.__name__, "it is put back"
"""


def test_deepspeed_starts_without_the_compiler_of_an_optimiser_that_nobody_asked_for() -> None:
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]

"""The garbage collector at rest: what is made meanwhile is not searched, and its state is what it was."""

import gc
import subprocess
import sys
from contextlib import suppress

import pytest

from t2t.collector import at_rest


@pytest.mark.parametrize("searched", [True, False])
def test_it_is_as_it_was_also_behind_an_error(searched: bool) -> None:
    before, frozen = gc.isenabled(), gc.get_freeze_count()
    (gc.enable if searched else gc.disable)()
    try:
        with suppress(ImportError), at_rest():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() is searched
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
        (gc.enable if before else gc.disable)()


def test_the_process_of_a_command_searches_seldom_and_a_program_that_calls_it_as_before() -> None:
    found = []
    for call in ("main(['--version'])", "main()"):
        asked = f"sys.argv = ['t2t', '--version']\ntry: {call}\nexcept SystemExit: pass\nprint(gc.get_threshold())"
        code = f"import gc, sys\nfrom t2t.cli import main\n{asked}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        found.append(done.stdout.splitlines()[-1])
    assert found[0] == str(gc_default())
    assert found[1] == "(50000, 20, 20)"


def gc_default() -> tuple[int, int, int]:
    code = "import gc; print(gc.get_threshold())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.strip("()\n").split(",")))

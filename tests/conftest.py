"""What all tests share: laws are tried without a clock, since a machine busy elsewhere is no counter-example; and tests
that share what their module makes are run by one process."""

from __future__ import annotations

import gc
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

settings.register_profile("t2t", deadline=None)
settings.load_profile("t2t")
gc.set_threshold(50_000, 20, 20)  # a search of all that torch and transformers have made takes half a second
ROOT = Path(__file__).resolve().parents[1]


class ByModule(LoadScopeScheduling):
    """Tests go to whichever worker is free, but those of a module with fixtures of its own to one: each worker would
    make them for itself, which may take longer than the tests. The largest modules come first."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if _shares(module) else nodeid


@cache
def _shares(module: str) -> bool:
    return 'scope="module"' in (ROOT / module).read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByModule | None:
    return ByModule(config, log) if config.getoption("dist") == "load" else None

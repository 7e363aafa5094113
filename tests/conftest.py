"""What all tests share: laws are tried without a clock, since a machine busy elsewhere is no counter-example; and tests
that share what their module makes once are run by one process."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import settings

settings.register_profile("t2t", deadline=None)
settings.load_profile("t2t")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """With several workers each would make a module's fixtures for itself, which may take longer than its tests."""
    for item in items:
        fixtures = getattr(item, "_fixtureinfo", None)
        known = () if fixtures is None else fixtures.name2fixturedefs.values()
        if any(one[-1].scope == "module" for one in known):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))

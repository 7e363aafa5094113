"""What all tests share: laws are tried without a clock, since a machine busy elsewhere is no counter-example."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("t2t", deadline=None)
settings.load_profile("t2t")

"""The two bounds: nothing is done against forgetting, or nothing has to be, since all data are there."""

from __future__ import annotations

from typing import Literal

from t2t.config.settings import settings
from t2t.continual.strategy import STRATEGIES, Strategy


@STRATEGIES.register("sequential")
@settings
class Sequential(Strategy):
    """Each stage trains on from the one before: the lower bound."""

    strategy: Literal["sequential"] = "sequential"


@STRATEGIES.register("joint")
@settings
class Joint(Strategy):
    """Each stage trains on the data of all stages so far, from the start: the upper bound."""

    strategy: Literal["joint"] = "joint"

    @property
    def gathers(self) -> bool:
        return True

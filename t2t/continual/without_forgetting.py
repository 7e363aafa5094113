"""Learning without forgetting (Li and Hoiem 2016): the model before the stage teaches on the stage's own inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from t2t.config.run import TeacherSettings
from t2t.config.settings import Positive, PositiveFloat, settings
from t2t.continual.strategy import STRATEGIES, Strategy


@STRATEGIES.register("lwf")
@settings
class WithoutForgetting(Strategy):
    """``weight``: of the old model's distributions, in place of as much of the cross-entropy; ``temperature`` and
    ``top`` as those of ``teacher:``."""

    strategy: Literal["lwf"] = "lwf"
    weight: Annotated[float, Field(gt=0, lt=1)] = 0.5
    temperature: PositiveFloat = 2.0
    top: Positive | None = None

    def teacher(self, before: Path) -> TeacherSettings:
        return TeacherSettings(source=str(before), weight=self.weight, temperature=self.temperature, top=self.top)

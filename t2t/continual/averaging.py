"""The mean of the weights before and after a stage (as in WiSE-FT, Wortsman et al. 2022): a cheap baseline."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from safetensors.torch import load_file, save_file

from t2t.config.settings import Share, settings
from t2t.continual.strategy import KEPT, STRATEGIES, Stage, Strategy, Trained
from t2t.whole_files import whole_path

FOLDER, WEIGHTS = "averaged", "model.safetensors"


@STRATEGIES.register("averaging")
@settings
class Averaging(Strategy):
    """``before``: the share of the weights before the stage. The next stage starts from the mean, which answers too."""

    strategy: Literal["averaging"] = "averaging"
    before: Share = 0.5

    def end(self, stage: Stage, trained: Trained) -> None:
        if not stage.earlier:
            return
        old = load_file(self.model(stage.earlier[-1]) / WEIGHTS)
        new = load_file(stage.folder / "model" / WEIGHTS)
        mean = {name: self.before * old[name].float() + (1 - self.before) * one.float() for name, one in new.items()}
        out = stage.kept / FOLDER
        shutil.copytree(stage.folder / "model", out, ignore=lambda *_: [WEIGHTS], dirs_exist_ok=True)
        with whole_path(out / WEIGHTS) as part:  # they come last: they say that the folder is whole
            save_file({name: one.to(new[name].dtype) for name, one in mean.items()}, part, {"format": "pt"})

    def model(self, folder: Path) -> Path:
        mean = folder / KEPT / FOLDER
        return mean if (mean / WEIGHTS).is_file() else folder / "model"

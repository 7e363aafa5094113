"""``t2t export``: a model folder that others can use without t2t, with a card that says what it is."""

from __future__ import annotations

import shutil
from pathlib import Path

from t2t.engine.disk import whole_folder
from t2t.errors import InputError
from t2t.model.peft import check_no_adapter
from t2t.model.peft.routes import check_one_model
from t2t.report.card import card
from t2t.serving.conversion import convert
from t2t.serving.loading import model_folder

FORMATS = ("transformers", "ctranslate2")
_NOT_WEIGHTS = ("tokenizer.json", "tokenizer_config.json", "tasks.json")


def export(model: Path, out: Path, form: str = "transformers", quantization: str = "float32") -> Path:
    """Write the model of a run, or of a model folder, to a new folder; gives it.

    ``form``: transformers (weights, config and tokenizer as ``from_pretrained`` reads them) or ctranslate2 (converted
    by its own converter, ``quantization`` one of QUANTIZATIONS; the tokenizer beside it). Both have the tasks that the
    model knows and a README.md.

    Raises:
        RunDirectoryError: there is no model.
        InputError: ``out`` is there already; the model needs an adapter beside it; ctranslate2 is not installed.
    """
    folder = model_folder(model)
    check_no_adapter(str(folder))
    check_one_model(str(folder))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(str(out), "it is there already", "name a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(out) as part:
        if form == "ctranslate2":
            convert(folder, part, quantization)
        for file in sorted(folder.iterdir()):
            if file.is_file() and (form == "transformers" or file.name in _NOT_WEIGHTS):
                shutil.copy(file, part / file.name)
        run = folder.parent if (folder.parent / "run.yaml").is_file() else None
        (part / "README.md").write_text(card(folder, run, form), encoding="utf-8")
    return out

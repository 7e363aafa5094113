"""What the methods of the peft library share: layers put in place of others, merged back, and saved in its layout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from t2t.errors import InputError
from t2t.model.peft.method import Flags, replace_module
from t2t.model.seq2seq import Seq2Seq


class LibraryMethod(Flags, ABC):
    """A method of the peft library, but for its settings and its formula: it merges, and is saved in its layout."""

    __slots__ = ()

    @abstractmethod
    def library_settings(self) -> Any:
        """Its config, as the library has it."""

    def apply(self, model: Seq2Seq) -> None:
        inject(model, self.library_settings())

    def merge(self, model: Seq2Seq) -> None:
        merge_in_place(model)

    def plain(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        raise ValueError("it merges")

    def save(self, model: Seq2Seq, folder: Path, base: str | None) -> None:
        save_in_its_layout(model, self.library_settings(), folder, base)


def inject(model: Seq2Seq, config: Any) -> None:
    """Put the layers of a peft config in place of those that they adapt; InputError where peft is not installed."""
    try:
        from peft import inject_adapter_in_model
    except ModuleNotFoundError as error:
        if error.name != "peft":
            raise
        found = "this method is the peft library's, which is not installed"
        raise InputError("peft", found, 'install it: pip install "t2t[peft]"') from error
    module: Any = model.module
    tied = module.config.tie_word_embeddings  # peft sets it
    inject_adapter_in_model(config, module)
    module.config.tie_word_embeddings = tied


def merge_in_place(model: Seq2Seq) -> None:
    """The adapted layers as plain ones, what they add in their weights."""
    for name, module in list(_layers(model).items()):
        module.merge()
        replace_module(model, name, module.get_base_layer())


def save_in_its_layout(model: Seq2Seq, config: Any, folder: Path, base: str | None) -> None:
    """A folder that ``PeftModel.from_pretrained`` reads on top of the base."""
    from peft import get_peft_model_state_dict

    module: Any = model.module
    module.peft_config = {"default": config}  # where the library looks for it
    config.base_model_name_or_path, config.inference_mode = base, True
    found = get_peft_model_state_dict(module, adapter_name="default")
    del module.peft_config
    weights = {f"base_model.model.{name}": value.detach().contiguous().cpu() for name, value in found.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "adapter_model.safetensors")
    config.save_pretrained(folder)


def _layers(model: Seq2Seq) -> dict[str, Any]:
    from peft.tuners.tuners_utils import BaseTunerLayer

    return {name: module for name, module in model.module.named_modules() if isinstance(module, BaseTunerLayer)}

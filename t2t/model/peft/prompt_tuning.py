"""Prompt tuning (Lester et al. 2021): learned vectors in front of the encoder's embeddings; the model itself stays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from t2t.config.settings import Positive, settings
from t2t.errors import InputError
from t2t.model.peft.method import METHODS, Flags
from t2t.model.seq2seq import Seq2Seq

_NAME = "soft_prompt"


class SoftPrompt(nn.Module):
    """``weight`` [p, d]: what stands in front of every prompt."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, embedded_bsd: Tensor) -> Tensor:
        """[b, s, d] to [b, p + s, d]."""
        front = self.weight.to(embedded_bsd.dtype).expand(embedded_bsd.shape[0], -1, -1)
        return torch.cat([front, embedded_bsd], dim=1)


@METHODS.register("prompt")
@settings
class PromptTuning(Flags):
    """``length``: learned vectors, which begin as the embeddings of pieces drawn from the vocabulary."""

    method: Literal["prompt"] = "prompt"
    length: Positive = 20

    @property
    def merges(self) -> bool:
        return False

    def formula(self, model: Seq2Seq) -> int:
        """length x d_model."""
        return self.length * model.width

    def apply(self, model: Seq2Seq) -> None:
        embedding = model.roles()["shared"][0][1].detach()
        drawn = torch.randint(len(embedding), (self.length,))
        model.module.add_module(_NAME, SoftPrompt(embedding[drawn].clone()))

    def merge(self, model: Seq2Seq) -> None:
        raise ValueError("learned vectors are no weights of a plain model")

    def plain(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: weight for name, weight in weights.items() if not name.startswith(_NAME)}

    def save(self, model: Seq2Seq, folder: Path, base: str | None) -> None:
        config = self._library_settings()
        config.base_model_name_or_path, config.inference_mode = base, True
        folder.mkdir(parents=True, exist_ok=True)
        weight = model.parameters()[f"{_NAME}.weight"].detach().contiguous().cpu()
        save_file({"prompt_embeddings": weight}, folder / "adapter_model.safetensors")
        config.save_pretrained(folder)

    def _library_settings(self) -> Any:
        try:
            from peft import PromptTuningConfig
        except ModuleNotFoundError as error:
            found = "the layout of this method is the peft library's, which is not installed"
            raise InputError("peft", found, 'install it: pip install "t2t[peft]"') from error
        return PromptTuningConfig(
            task_type="SEQ_2_SEQ_LM", num_virtual_tokens=self.length, num_transformer_submodules=1
        )

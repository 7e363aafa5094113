"""Prompt tuning (Lester et al. 2021): learned vectors in front of the encoder's embeddings; the model itself stays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn

from t2t.config.settings import Positive, settings
from t2t.errors import InputError
from t2t.model.peft.method import HELD_NAME, METHODS, Flags
from t2t.model.seq2seq import Seq2Seq

_NAME = "soft_prompt"
LEARNED, HELD = f"{_NAME}.weight", f"{_NAME}.{HELD_NAME}"


class SoftPrompt(nn.Module):
    """``weight`` [p, d]: what is in front of every prompt; ``held`` [h, d]: what is behind it and is not
    trained, None without."""

    def __init__(self, weight: Tensor, held: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.held = None if held is None else nn.Parameter(held, requires_grad=False)

    def forward(self, embedded_bsd: Tensor) -> Tensor:
        """[b, s, d] to [b, p + h + s, d]."""
        own = [one for one in (self.weight, self.held) if one is not None]
        front = [one.to(embedded_bsd.dtype).expand(embedded_bsd.shape[0], -1, -1) for one in own]
        return torch.cat([*front, embedded_bsd], dim=1)


@METHODS.register("prompt")
@settings
class PromptTuning(Flags):
    """``length``: learned vectors, which begin as the embeddings of pieces drawn from the vocabulary. ``held``: so many
    behind them that are not trained, zero unless a strategy of continual learning gives them."""

    method: Literal["prompt"] = "prompt"
    length: Positive = 20
    held: Annotated[int, Field(ge=0)] = 0

    @property
    def merges(self) -> bool:
        return False

    def formula(self, model: Seq2Seq) -> int:
        """length x d_model."""
        return self.length * model.width

    def apply(self, model: Seq2Seq) -> None:
        embedding = model.roles()["shared"][0][1].detach()
        drawn = torch.randint(len(embedding), (self.length,))
        held = embedding.new_zeros(self.held, model.width) if self.held else None
        model.module.add_module(_NAME, SoftPrompt(embedding[drawn].clone(), held))

    def merge(self, model: Seq2Seq) -> None:
        raise ValueError("learned vectors are no weights of a plain model")

    def plain(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: weight for name, weight in weights.items() if not name.startswith(_NAME)}

    def save(self, model: Seq2Seq, folder: Path, base: str | None) -> None:
        config = self._library_settings()
        config.base_model_name_or_path, config.inference_mode = base, True
        folder.mkdir(parents=True, exist_ok=True)
        parameters = model.parameters()
        whole = torch.cat([parameters[name].detach().cpu() for name in (LEARNED, HELD) if name in parameters])
        save_file({"prompt_embeddings": whole}, folder / "adapter_model.safetensors")
        config.save_pretrained(folder)

    def _library_settings(self) -> Any:
        try:
            from peft import PromptTuningConfig
        except ModuleNotFoundError as error:
            found = "the layout of this method is the peft library's, which is not installed"
            raise InputError("peft", found, 'install it: pip install "t2t[peft]"') from error
        return PromptTuningConfig(
            task_type="SEQ_2_SEQ_LM", num_virtual_tokens=self.length + self.held, num_transformer_submodules=1
        )

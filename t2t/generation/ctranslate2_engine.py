"""Decoding with CTranslate2: its kernels for the free search; what a grammar guides is decoded by torch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path

import torch

from t2t.errors import InputError, RunDirectoryError
from t2t.generation.batches import in_batches_ahead
from t2t.generation.engine import Decoded, Engine, Guides, Search, usual_tokens
from t2t.model.seq2seq import SpecialIds

_ON_CPU = 8192  # tokens of a batch, whose rows go on together until the last has ended
# Batches that are under way or wait, for each worker: one more than it computes, so that none is ever idle.
_AHEAD = 2
_VOCABULARY = "shared_vocabulary.json"


class CTranslate2Engine:
    """An Engine over a converted model.

    Args:
        folder: the model in CTranslate2's form.
        ids: the special ids of the model that it was made from.
        guided: makes the engine, with the same weights, that decodes under a grammar; called when it is first needed.
        compute: float32, bfloat16, int8 or another of its compute types.

    On a CPU each core computes batches of its own: two threads that share one wait for each other at each of its
    small products. Batches are those of ``in_batches``, whatever the number of cores, so outputs do not hang on it.

    In float32 greedy outputs are those of torch but for near-ties. Beams are searched on until ``beams`` times as many
    hypotheses have ended as there are beams (its ``patience``): what is found is as likely as what TorchEngine finds or
    likelier, and in some hundredths of the rows not the same.

    Raises:
        RunDirectoryError: the folder's vocabulary is no list of different pieces.
        InputError: the hardware has no such compute type.
    """

    def __init__(
        self, folder: Path, ids: SpecialIds, guided: Callable[[], Engine], device: str = "cpu", compute: str = "float32"
    ) -> None:
        import ctranslate2

        self._ids, self._make_guided = ids, guided
        self._pieces: list[str] = json.loads((folder / _VOCABULARY).read_text(encoding="utf-8"))
        self._number = {piece: number for number, piece in enumerate(self._pieces)}
        if len(self._number) != len(self._pieces):
            raise RunDirectoryError(str(folder), "two pieces of the vocabulary are the same", "use engine: torch")
        kind, _, index = device.partition(":")
        known = ctranslate2.get_supported_compute_types(kind)
        if compute not in known:
            found = f"CTranslate2 does not compute in {compute} on this {kind}"
            raise InputError("precision", found, f"use one of its own here: {', '.join(sorted(known))}")
        threads = torch.get_num_threads()
        self._workers = threads if kind == "cpu" else 1
        self._translator = ctranslate2.Translator(
            str(folder),
            device=kind,
            device_index=int(index or 0),
            compute_type=compute,
            inter_threads=self._workers,
            intra_threads=1,
        )
        torch.set_num_threads(threads)  # CTranslate2 has set those of the library that both are built on

    @property
    def ids(self) -> SpecialIds:
        return self._ids

    @property
    def batch_tokens(self) -> int:
        device = self._translator.device
        return _ON_CPU if device == "cpu" else usual_tokens(device)

    @cached_property
    def _guided(self) -> Engine:
        return self._make_guided()

    def decode(
        self,
        prompts: Sequence[Sequence[int]],
        search: Search,
        guides: Guides | None = None,
        begun: Sequence[Sequence[int]] = (),
    ) -> list[Decoded]:
        """See Engine. ValueError for ``sample`` and ``no_repeat_ngram``, which settings do not ask of it."""
        if guides is not None:
            _check(search)
            return self._guided.decode(prompts, search, guides, begun)
        return self._begin(prompts, search)()

    def stream(
        self, prompts: Sequence[Sequence[int]], search: Search, room: Callable[[], int], reserved: int
    ) -> Iterator[list[tuple[int, Decoded]]]:
        """See Engine."""
        return in_batches_ahead(partial(self._begin, search=search), prompts, room, reserved, _AHEAD * self._workers)

    def _begin(self, prompts: Sequence[Sequence[int]], search: Search) -> Callable[[], list[Decoded]]:
        """Begin a batch in the background; what is given waits for its outputs."""
        _check(search)
        penalty = 1.0 if search.beams == 1 else search.length_penalty  # 1: the mean over the tokens, as in TorchEngine
        begun = self._translator.translate_batch(
            [[self._pieces[number] for number in prompt] for prompt in prompts],
            beam_size=search.beams,
            patience=max(1, search.beams),
            length_penalty=penalty,
            max_input_length=0,  # of any length
            max_decoding_length=search.max_tokens,
            return_end_token=True,
            return_scores=True,
            asynchronous=True,
        )
        found = (one.result() for one in begun)
        return lambda: [self._decoded(one.hypotheses[0], one.scores[0], penalty) for one in found]

    def log_probabilities(
        self, prompts: Sequence[Sequence[int]], outputs: Sequence[Sequence[int]]
    ) -> list[tuple[float, ...]]:
        """See Engine; by torch."""
        return self._guided.log_probabilities(prompts, outputs)

    def rank(self, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[Sequence[int]]]) -> list[list[float]]:
        """See Engine; by torch, which shares what texts have in common."""
        return self._guided.rank(prompts, texts)

    def _decoded(self, pieces: Sequence[str], worth: float, penalty: float) -> Decoded:
        if not math.isfinite(worth):
            raise InputError(
                "model", "the model's logits are NaN or infinite", "use engine: torch, or a sound checkpoint"
            )
        ids = tuple(self._number[piece] for piece in pieces)
        return Decoded(ids, worth * len(ids) ** penalty)


def _check(search: Search) -> None:
    if search.sample is not None or search.no_repeat_ngram is not None:
        raise ValueError("CTranslate2Engine neither samples nor knows no_repeat_ngram")

"""Decoding with transformers' T5: greedy with a cache, or beams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedTokenizerFast, T5ForConditionalGeneration

from t2t.generation.batches import plan_batches
from t2t.model.tokenizer import decode_texts

PAD, EOS = 0, 1
# Rows that have ended leave the batch when they are this share of it: copying the cache costs about a step.
_ENDED_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt: its name and its ids, EOS last."""

    id: str
    prompt_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Output:
    """What was generated for one request.

    ``ids``: without the start, with EOS where there is one. ``text``: without pad, EOS and sentinels. ``score``: mean
    log-probability of ``ids`` in nats, EOS counted. ``cut``: the limit came before EOS.
    """

    id: str
    ids: tuple[int, ...]
    text: str
    score: float
    cut: bool


class TorchEngine:
    """Generates with a T5 of transformers on one device.

    ``model`` is moved to ``device`` and ``dtype`` and set to evaluation. The batches depend on the requests alone,
    so the same requests give the same outputs; other batches may turn near-ties (sums differ with the shape).
    """

    def __init__(
        self,
        model: T5ForConditionalGeneration,
        tokenizer: PreTrainedTokenizerFast,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.device = torch.device(device)
        self.model = model.to(device=self.device, dtype=dtype).eval()
        self.tokenizer = tokenizer
        self._scale = model.config.d_model**-0.5 if model.config.scale_decoder_outputs else 1.0

    def generate(
        self,
        requests: Sequence[Request],
        max_tokens: int,
        batch_tokens: int,
        num_beams: int = 1,
        advance: Callable[[int], object] = lambda done: None,
    ) -> list[Output]:
        """One output for each request, in their order. ``advance`` is told how many more are done.

        ``max_tokens``: the longest output, EOS counted. ``batch_tokens``: prompt ids of a batch, padding counted.
        """
        outputs: list[Output | None] = [None] * len(requests)
        lengths = [len(request.prompt_ids) for request in requests]
        for positions in plan_batches(lengths, max(1, batch_tokens // num_beams)):
            batch = [requests[position] for position in positions]
            for position, output in zip(positions, self._batch(batch, max_tokens, num_beams), strict=True):
                outputs[position] = output
            advance(len(positions))
        return [output for output in outputs if output is not None]

    @torch.inference_mode()
    def _batch(self, batch: Sequence[Request], max_tokens: int, num_beams: int) -> Iterator[Output]:
        input_bs, mask_bs = self._pad(batch)
        decode = self._greedy if num_beams == 1 else self._beams
        rows, sums = decode(input_bs, mask_bs, max_tokens, num_beams)
        texts = decode_texts(self.tokenizer, rows)
        return iter(
            [
                Output(request.id, tuple(row), text, total / max(1, len(row)), EOS not in row)
                for request, row, text, total in zip(batch, rows, texts, sums, strict=True)
            ]
        )

    def _pad(self, batch: Sequence[Request]) -> tuple[Tensor, Tensor]:
        longest = max(1, *(len(request.prompt_ids) for request in batch))
        input_bs = torch.full((len(batch), longest), PAD)
        mask_bs = torch.zeros((len(batch), longest), dtype=torch.long)
        for row, request in enumerate(batch):
            input_bs[row, : len(request.prompt_ids)] = torch.as_tensor(request.prompt_ids, dtype=torch.long)
            mask_bs[row, : len(request.prompt_ids)] = 1
        return input_bs.to(self.device), mask_bs.to(self.device)

    def _greedy(
        self, input_bs: Tensor, mask_bs: Tensor, max_tokens: int, num_beams: int
    ) -> tuple[list[list[int]], list[float]]:
        """Ids and summed log-probabilities of each row, the likeliest token at every step."""
        size = input_bs.shape[0]
        hidden_bsd = self.model.encoder(input_ids=input_bs, attention_mask=mask_bs).last_hidden_state
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        tokens = torch.full((size, max_tokens), PAD, device=self.device)
        scores = torch.zeros((size, max_tokens), device=self.device)
        alive = torch.arange(size, device=self.device)
        ended = torch.zeros(size, dtype=torch.bool, device=self.device)
        last_b = torch.full((size,), PAD, device=self.device)
        for step in range(max_tokens):
            logits_bv = self._step(last_b, hidden_bsd, mask_bs, cache)
            best_b, last_b = logits_bv.max(dim=-1)
            tokens[alive, step] = last_b.masked_fill(ended, PAD)
            scores[alive, step] = (best_b - logits_bv.logsumexp(dim=-1)).masked_fill(ended, 0.0)
            ended = ended | (last_b == EOS)
            count = int(ended.sum())
            if count == len(alive):
                break
            if count >= _ENDED_SHARE * len(alive):
                kept = (~ended).nonzero().squeeze(1)
                cache.batch_select_indices(kept)
                alive, last_b, ended = alive[kept], last_b[kept], ended[kept]
                hidden_bsd, mask_bs = hidden_bsd[kept], mask_bs[kept]
        return [_until_eos(row) for row in tokens.tolist()], scores.double().sum(dim=1).tolist()

    def _step(self, last_b: Tensor, hidden_bsd: Tensor, mask_bs: Tensor, cache: EncoderDecoderCache) -> Tensor:
        """Logits [b, v] of the next token, fp32."""
        decoded = self.model.decoder(
            input_ids=last_b[:, None],
            encoder_hidden_states=hidden_bsd,
            encoder_attention_mask=mask_bs,
            past_key_values=cache,
            use_cache=True,
        )
        logits: Tensor = self.model.lm_head(decoded.last_hidden_state[:, -1] * self._scale)
        return logits.float()

    def _beams(
        self, input_bs: Tensor, mask_bs: Tensor, max_tokens: int, num_beams: int
    ) -> tuple[list[list[int]], list[float]]:
        """Ids and summed log-probabilities of each row's best beam (length-normalised beam search of transformers)."""
        found = self.model.generate(
            input_ids=input_bs,
            attention_mask=mask_bs,
            num_beams=num_beams,
            do_sample=False,
            max_new_tokens=max_tokens,
            return_dict_in_generate=True,
            output_scores=True,
        )
        each_bt = self.model.compute_transition_scores(found.sequences, found.scores, found.beam_indices)
        rows = [_until_eos(row) for row in found.sequences[:, 1:].tolist()]
        sums = [float(each_bt[number, : len(row)].double().sum()) for number, row in enumerate(rows)]
        return rows, sums


def _until_eos(row: list[int]) -> list[int]:
    return row[: row.index(EOS) + 1] if EOS in row else row

"""Decoding with transformers' T5: greedy with a cache, or beams; under a constraint where a free output is not strict.

A constraint is optimistic: everything is decoded freely first. A row is accepted if it ends within the limit, its text
is one of its grammar, and its ids are those of its text; or if it is as near as the vocabulary can say one (``<unk>``,
``n`` for ``ñ``) and the masks let its ids through. The others are decoded again, greedily and under the grammar. For
greedy search this is what constrained decoding of all rows gives, since a grammar admits the canonical ids of all its
texts that the vocabulary can say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedTokenizerFast, T5ForConditionalGeneration

from t2t.errors import InputError
from t2t.generation.batches import plan_batches
from t2t.generation.beams import beam_search
from t2t.generation.constrain import Constrainer, Guides
from t2t.linear.admission import admits, without_repeats
from t2t.linear.grammar import Grammar
from t2t.model.tokenizer import decode_texts, encode_texts

PAD, EOS = 0, 1
# Rows that have ended leave the batch when they are this share of it: copying the cache costs about a step.
_ENDED_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt: its name and its ids, EOS last. ``constraint`` gives the texts that are wanted; None: any text."""

    id: str
    prompt_ids: Sequence[int]
    constraint: Callable[[], Grammar] | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """What was generated for one request.

    ``ids``: without the start, with EOS where there is one. ``text``: without pad, EOS and sentinels. ``score``: mean
    log-probability of ``ids`` in nats, EOS counted, as the model gives it without a constraint. ``cut``: there is no
    EOS, because the limit came before or because the constraint left no token. ``constrained``: decoded again under
    the constraint; ``closed``: and held to tokens that could still end within the limit, which it else had passed;
    ``unsayable``: and no text of the grammar can be said by the vocabulary, so ``<unk>`` stands in what is none.
    """

    id: str
    ids: tuple[int, ...]
    text: str
    score: float
    cut: bool
    constrained: bool = False
    closed: bool = False
    unsayable: bool = False


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

        ``max_tokens``: the longest output, EOS counted. ``batch_tokens``: rows of a batch times the longest prompt and
        ``max_tokens``, which is what its caches may grow to; the logits of a step are for batch_tokens / max_tokens
        rows at most.
        """
        outputs: dict[int, Output] = {}
        again: list[int] = []
        for positions in _planned(requests, range(len(requests)), max_tokens, max(1, batch_tokens // num_beams)):
            batch = [requests[position] for position in positions]
            found = self._batch(batch, max_tokens, num_beams)
            outputs.update(zip(positions, found, strict=True))
            rejected = [
                position for position, good in zip(positions, self._strict(batch, found), strict=True) if not good
            ]
            again += rejected
            advance(len(positions) - len(rejected))
        for positions in _planned(requests, sorted(again), max_tokens, batch_tokens):
            batch = [requests[position] for position in positions]
            outputs.update(zip(positions, self._constrained(batch, max_tokens), strict=True))
            advance(len(positions))
        return [outputs[position] for position in range(len(requests))]

    @cached_property
    def _constrainer(self) -> Constrainer:
        return Constrainer(self.tokenizer)

    def _strict(self, batch: Sequence[Request], outputs: Sequence[Output]) -> list[bool]:
        """For each request: True if its output is whole and what its constraint would have let through."""
        if all(request.constraint is None for request in batch):
            return [True] * len(batch)
        canonical = encode_texts(self.tokenizer, [output.text for output in outputs])
        return [
            request.constraint is None or (not output.cut and self._admits(request.constraint(), output, ids))
            for request, output, ids in zip(batch, outputs, canonical, strict=True)
        ]

    def _admits(self, grammar: Grammar, output: Output, canonical: list[int]) -> bool:
        """True for a text of the grammar spelled as the tokenizer does, or as near as the vocabulary can say one."""
        if self.tokenizer.unk_token_id not in output.ids:
            if list(output.ids) != canonical:
                return False
            if admits(grammar, output.text):
                return True
        guide = self._constrainer.guide(grammar)
        return not guide.lossy and guide.admits(output.ids)

    def _is_unsayable(self, request: Request, output: Output) -> bool:
        if request.constraint is None or self.tokenizer.unk_token_id not in output.ids:
            return False
        return self._constrainer.guide(request.constraint()).lossy

    def _constrained(self, batch: Sequence[Request], max_tokens: int) -> list[Output]:
        """The outputs under the constraint.

        The masks know where an output stands, not what it has said: one that names a place twice is decoded again from
        there on, without the places that are taken, until none is named twice. That is what masks that knew would give.
        """
        outputs = self._masked(batch, max_tokens)
        while again := self._repeating(batch, outputs):
            requests = [replace(batch[row], constraint=partial(_same, grammar)) for row, grammar in again.items()]
            for row, output in zip(again, self._masked(requests, max_tokens), strict=True):
                outputs[row] = output
        return outputs

    def _repeating(self, batch: Sequence[Request], outputs: Sequence[Output]) -> dict[int, Grammar]:
        """The rows that name a place twice, and what may stand there instead."""
        found: dict[int, Grammar] = {}
        for row, (request, output) in enumerate(zip(batch, outputs, strict=True)):
            if request.constraint is not None and not output.cut and self.tokenizer.unk_token_id not in output.ids:
                grammar = without_repeats(request.constraint(), output.text)
                found |= {} if grammar is None else {row: grammar}
        return found

    def _masked(self, batch: Sequence[Request], max_tokens: int) -> list[Output]:
        """The outputs under the masks; those that the limit would cut are made to end in time if they can."""
        outputs = self._batch(batch, max_tokens, closing=False)
        cut = [row for row, output in enumerate(outputs) if len(output.ids) == max_tokens and output.cut]
        if cut:
            for row, output in zip(cut, self._batch([batch[r] for r in cut], max_tokens, closing=True), strict=True):
                outputs[row] = replace(output, closed=not output.cut)
        return [
            replace(output, constrained=True, unsayable=self._is_unsayable(request, output))
            for request, output in zip(batch, outputs, strict=True)
        ]

    @torch.inference_mode()
    def _batch(
        self, batch: Sequence[Request], max_tokens: int, num_beams: int = 1, closing: bool | None = None
    ) -> list[Output]:
        """The outputs of one batch: freely, or under the constraints if ``closing`` is given (see Guide)."""
        input_bs, mask_bs = self._pad(batch)
        if num_beams > 1:
            rows, sums = self._beams(input_bs, mask_bs, max_tokens, num_beams)
        else:
            guides = None if closing is None else self._guides(batch, closing)
            rows, sums = self._greedy(input_bs, mask_bs, max_tokens, guides)
        texts = decode_texts(self.tokenizer, rows)
        return [
            Output(request.id, tuple(row), text, total / max(1, len(row)), EOS not in row)
            for request, row, text, total in zip(batch, rows, texts, sums, strict=True)
        ]

    def _guides(self, batch: Sequence[Request], closing: bool) -> Guides:
        grammars = [request.constraint() for request in batch if request.constraint is not None]
        return Guides(self._constrainer.guide(grammar, closing) for grammar in grammars)

    def _pad(self, batch: Sequence[Request]) -> tuple[Tensor, Tensor]:
        longest = max(1, *(len(request.prompt_ids) for request in batch))
        input_bs = torch.full((len(batch), longest), PAD)
        mask_bs = torch.zeros((len(batch), longest), dtype=torch.long)
        for row, request in enumerate(batch):
            input_bs[row, : len(request.prompt_ids)] = torch.as_tensor(request.prompt_ids, dtype=torch.long)
            mask_bs[row, : len(request.prompt_ids)] = 1
        return input_bs.to(self.device), mask_bs.to(self.device)

    def _greedy(
        self, input_bs: Tensor, mask_bs: Tensor, max_tokens: int, guides: Guides | None
    ) -> tuple[list[list[int]], list[float]]:
        """Ids and summed log-probabilities of each row, the likeliest token (of those allowed) at every step."""
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
            total_b = logits_bv.logsumexp(dim=-1)
            if guides is not None:
                live = (~ended).tolist()
                allowed_bv = torch.from_numpy(guides.mask(live, max_tokens - step, logits_bv.shape[1])).to(self.device)
                logits_bv = logits_bv.masked_fill(~allowed_bv, -torch.inf)
                ended = ~allowed_bv.any(dim=-1)  # a row that has ended is allowed nothing, one at a dead end neither
            best_b, last_b = logits_bv.max(dim=-1)
            last_b = last_b.masked_fill(ended, PAD)
            if guides is not None:
                guides.take(last_b.tolist(), (~ended).tolist())
            tokens[alive, step] = last_b
            scores[alive, step] = (best_b - total_b).masked_fill(ended, 0.0)
            ended = ended | (last_b == EOS)
            count = int(ended.sum())
            if count == len(alive):
                break
            if count >= _ENDED_SHARE * len(alive):
                kept = (~ended).nonzero().squeeze(1)
                if guides is not None:
                    guides.select(kept.tolist())
                cache.batch_select_indices(kept)
                alive, last_b, ended = alive[kept], last_b[kept], ended[kept]
                hidden_bsd, mask_bs = hidden_bsd[kept], mask_bs[kept]
        self._check_finite(scores)
        last = (EOS,) if guides is None else (EOS, PAD)  # no grammar allows PAD: it stands behind a dead end
        return [_until(row, last) for row in tokens.tolist()], scores.double().sum(dim=1).tolist()

    def _check_finite(self, scores: Tensor) -> None:
        if not bool(torch.isfinite(scores).all()):
            found = f"the model's logits are NaN or infinite in {str(self.model.dtype).removeprefix('torch.')}"
            raise InputError("model", found, "use precision: fp32, or a sound checkpoint")

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
        """Ids and summed log-probabilities of each row's best beam."""
        hidden_bsd = self.model.encoder(input_ids=input_bs, attention_mask=mask_bs).last_hidden_state
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        state = [hidden_bsd, mask_bs]

        def logits_of(last_n: Tensor) -> Tensor:
            return self._step(last_n, state[0], state[1], cache)

        def select(rows: Tensor) -> None:
            cache.batch_select_indices(rows)
            state[:] = [tensor[rows] for tensor in state]

        first_b = torch.full((input_bs.shape[0],), PAD, device=self.device)
        return beam_search(first_b, logits_of, select, num_beams, max_tokens, EOS)


def _same(grammar: Grammar) -> Grammar:
    return grammar


def _until(row: list[int], last: tuple[int, ...]) -> list[int]:
    """``row`` up to EOS, which stays, or to another of ``last``, which does not."""
    end = next((index for index, token in enumerate(row) if token in last), len(row))
    return row[: end + 1] if row[end : end + 1] == [EOS] else row[:end]


def _planned(
    requests: Sequence[Request], positions: Sequence[int], max_tokens: int, batch_tokens: int
) -> Iterator[list[int]]:
    """Those ``positions`` of the requests in batches."""
    lengths = [len(requests[position].prompt_ids) + max_tokens for position in positions]
    for batch in plan_batches(lengths, batch_tokens):
        yield [positions[number] for number in batch]

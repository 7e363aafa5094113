"""From requests to outputs, by any engine: which are decoded together, which outputs are accepted, which again.

A constraint is optimistic: everything is decoded freely first. A row is accepted if it ends within the limit, its text
is one of its grammar, and its ids are those of its text; or if it is as near as the vocabulary can say one (``<unk>``,
``n`` for ``ñ``) and the masks let its ids through. The others are decoded again, greedily and under the grammar, from
where they leave it. For greedy search this is what constrained decoding of all rows gives, since a grammar admits the
canonical ids of all its texts that the vocabulary can say; and for draws from all tokens, whose noise is that of the
first time. Draws that top-k or top-p bound go by what may come next, so those are made under the masks from the start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from transformers import PreTrainedTokenizerFast

from t2t.config.run import GenerateSettings, SampleSettings
from t2t.draws import digest_of, number_of
from t2t.generation.batches import WINDOW, Room, plan_batches
from t2t.generation.constrain import Constrainer, MaskGuides
from t2t.generation.engine import Decoded, Engine, Search
from t2t.linear.admission import admits, repeats_for_good, without_repeats
from t2t.linear.grammar import Grammar
from t2t.model.tokenizer import decode_texts, encode_texts


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt: its name and its ids, EOS last. ``constraint`` gives the texts that are wanted; None: any text.

    ``texts``: a closed set of which every one is weighed, in place of a search. ``draw``: which of the samples of its
    prompt it is, from 0.
    """

    id: str
    prompt_ids: Sequence[int]
    constraint: Callable[[], Grammar] | None = None
    texts: tuple[str, ...] = ()
    draw: int = 0

    def key(self, seed: int) -> int:
        """What its draws hang on, 64 bits: of the same prompt the same, wherever it stands."""
        return number_of(seed, digest_of(*self.prompt_ids, size=16).hex(), self.draw)


@dataclass(frozen=True, slots=True)
class Output:
    """What was generated for one request.

    ``ids``: without the start, with EOS where there is one. ``text``: without pad, EOS and sentinels. ``score``: mean
    log-probability of ``ids`` in nats, EOS counted, as the model gives it without a constraint. ``cut``: there is no
    EOS, because the limit came before or because the constraint left no token. ``constrained``: decoded again under
    the constraint; ``closed``: and held to tokens that could still end within the limit, which it else had passed;
    ``unsayable``: and no text of the grammar can be said by the vocabulary, so ``<unk>`` is in what is none.
    ``logs``: of each of ``ids``, where they were asked for. ``ranked``: the request's texts, the likeliest first, with
    their log-probabilities in nats. ``samples``: where several were drawn, all of them; the first is this one.
    """

    id: str
    ids: tuple[int, ...]
    text: str
    score: float
    cut: bool
    constrained: bool = False
    closed: bool = False
    unsayable: bool = False
    ranked: tuple[tuple[str, float], ...] = ()
    logs: tuple[float, ...] = ()
    samples: tuple[Output, ...] = ()

    @property
    def total(self) -> float:
        """The log-probability in nats of the whole output, -inf of one that has no end."""
        return -math.inf if self.cut else self.score * len(self.ids)


@dataclass(frozen=True, slots=True)
class Decoding:
    """How requests are decoded.

    ``max_tokens``: the longest output, EOS counted. ``batch_tokens``: rows of a batch times the longest prompt and
    ``reserved``, which is what its caches may grow to; the logits of a step are for batch_tokens / reserved rows at
    most; a beam is a row, and a sample is one; None: as the engine says. ``beams``: 1 is greedy. ``sample``: draws in
    place of a search. ``no_repeat_ngram``, ``length_penalty``: see Search. ``logs``: outputs have the log-probability
    of each token. ``reserve``: what an output counts for in a batch, where that is more than ``max_tokens``.
    """

    max_tokens: int
    batch_tokens: int | None = None
    beams: int = 1
    sample: SampleSettings | None = None
    no_repeat_ngram: int | None = None
    logs: bool = False
    reserve: int = 0
    length_penalty: float = 1.0

    @classmethod
    def of(cls, settings: GenerateSettings, longest: int, usual: int | None = None) -> Decoding:
        """As a run file has it, for a task. ``longest``: of a target, in tokens; ``usual``: what nearly all have.

        Where the run file has no limit of its own, an output may be half as long again as is usual, and eight tokens
        longer, but not above ``longest``, for which batches have room all the same.
        """
        limit = longest if usual is None else min(longest, usual * 3 // 2 + 8)
        how = settings.sample, settings.no_repeat_ngram, settings.items
        given, reserve = settings.max_tokens, 0 if settings.max_tokens else longest
        return cls(given or limit, settings.tokens, settings.beams, *how, reserve, settings.length_penalty)

    @property
    def reserved(self) -> int:
        """The tokens that an output counts for in a batch."""
        return max(self.max_tokens, self.reserve)

    @property
    def chooses(self) -> bool:
        """Whether a token that was chosen among more is chosen among fewer too: draws that are cut depend on what there
        is."""
        return self.sample is None or not self.sample.cuts

    @property
    def follows(self) -> bool:
        """Whether the free search makes the choices that are made under masks."""
        return self.beams == 1 and self.chooses

    def once(self) -> Decoding:
        """The same with a single sample of each request."""
        return replace(self, sample=None if self.sample is None else replace(self.sample, n=1))

    def search(self, batch: Sequence[Request]) -> Search:
        """The free search for a batch."""
        keys = () if self.sample is None else tuple(request.key(self.sample.seed) for request in batch)
        return Search(self.max_tokens, self.beams, self.no_repeat_ngram, self.sample, keys, self.length_penalty)

    def guided(self, batch: Sequence[Request]) -> Search:
        """The search under the masks, which has no beams."""
        return replace(self.search(batch), beams=1)


@dataclass(frozen=True, slots=True)
class _Again:
    """A request that is decoded under a grammar, its own or another, and what the same choices gave without it: as far
    as the grammar lets that through it is what they give with it."""

    request: Request
    before: Output | None
    grammar: Grammar | None = None

    @property
    def said(self) -> tuple[int, ...]:
        return () if self.before is None else self.before.ids

    def after(self, output: Output, decoding: Decoding) -> _Again:
        """The same behind another try under masks, which were not closing."""
        return replace(self, before=output if decoding.chooses else None)

    def language(self) -> Grammar:
        if self.grammar is not None:
            return self.grammar
        assert self.request.constraint is not None
        return self.request.constraint()

    def decoded(self) -> Decoded:
        """What was said before, as an engine gives it."""
        assert self.before is not None
        return Decoded(self.before.ids, self.before.score * len(self.before.ids))


class Generator:
    """Generates with an engine. Which rows are in a batch together depends on the requests and on what the model says,
    so the same requests give the same outputs; other batches, as where memory ran out (Room), may turn near-ties (sums
    differ with the shape). Draws depend on their request alone."""

    def __init__(self, engine: Engine, tokenizer: PreTrainedTokenizerFast) -> None:
        self.engine, self.tokenizer, self._room = engine, tokenizer, Room()

    def generate(
        self,
        requests: Sequence[Request],
        decoding: Decoding,
        advance: Callable[[int], object] = lambda done: None,
    ) -> list[Output]:
        """One output for each request, in their order. ``advance`` is told how many more are done."""
        number = 1 if decoding.sample is None else decoding.sample.n
        if number == 1:
            return self._one_each(requests, decoding, advance)
        each = [replace(request, draw=draw) for request in requests for draw in range(number)]
        drawn = self._one_each(each, decoding, advance)
        several = [tuple(drawn[start : start + number]) for start in range(0, len(drawn), number)]
        return [replace(samples[0], samples=samples) for samples in several]

    def _one_each(
        self, requests: Sequence[Request], decoding: Decoding, advance: Callable[[int], object]
    ) -> list[Output]:
        outputs: dict[int, Output] = {}
        again: list[int] = []

        def done(places: Sequence[int]) -> None:
            advance(sum(requests[place].draw == 0 for place in places))

        for places, likeliest in self._ranked(requests, self._tokens(decoding)):
            outputs.update(zip(places, likeliest, strict=True))
            done(places)
        guided = decoding.sample is not None and decoding.sample.cuts
        searched = [place for place, request in enumerate(requests) if not request.texts]
        at_once = [place for place in searched if guided and requests[place].constraint is not None]
        for places, found in self._freely(requests, sorted(set(searched) - set(at_once)), decoding):
            batch = [requests[place] for place in places]
            outputs.update(zip(places, found, strict=True))
            rejected = [place for place, good in zip(places, self._accepted(batch, found), strict=True) if not good]
            again += rejected
            done(sorted(set(places) - set(rejected)))
        for places in self._planned(requests, sorted(again + at_once), decoding):
            asked = [_Again(requests[place], outputs.get(place) if decoding.follows else None) for place in places]
            outputs.update(zip(places, self._constrained(asked, decoding), strict=True))
            done(places)
        found = [outputs[place] for place in range(len(requests))]
        return self._with_logs(requests, found, decoding) if decoding.logs else found

    def _with_logs(self, requests: Sequence[Request], outputs: Sequence[Output], decoding: Decoding) -> list[Output]:
        """The outputs with the log-probability of each of their tokens, from one pass over each."""
        found = list(outputs)

        def scored(part: Sequence[int]) -> list[tuple[float, ...]]:
            ids = [outputs[place].ids for place in part]
            return self.engine.log_probabilities([requests[place].prompt_ids for place in part], ids)

        def size_of(part: Sequence[int]) -> int:
            return _size([requests[place] for place in part], decoding.reserved)

        for places in self._planned(requests, range(len(requests)), decoding):
            for place, logs in zip(places, self._room.run(places, size_of, scored), strict=True):
                found[place] = replace(outputs[place], logs=logs)
        return found

    def _tokens(self, decoding: Decoding) -> int:
        return decoding.batch_tokens or self.engine.batch_tokens

    def _ranked(self, requests: Sequence[Request], batch_tokens: int) -> Iterator[tuple[list[int], list[Output]]]:
        """The requests with a closed set, batch by batch: their places, and what is likeliest of each set."""
        spelled: dict[tuple[str, ...], list[list[int]]] = {}
        for texts in dict.fromkeys(request.texts for request in requests if request.texts):
            spelled[texts] = encode_texts(self.tokenizer, texts)
        chosen = [place for place, request in enumerate(requests) if request.texts]
        lengths = [_ranking_length(requests[place], spelled[requests[place].texts]) for place in chosen]

        def ranked(batch: Sequence[Request]) -> list[Output]:
            ids = [spelled[request.texts] for request in batch]
            totals = self.engine.rank([request.prompt_ids for request in batch], ids)
            return [self._likeliest(*one) for one in zip(batch, ids, totals, strict=True)]

        def size_of(batch: Sequence[Request]) -> int:
            return len(batch) * max(_ranking_length(request, spelled[request.texts]) for request in batch)

        for numbers in plan_batches(lengths, lambda: self._room.tokens(batch_tokens)):
            places = [chosen[number] for number in numbers]
            yield places, self._room.run([requests[place] for place in places], size_of, ranked)

    def _likeliest(self, request: Request, ids: Sequence[Sequence[int]], totals: Sequence[float]) -> Output:
        order = sorted(range(len(totals)), key=lambda text: -totals[text])
        best = order[0]
        ranked = tuple((request.texts[text], totals[text]) for text in order)
        score = totals[best] / len(ids[best])
        unsayable = self.tokenizer.unk_token_id in ids[best]
        return Output(
            request.id, tuple(ids[best]), request.texts[best], score, False, unsayable=unsayable, ranked=ranked
        )

    @cached_property
    def _constrainer(self) -> Constrainer:
        return Constrainer(self.tokenizer)

    def _accepted(self, batch: Sequence[Request], outputs: Sequence[Output]) -> list[bool]:
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

    def _constrained(self, asked: Sequence[_Again], decoding: Decoding) -> list[Output]:
        """The outputs under the constraint.

        The masks know where an output stands, not what it has said: one that names a place twice is decoded again from
        there on, without the places that are taken, until none is named twice. That is what masks that knew would give.
        So a row is not decoded on when it has done that.
        """
        openly, outputs = self._masked(asked, decoding)
        while again := self._repeating([one.request for one in asked], outputs):
            less = [replace(asked[row].after(openly[row], decoding), grammar=grammar) for row, grammar in again.items()]
            for row, first, output in zip(again, *self._masked(less, decoding), strict=True):
                openly[row], outputs[row] = first, output
        return outputs

    def _repeating(self, batch: Sequence[Request], outputs: Sequence[Output]) -> dict[int, Grammar]:
        """The rows that name a place twice, and what may be there instead."""
        found: dict[int, Grammar] = {}
        for row, (request, output) in enumerate(zip(batch, outputs, strict=True)):
            if request.constraint is not None and self.tokenizer.unk_token_id not in output.ids:
                grammar = without_repeats(request.constraint(), output.text)
                found |= {} if grammar is None else {row: grammar}
        return found

    def _enough(self, request: Request) -> Callable[[Sequence[int]], bool]:
        """Whether what was said, which may end there, names a place twice however it goes on."""
        grammar = None if request.constraint is None else request.constraint()

        def repeats(ids: Sequence[int]) -> bool:
            if grammar is None or self.tokenizer.unk_token_id in ids:
                return False
            return repeats_for_good(grammar, decode_texts(self.tokenizer, [tuple(ids)])[0])

        return repeats

    def _masked(self, asked: Sequence[_Again], decoding: Decoding) -> tuple[list[Output], list[Output]]:
        """The outputs under the masks, and the same but that those which the limit would cut are made to end in time
        if they can."""
        openly = self._guided(asked, decoding, closing=False)
        outputs = list(openly)
        cut = [row for row, output in enumerate(outputs) if len(output.ids) == decoding.max_tokens and output.cut]
        if cut:
            ended = self._guided([asked[row].after(outputs[row], decoding) for row in cut], decoding, closing=True)
            for row, output in zip(cut, ended, strict=True):
                outputs[row] = replace(output, closed=not output.cut)
        return openly, [
            replace(output, constrained=True, unsayable=self._is_unsayable(one.request, output))
            for one, output in zip(asked, outputs, strict=True)
        ]

    def _freely(
        self, requests: Sequence[Request], places: Sequence[int], decoding: Decoding
    ) -> Iterator[tuple[list[int], list[Output]]]:
        """The outputs of those ``places`` of the requests as they come, with their places, of one window after the
        other."""
        asked = self._tokens(decoding)
        for start in range(0, len(places), WINDOW):
            longest_first = sorted(places[start : start + WINDOW], key=lambda place: -len(requests[place].prompt_ids))
            window = [requests[place] for place in longest_first]

            def decoded(numbers: list[int], window: list[Request] = window) -> Iterator[list[tuple[int, Decoded]]]:
                part = [window[number] for number in numbers]
                prompts = [request.prompt_ids for request in part]
                room = partial(self._rows_of, asked, decoding.beams)
                return self.engine.stream(prompts, decoding.search(part), room, decoding.reserved)

            sizes = [decoding.beams * (len(request.prompt_ids) + decoding.reserved) for request in window]
            for found in self._room.stream(sizes, asked, decoded):
                batch, several = [window[number] for number, _ in found], [one for _, one in found]
                yield [longest_first[number] for number, _ in found], self._outputs(batch, several)

    def _rows_of(self, asked: int, rows: int) -> int:
        """What a batch may have, where each of its prompts is so many rows."""
        return self._room.tokens(asked) // rows

    def _guided(self, asked: Sequence[_Again], decoding: Decoding, closing: bool) -> list[Output]:
        """Under the masks; ``closing``: of tokens that can still end within the limit (see Guide)."""
        most, end = decoding.max_tokens, self.engine.ids.end

        def decoded(part: Sequence[_Again]) -> list[Decoded]:
            guides = [self._constrainer.guide(one.language(), closing) for one in part]
            begun = [one.said[: guide.follow(one.said, most)] for one, guide in zip(part, guides, strict=True)]
            on = [row for row, ids in enumerate(begun) if len(ids) < most and end not in ids]
            found = {row: part[row].decoded() for row in set(range(len(part))) - set(on)}  # nothing of them is left out
            if on:
                prompts, batch = [part[row].request.prompt_ids for row in on], [part[row].request for row in on]
                begins, enough = [begun[row] for row in on], [self._enough(request) for request in batch]
                masks = MaskGuides((guides[row] for row in on), begins, enough)
                found |= zip(on, self.engine.decode(prompts, decoding.guided(batch), masks, begins), strict=True)
            return [found[row] for row in range(len(part))]

        def size_of(part: Sequence[_Again]) -> int:
            return _size([one.request for one in part], decoding.reserved)

        return self._outputs([one.request for one in asked], self._room.run(asked, size_of, decoded))

    def _planned(self, requests: Sequence[Request], places: Sequence[int], decoding: Decoding) -> Iterator[list[int]]:
        """Those ``places`` of the requests in batches, a row each."""
        lengths = [len(requests[place].prompt_ids) + decoding.reserved for place in places]
        for batch in plan_batches(lengths, lambda: self._room.tokens(self._tokens(decoding))):
            yield [places[number] for number in batch]

    def _outputs(self, batch: Sequence[Request], decoded: Sequence[Decoded]) -> list[Output]:
        texts, end = decode_texts(self.tokenizer, [one.ids for one in decoded]), self.engine.ids.end
        return [
            Output(request.id, one.ids, text, one.total / max(1, len(one.ids)), end not in one.ids)
            for request, one, text in zip(batch, decoded, texts, strict=True)
        ]


def _ranking_length(request: Request, texts: Sequence[Sequence[int]]) -> int:
    """What ranking a prompt takes of a batch: each of the texts is a row at last."""
    return len(texts) * (len(request.prompt_ids) + max(map(len, texts)))


def _size(batch: Sequence[Request], max_tokens: int) -> int:
    """The tokens that a batch has, prompts and outputs, padded."""
    return len(batch) * (max(len(request.prompt_ids) for request in batch) + max_tokens)

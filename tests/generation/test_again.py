"""What is decoded again, with an engine whose next tokens are drawn by a hash of the prompt and of what was said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import xxhash
from numpy.typing import NDArray

from t2t.generation.batches import in_batches
from t2t.generation.engine import Decoded, Guides, Search
from t2t.generation.generator import Decoding, Generator, Output, Request
from t2t.linear.target import Target
from t2t.model.seq2seq import SpecialIds
from t2t.model.tokenizer import train_tokenizer
from tests.generation.test_constrained_decoding import from_the_first_token

TOKENIZER = train_tokenizer(["find names in: Ada met = person ; location", "creative work none"] * 5, 560)
LABELS = {"per": "person", "loc": "location", "cw": "no creative work of these"}
# What is before the place is longer or shorter by choice, so that an output which is made to end says other places.
TREE = Target(
    {
        "each": "m", "as": "{type} : {text}", "between": " ; ",
        "fields": {"text": {"span_of": "text"}, "type": {"label": LABELS}},
    },
    lambda path: "t.yaml:1",
)  # fmt: skip


class Hashing:
    """An engine of which every output hangs on its prompt alone. ``ends``: how much likelier an end is, in nats."""

    ids, batch_tokens = SpecialIds(pad=0, start=0, end=1), 10**9
    stream = in_batches

    def __init__(self, ends: float) -> None:
        self.ends = ends

    def decode(
        self, prompts: Sequence[Sequence[int]], search: Search, guides: Guides | None = None,
        begun: Sequence[Sequence[int]] = (),
    ) -> list[Decoded]:  # fmt: skip
        said = [list(ids) for ids in begun or [()] * len(prompts)]
        totals = [
            sum(float(self.logits(prompt, ids[:n])[ids[n]]) for n in range(len(ids)))
            for prompt, ids in zip(prompts, said, strict=True)
        ]
        live = [True] * len(prompts)
        while any(live):
            tokens = [0] * len(said)
            left = [search.max_tokens - len(ids) for ids in said]
            size = len(TOKENIZER)
            masks = np.ones((len(said), size), dtype=np.bool_) if guides is None else guides.mask(live, left, size)
            for row in (row for row, on in enumerate(live) if on):
                live[row] = bool(masks[row].any())
                logits = self.logits(prompts[row], said[row])
                tokens[row] = int(np.where(masks[row], logits, -np.inf).argmax())
                if live[row]:
                    totals[row] += float(logits[tokens[row]])
            known = [False] * len(said) if guides is None else guides.take(tokens, live)
            for row in (row for row, on in enumerate(live) if on):
                said[row].append(tokens[row])
                live[row] = tokens[row] != 1 and len(said[row]) < search.max_tokens and not known[row]
        return [Decoded(tuple(ids), total) for ids, total in zip(said, totals, strict=True)]

    def logits(self, prompt: Sequence[int], said: Sequence[int]) -> NDArray[np.float64]:
        found = np.random.default_rng(xxhash.xxh3_64_intdigest(f"{prompt} {list(said)}".encode())).normal(
            size=len(TOKENIZER)
        )
        found[1] += self.ends
        return found


def answers(limit: int, ends: float, text: str, count: int = 12) -> list[Output]:
    grammar = TREE.grammar({"text": text})
    requests = [Request(str(number), (number, limit, 1), lambda: grammar) for number in range(count)]
    return Generator(Hashing(ends), TOKENIZER).generate(requests, Decoding(limit))  # type: ignore[arg-type]


@pytest.mark.parametrize("ends", [0.0, -3.0])
@pytest.mark.parametrize("text", ["ab", "a b"])
def test_it_is_what_it_is_as_a_whole(text: str, ends: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were made to end, and then named a place twice, among them."""
    closed: list[bool] = []
    repeating = Generator._repeating

    def seen(self: Generator, batch: Sequence[Request], outputs: Sequence[Output]) -> object:
        found = repeating(self, batch, outputs)
        closed.extend(outputs[row].closed for row in found)
        return found

    monkeypatch.setattr(Generator, "_repeating", seen)
    limits = range(14, 40)
    found = [answers(limit, ends, text) for limit in limits]
    assert any(closed)
    from_the_first_token(monkeypatch)
    for limit, outputs in zip(limits, found, strict=True):
        for one, whole in zip(outputs, answers(limit, ends, text), strict=True):
            said = (one.ids, one.cut, one.closed, one.constrained, one.unsayable)
            assert said == (whole.ids, whole.cut, whole.closed, whole.constrained, whole.unsayable), (limit, one.id)

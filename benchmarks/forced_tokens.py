"""What taking forced tokens without a decoder step each would save: counted on a trained model, and timed.

    python benchmarks/forced_tokens.py --model runs/atlas --tasks atlas/ner_en atlas/event_en
    python benchmarks/forced_tokens.py --model runs/atlas --gold snips/joint    # a task that the model does not know

A token is forced where the grammar allows one alone (a mark, the rest of a label). In a scheme that feeds the token a
row has chosen together with all that is forced behind it, a row takes a pass for each token that is not forced, and one
more where its last is forced, since scores are of all tokens; a batch takes as many as the row with the most. That is
counted along the outputs under the grammar (``--gold``: along the gold, which is what a perfect model says), in batches
of ``--rows`` prompts of like length, against a step for each token of the longest row. A pass over several tokens is
taken to cost what a step costs, so what is saved is at most this.

Then the same inputs are timed, in processor time, median of ``--rounds``: decoded freely; as ``t2t generate`` does,
freely and what is not of the language again under the masks; and all under the masks. The forced scheme could save its
share of the steps of the second or of the third.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import torch

from t2t.data.encode import Encoder
from t2t.generation.constrain import Constrainer
from t2t.generation.generator import Decoding, Generator, Request
from t2t.linear.grammar import Grammar
from t2t.model.tokenizer import encode_texts
from t2t.serving.loading import load_generator, model_folder
from t2t.structures import Example
from t2t.table import table
from t2t.tasks.kept import KeptTasks
from t2t.tasks.task import Task, load_task

HEADINGS = ("task", "rows", "tokens", "forced", "steps", "passes", "saved")


@dataclass(frozen=True, slots=True)
class Counted:
    """Of some outputs: tokens, those that are forced, steps of their batches, and passes of the forced scheme."""

    tokens: int
    forced: int
    steps: int
    passes: int

    @property
    def saved(self) -> float:
        return 1 - self.passes / self.steps


def forced(constrainer: Constrainer, grammar: Grammar, ids: Sequence[int], limit: int) -> list[bool]:
    """For each of the ids, taken in turn, whether the grammar allows it alone."""
    guide, found = constrainer.guide(grammar), []
    for place, token in enumerate(ids):
        found.append(len(guide.allowed(limit - place)) == 1)
        guide.take(token)
    return found


def counted(rows: Sequence[Sequence[bool]], size: int) -> Counted:
    """``rows``: of each output which tokens are forced, as they are in batches of ``size``."""
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    passes = [[row.count(False) + row[-1] for row in batch] for batch in batches]
    return Counted(
        tokens=sum(map(len, rows)),
        forced=sum(map(sum, rows)),
        steps=sum(max(map(len, batch)) for batch in batches),
        passes=sum(map(max, passes)),
    )


def examples(task: Task, encoder: Encoder, most: int) -> Iterator[tuple[Example, Request]]:
    """Windows of the test split with their requests, the longest prompt first."""
    windows = [window for one in islice(task.examples("test"), most) for window in task.windows(one)]
    fitted = zip(windows, encoder.prompts(task, windows), strict=True)
    pairs = [
        (window, Request(window.id, prompt[1].tolist(), partial(task.grammar, window)))
        for window, prompt in fitted
        if isinstance(prompt, tuple)
    ]
    yield from sorted(pairs, key=lambda pair: -len(pair[1].prompt_ids))


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Processor time, the median of some rounds."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return statistics.median(found)


def timed(generator: Generator, requests: Sequence[Request], decoding: Decoding, size: int, rounds: int) -> list[str]:
    """Seconds for free outputs, for those of ``t2t generate``, and for all under the masks."""
    free = [Request(one.id, one.prompt_ids) for one in requests]

    def masked() -> None:
        for start in range(0, len(requests), size):
            generator._constrained(requests[start : start + size], decoding)

    ways = (partial(generator.generate, free, decoding), partial(generator.generate, requests, decoding), masked)
    return [f"{seconds(way, rounds):.2f}" for way in ways]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--tasks", nargs="*", default=[])
    parser.add_argument("--gold", nargs="*", default=[])
    parser.add_argument("--examples", type=int, default=320)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    generator, kept = load_generator(given.model, "cpu"), KeptTasks(model_folder(given.model))
    encoder = Encoder(generator.tokenizer, kept.lengths.prompt, kept.lengths.target)
    constrainer, decoding = Constrainer(generator.tokenizer), Decoding(kept.lengths.target)
    counts, times = list[tuple[object, ...]](), list[tuple[str, ...]]()
    for name in (*given.tasks, *given.gold):
        task = load_task(name)
        pairs = list(examples(task, encoder, given.examples))
        requests = [request for _, request in pairs]
        if name in given.tasks:
            outputs = generator.generate(requests, decoding)
            rows = [output.ids for output in outputs]
            again = sum(output.constrained for output in outputs) / len(outputs)
            times.append((name, f"{again:.1%}", *timed(generator, requests, decoding, given.rows, given.rounds)))
        else:
            rows = [
                tuple(ids) for ids in encode_texts(generator.tokenizer, [task.target_text(one) for one, _ in pairs])
            ]
        found = counted(
            [
                forced(constrainer, request.constraint(), ids, decoding.max_tokens)
                for request, ids in zip(requests, rows, strict=True)
                if request.constraint is not None
            ],
            given.rows,
        )
        share, saved = f"{found.forced / found.tokens:.1%}", f"{found.saved:.1%}"
        counts.append((name, len(rows), found.tokens, share, found.steps, found.passes, saved))
    print("\n".join(table([HEADINGS, *([str(cell) for cell in row] for row in counts)], rule=True)))
    if times:
        print("\nseconds:")
        print("\n".join(table([("task", "again", "free", "as generate does", "all masked"), *times], rule=True)))


if __name__ == "__main__":
    main()

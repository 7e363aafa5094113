"""From examples to their outputs: windows, prompts as ids, decoding, and the windows of an example together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from t2t.data.bounded import windows
from t2t.data.encode import Encoder, Ids
from t2t.errors import DataError
from t2t.generation.generator import Output, Request
from t2t.structures import Example
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.task import Task

WINDOW = 4096  # examples that are decoded together, so that batches hold prompts of like lengths
Input = tuple[Example, str, Ids]  # a window with its prompt
Answers = list[tuple[str, Output]]  # prompt and output of each window
Decode = Callable[[list[Request]], list[Output]]


def answer(
    task: Task, examples: Iterator[Example], encoder: Encoder, decode: Decode, constrain: bool, bad: BadRecords
) -> Iterator[tuple[Example, Answers]]:
    """Each example with the outputs for its windows, in their order.

    ``constrain``: outputs are held to the target language. An example whose prompt does not fit is bad.
    """
    for batch in windows(examples, WINDOW):
        asked = _asked(task, batch, encoder, bad)
        requests = [
            Request(window.id, ids.tolist(), partial(task.grammar, window) if constrain else None)
            for _, several in asked
            for window, _, ids in several
        ]
        outputs = iter(decode(requests))
        for example, several in asked:
            yield example, [(prompt, output) for (_, prompt, _), output in zip(several, outputs, strict=False)]


def _asked(
    task: Task, batch: Sequence[Example], encoder: Encoder, bad: BadRecords
) -> list[tuple[Example, list[Input]]]:
    """The examples with what the model reads of each; those with a prompt that does not fit are bad."""
    windows = [task.windows(example) for example in batch]
    fitted = iter(encoder.prompts(task, [window for several in windows for window in several]))

    def whole(one: tuple[Example, list[Example]]) -> tuple[Example, list[Input]]:
        inputs: list[Input] = []
        for window, prompt in [(window, next(fitted)) for window in one[1]]:
            if isinstance(prompt, DataError):
                raise prompt
            inputs.append((window, *prompt))
        return one[0], inputs

    return list(bad.each(zip(batch, windows, strict=True), whole))

"""From examples to their outputs: windows, prompts as ids, decoding, and the windows of an example together again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from t2t.data.bounded import windows
from t2t.data.encode import Encoder, Ids
from t2t.errors import DataError
from t2t.generation.generator import Output, Request
from t2t.linear.parsed import Issue, Parsed
from t2t.structures import Example, Value
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.task import Task

WINDOW = 4096  # examples that are decoded together, so that batches hold prompts of like lengths
Input = tuple[Example, str, Ids]  # a window with its prompt
Decode = Callable[[list[Request]], list[Output]]
_KNOWN = ("cut", "closed", "unsayable")  # of an output, told as issues


@dataclass(frozen=True, slots=True)
class Answered:
    """An example with the outputs for its windows, in their order, and the prompt of each.

    Of outputs that were drawn several times it has the first of each window, and ``samples`` has all.
    """

    example: Example
    prompts: tuple[str, ...]
    outputs: tuple[Output, ...]

    @property
    def text(self) -> str:
        """What was generated, of several windows one under the other."""
        return "\n".join(output.text for output in self.outputs)

    @property
    def score(self) -> float:
        """The mean log-probability of a token, in nats; of several windows their mean."""
        return sum(output.score for output in self.outputs) / len(self.outputs)

    @property
    def total(self) -> float:
        """The log-probability in nats of all that was generated, -inf where an output has no end."""
        return sum(output.total for output in self.outputs)

    @property
    def samples(self) -> tuple[Answered, ...]:
        """Where several outputs were drawn, the example with each of them; the first is this one."""
        number = min(len(output.samples) for output in self.outputs)
        return tuple(replace(self, outputs=tuple(one.samples[draw] for one in self.outputs)) for draw in range(number))

    @property
    def constrained(self) -> bool:
        return any(output.constrained for output in self.outputs)

    def issues(self) -> tuple[Issue, ...]:
        """What decoding says of the outputs."""
        said = [kind for kind in _KNOWN if any(getattr(output, kind) for output in self.outputs)]
        return tuple(Issue(kind, "", "") for kind in said)

    def top(self, task: Task, most: int) -> tuple[tuple[Value, float], ...]:
        """The ``most`` likeliest values of a closed set, with their probabilities among all of it."""
        ranked = self.outputs[0].ranked
        whole = sum(math.exp(total - ranked[0][1]) for _, total in ranked)
        return tuple(
            (task.parse(text, self.example).value, math.exp(total - ranked[0][1]) / whole)
            for text, total in ranked[:most]
        )

    def parsed(self, task: Task) -> Parsed:
        """What the outputs say, with the issues of decoding behind those of the text."""
        found = task.parse_windows([(output.text, output.score) for output in self.outputs], self.example)
        return Parsed(found.value, found.issues + self.issues(), self.score)


def answer(
    task: Task,
    examples: Iterator[Example],
    encoder: Encoder,
    decode: Decode,
    constrain: bool,
    bad: BadRecords,
    rank: bool = False,
) -> Iterator[Answered]:
    """Each example with the outputs for its windows, in their order.

    ``constrain``: outputs are held to the target language. ``rank``: where they are of a closed set, each of it is
    weighed. An example whose prompt does not fit is bad.
    """
    for batch in windows(examples, WINDOW):
        asked = _asked(task, batch, encoder, bad)
        requests = [
            Request(
                window.id,
                ids.tolist(),
                partial(task.grammar, window) if constrain else None,
                task.closed_texts(window) if rank else (),
            )
            for _, several in asked
            for window, _, ids in several
        ]
        outputs = iter(decode(requests))
        for example, several in asked:
            prompts = tuple(prompt for _, prompt, _ in several)
            yield Answered(example, prompts, tuple(islice(outputs, len(several))))


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

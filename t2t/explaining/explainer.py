"""From an answered record to what each item of its output came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from t2t.errors import InputError
from t2t.explaining.deletion import Fall, falls_without
from t2t.explaining.gradients import check_installed, integrated_gradients
from t2t.explaining.scoring import Scorer
from t2t.explaining.source_pieces import Piece, source_pieces
from t2t.generation.torch_engine import TorchEngine
from t2t.linear.parsed import TargetPart, to_json
from t2t.serving.answers import Answered
from t2t.serving.model import Model
from t2t.serving.routing import BestOf
from t2t.structures import Example, Json
from t2t.tasks.task import Task

_LITTLE = 1.0  # nats


@dataclass(frozen=True, slots=True)
class AttributedText:
    """The ``text`` of a field as the prompt had it, from the character ``start`` of the field on."""

    field: str
    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """A part of an output: what it says (``name``, ``text``), and the tokens of the source that carried it.

    ``weights``: nats that each of ``pieces`` adds to ``score``, the log-probability of the item's tokens where what
    is before them is given; ``without``: the same where all pieces are padding; ``gap``: what the weights miss
    their difference by. ``shown``: what the prompt showed of the record. ``falls``: see deletion.
    """

    name: str
    text: str
    score: float
    without: float
    gap: float
    pieces: tuple[Piece, ...]
    weights: tuple[float, ...]
    falls: tuple[Fall, ...]
    shown: tuple[AttributedText, ...]

    @property
    def is_unattributable(self) -> bool:
        """True if the item is about as likely with padding in the place of the text, so that there is next to nothing
        to attribute, whatever it came from."""
        return self.score - self.without < _LITTLE

    def to_json(self) -> dict[str, Json]:
        """As it is in a line of ``--json``."""
        tokens = [
            {"field": one.field, "start": one.start, "end": one.end, "text": one.text, "weight": weight}
            for one, weight in zip(self.pieces, self.weights, strict=True)
        ]
        falls = [{"deleted": one.size, "top": one.top, "random": one.random} for one in self.falls]
        content = {"name": self.name, "text": self.text, "score": self.score, "without": self.without, "gap": self.gap}
        return {**content, "tokens": tokens, "falls": falls}


@dataclass(frozen=True, slots=True)
class Explained:
    """A record's output, its ``value`` as JSON, and its items in the order in which the output has them."""

    id: str
    output: str
    value: Json
    items: tuple[Item, ...]

    def to_json(self) -> dict[str, Json]:
        """As a line of ``--json``."""
        items: list[Json] = [one.to_json() for one in self.items]
        return {"id": self.id, "output": self.output, "value": self.value, "items": items}


class Explainer:
    """Explains the outputs of a model for one task. InputError where captum is not installed, and where several
    adapters answer the task, of which now one and now the other is the surest."""

    def __init__(self, model: Model, task: Task) -> None:
        check_installed()
        if isinstance(model.generator, BestOf):
            todo = "name the one to explain: --adapters NAME=DIR, a folder below adapters/ of the model"
            raise InputError(task.name, "several adapters answer it, and the surest output stands", todo)
        engine = model.generator.engine
        if not isinstance(engine, TorchEngine):
            raise InputError("engine", "only the engine torch has gradients", "load the model with engine: torch")
        self._model, self._tokenizer, self._task = engine.model, model.generator.tokenizer, task
        self._model.module.requires_grad_(False)  # of weights none is wanted

    def explain(self, found: Answered) -> Explained:
        """What each item of an output came from, window by window."""
        items: list[Item] = []
        task, example = self._task, found.example
        begins = task.window_starts(example)
        for window, begin, prompt, output in zip(
            task.windows(example), begins, found.prompts, found.outputs, strict=True
        ):
            items += self._items(window, begin, prompt, output.text)
        return Explained(example.id, found.text, to_json(found.parsed(task).value), tuple(items))

    def _items(self, window: Example, begin: int, prompt: str, output: str) -> list[Item]:
        settings = self._task.template.window
        begins = {} if settings is None else {settings.field: begin}
        places = self._task.places(window, prompt)
        shown = tuple(
            AttributedText(one.field, one.left_out + begins.get(one.field, 0), prompt[one.start : one.end])
            for one in places
        )
        ids, offsets = self._spelled(prompt)
        labels, said = self._spelled(output)
        pieces = source_pieces(prompt, offsets, places, begins)
        items = []
        for part in self._task.parts(output):
            wanted = [at for at, (start, end) in enumerate(said) if start < part.end and end > max(start, part.start)]
            if wanted and pieces:
                scorer = Scorer(self._model, labels, wanted)
                items.append(_item(scorer, ids, pieces, part, output, shown, window.id))
        return items

    def _spelled(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The ids of a text, EOS last, and the characters that each stands for."""
        found = self._tokenizer(text, split_special_tokens=True, return_offsets_mapping=True, verbose=False)
        return found["input_ids"], found["offset_mapping"]


def _item(
    scorer: Scorer,
    ids: Sequence[int],
    pieces: Sequence[Piece],
    part: TargetPart,
    output: str,
    shown: tuple[AttributedText, ...],
    key: str,
) -> Item:
    found = integrated_gradients(scorer, ids, [token for piece in pieces for token in piece.tokens])
    weights = tuple(sum(found.tokens[token] for token in piece.tokens) for piece in pieces)
    falls = falls_without(scorer, ids, pieces, weights, key, part.start)
    text = output[part.start : part.end]
    return Item(part.name, text, found.score, found.without, found.gap, tuple(pieces), weights, falls, shown)

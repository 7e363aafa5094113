"""Several adapters that may answer: who is asked for a task, and whose output stands where all of them are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from t2t.generation.generator import Decoding, Generator, Output, Request
from t2t.model.peft.routes import Routes, adapter_of, read_routes
from t2t.serving.loading import load_generator, load_with_adapters, model_folder
from t2t.serving.model_calibration import Calibration, read_calibration
from t2t.tasks.kept import target_tokens


class BestOf(Generator):
    """Generators of one vocabulary as one: each request is answered by all, and the surest output stands: a whole one
    before one that was cut, then by the mean log-probability of its tokens; of equal ones the first generator's."""

    def __init__(self, generators: Sequence[Generator]) -> None:
        super().__init__(generators[0].engine, generators[0].tokenizer)
        self.generators = tuple(generators)

    def generate(
        self,
        requests: Sequence[Request],
        decoding: Decoding,
        advance: Callable[[int], object] = lambda done: None,
    ) -> list[Output]:
        """See Generator."""
        first, *others = self.generators
        outputs = [first.generate(requests, decoding, advance)]
        outputs += [one.generate(requests, decoding) for one in others]
        return [max(row, key=_sureness) for row in zip(*outputs, strict=True)]


def _sureness(output: Output) -> tuple[bool, float]:
    return not output.cut, output.score


def together(generators: Sequence[Generator]) -> Generator:
    """One generator as it is, several as BestOf them."""
    return generators[0] if len(generators) == 1 else BestOf(generators)


@dataclass(frozen=True, slots=True)
class Known:
    """What a model folder says of its tasks: how sure the model may be, and how long targets are (see kept.keep)."""

    calibration: Calibration
    target_tokens: Mapping[str, int]

    @classmethod
    def of(cls, folder: Path) -> Known:
        """InputError for what cannot be read."""
        return cls(read_calibration(folder), target_tokens(folder))


@dataclass(frozen=True, slots=True)
class Routed:
    """The generators of a model folder with what is known: of the base, and of the adapters that are in it."""

    base: tuple[Generator, Known]
    adapters: Mapping[str, tuple[Generator, Known]]
    routes: Routes | None

    def of(self, task: str) -> tuple[Generator, Known]:
        """Who answers a task, and what is known: of several adapters the newest that knows the task tells."""
        names = () if self.routes is None else self.routes.of(task)
        if self.routes is None or not names:
            return self.base
        newest = [name for name in names if task in self.routes.tasks[name]][-1]
        return together([self.adapters[name][0] for name in names]), self.adapters[newest][1]


def load_answering(
    directory: Path, device: str | None = None, precision: str = "fp32", engine: str = "torch"
) -> Routed:
    """What ``load_generator`` loads, with the adapters that are in the folder. InputError as it and
    ``load_with_adapters`` do."""
    folder = model_folder(directory)
    routes = read_routes(folder)
    if routes is None or engine == "ctranslate2":
        return Routed((load_generator(directory, device, precision, engine), Known.of(folder)), {}, None)
    places = {name: adapter_of(folder, name) for name in routes.tasks}
    base, others = load_with_adapters(directory, places, device, precision)
    adapters = {name: (others[name], Known.of(place)) for name, place in places.items()}
    return Routed((base, Known.of(folder)), adapters, routes)

"""What stands on the prompt's side of a template: wordings, exemplars, wanted types, exchanged mentions, cuts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from t2t.config.template import Template
from t2t.draws import chance_of
from t2t.errors import DataError, TemplateError
from t2t.linear.prompt import Prompt, PromptList
from t2t.linear.scope import kind_of
from t2t.linear.target import Target
from t2t.registry import did_you_mean
from t2t.structures import Example, Record, Value
from t2t.tasks.few_shot import Exemplars, KeptExemplars
from t2t.tasks.replaced_mentions import Mentions
from t2t.tasks.wanted_types import WantedTypes


@dataclass(frozen=True, slots=True)
class PromptPlace:
    """Where in a prompt the text of a ``field`` stands (``end`` exclusive), of which the first ``left_out`` characters
    are not shown."""

    field: str
    start: int
    end: int
    left_out: int


class Wording:
    """How a template asks. What varies from epoch to epoch is a function of (seed, epoch, id).

    Args:
        template: as its file says it.
        target: gives the compiled target, whose words prompts list; called when they are first needed.
        examples: gives those of a split from which exemplars and other mentions are drawn.
        target_text: the target string of an exemplar.
        solved: prompts and targets to draw exemplars from, in place of examples.
    """

    def __init__(
        self,
        template: Template,
        target: Callable[[], Target],
        examples: Callable[[str], Iterator[Example]],
        target_text: Callable[[Example], str],
        solved: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        self._template = template
        self._name = template.task
        self._target = target
        self._examples = examples
        self._target_text = target_text
        self._exemplars = self._few_shot(solved)

    def _few_shot(self, solved: Sequence[tuple[str, str]] | None) -> Exemplars | None:
        settings = self._template.few_shot
        if settings is None:
            return None
        if solved is not None:
            return KeptExemplars(settings, self._name, solved)

        def render(example: Example, wording: int) -> tuple[str, str]:
            return self._worded(example, example.fields, wording, 0, None), self._target_text(example)

        return Exemplars(settings, self._name, lambda: self._examples(settings.split), render)

    def solved(self) -> Iterator[tuple[str, str]]:
        """Prompts and targets of the examples that exemplars are drawn from; none without ``few_shot:``."""
        settings = self._template.few_shot
        for example in self._examples(settings.split) if settings is not None else ():
            yield self._worded(example, example.fields, 0, 0, None), self._target_text(example)

    @cached_property
    def types(self) -> WantedTypes | None:
        """Which types of the target prompts ask for; None where the template does not sample them."""
        settings = self._template.types
        if settings is None:
            return None
        return WantedTypes(settings, self._target(), self._name, self._template.where(("types",)))

    @cached_property
    def _mentions(self) -> Mentions | None:
        settings = self._template.replace_mentions
        if settings is None:
            return None
        where = self._template.where(("replace_mentions",))
        return Mentions(settings, self._target(), self._name, where, lambda: self._examples("train"))

    @cached_property
    def prompts(self) -> list[Prompt]:
        """The wordings of the prompt, compiled. TemplateError for what does not fit them."""
        template = self._template
        lists = {
            name: PromptList(spec, lambda path, name=name: template.where(("lists", name, *path)))  # type: ignore[misc]
            for name, spec in template.lists.items()
        }
        varying = self.types.placeholder if self.types else None
        prompts = [
            Prompt(variant.text, self._target().words, lists, self._line(index), varying)
            for index, variant in enumerate(template.prompts)
        ]
        self._check_shorten(prompts)
        self._check_window(prompts)
        self._check_mentions(prompts)
        for index, prompt in enumerate(prompts):
            if varying and varying not in prompt.names:
                found = "types: are sampled, but the prompt does not list them"
                raise TemplateError(self._line(index), found, f"write {{{varying}}} into it")
        return prompts

    def _line(self, index: int) -> str:
        path = ("prompt",) if len(self._template.prompts) == 1 else ("prompts", index)
        return self._template.where(path)

    def _check_shorten(self, prompts: list[Prompt]) -> None:
        shorten = self._template.shorten
        if shorten is None:
            return
        where = self._template.where(("shorten",))
        if shorten.field in self._template.lists:
            found = f"shorten: {shorten.field!r} stands under lists:"
            raise TemplateError(where, found, "only a field that is a text can be cut")
        self._check_shown(prompts, shorten.field, "shorten", where)

    def _check_window(self, prompts: list[Prompt]) -> None:
        window = self._template.window
        if window is None:
            return
        where = self._template.where(("window",))
        if self._exemplars is not None:
            todo = "leave one of them out"
            raise TemplateError(where, "window: and few_shot: do not go together, exemplars are whole texts", todo)
        self._check_shown(prompts, window.field, "window", where)

    @staticmethod
    def _check_shown(prompts: list[Prompt], field: str, key: str, where: str) -> None:
        for prompt in prompts:
            if field not in prompt.names:
                found = f"{key}: field {field!r} does not stand in the prompt"
                raise TemplateError(where, found, did_you_mean(field, prompt.names))

    def _check_mentions(self, prompts: list[Prompt]) -> None:
        if self._mentions is None:
            return
        field = self._mentions.field
        if field in self._template.lists:
            found = f"replace_mentions: exchanges mentions in {field!r}, which stands under lists:"
            raise TemplateError(self._template.where(("lists", field)), found, "give the list another name")
        for index, prompt in enumerate(prompts):
            if field not in prompt.names:
                found = f"replace_mentions: exchanges mentions in {field!r}, which the prompt does not show"
                raise TemplateError(self._line(index), found, f"write {{{field}}} into it")

    @property
    def draws_more(self) -> bool:
        """True if more than the wording may differ from epoch to epoch."""
        template = self._template
        drawn = (self._exemplars, template.types, template.replace_mentions, template.token_task)
        return any(one is not None for one in drawn)

    def drawn(self, example: Example, seed: int, epoch: int | None) -> Example:
        """The example with the mentions that an epoch sees in it."""
        return example if self._mentions is None or epoch is None else self._mentions.drawn(example, seed, epoch)

    def asked(self, example: Example, seed: int, epoch: int | None) -> Value:
        """The part of the gold value that an epoch's prompt asks for."""
        if self.types is None or epoch is None:
            return example.gold
        return self.types.only(example.gold, self.types.wanted(example.gold, example.id, seed, epoch))

    def prompt(self, example: Example, seed: int, epoch: int | None, keep: int | None) -> str:
        """The prompt, exemplars in front; ``keep``: how many characters of the ``shorten`` field stay."""
        wording = 0 if epoch is None else self.index(seed, epoch, example.id)
        fields = example.fields if keep is None else self._shortened(example.fields, keep)
        prompt = self._worded(example, fields, wording, seed, epoch)
        return prompt if self._exemplars is None else self._exemplars.before(prompt, example, wording, seed, epoch)

    def check_writable(self, example: Example) -> None:
        """DataError if one of the wordings cannot be written for the example."""
        for wording in range(len(self.prompts)):
            self._worded(example, example.fields, wording, 0, None)

    def places(self, example: Example, prompt: str) -> list[PromptPlace]:
        """Where the fields of an example are in its ``prompt`` as evaluation asks it, which may have been shortened.

        A list is under the name of its placeholder; the types that a prompt asks for have no place.
        """
        keep = self._keep_of(example, prompt)
        fields = self._asking(example, example.fields if keep is None else self._shortened(example.fields, keep))
        shown, places = self.prompts[0], []
        at = prompt.rindex(shown.render(fields, example.where)) + len(shown.literals[0])  # behind the exemplars
        for (name, text), literal in zip(shown.values(fields, example.where), shown.literals[1:], strict=True):
            if self.types is None or name != self.types.placeholder:
                places.append(PromptPlace(name, at, at + len(text), self._left_out(name, example, keep)))
            at += len(text) + len(literal)
        return places

    def _keep_of(self, example: Example, prompt: str) -> int | None:
        """How many characters of the ``shorten`` field a prompt has kept; None for one that is whole."""
        length = self.shorten_length(example)
        if not length or prompt == self.prompt(example, 0, None, None):
            return None
        shortest, whole = (len(self.prompt(example, 0, None, keep)) for keep in (0, length))
        return (len(prompt) - shortest) * length // (whole - shortest)

    def _left_out(self, name: str, example: Example, keep: int | None) -> int:
        shorten = self._template.shorten
        if keep is None or shorten is None or name != shorten.field or shorten.keep == "start":
            return 0
        return (self.shorten_length(example) or 0) - keep

    def _worded(self, example: Example, fields: Record, wording: int, seed: int, epoch: int | None) -> str:
        return self.prompts[wording].render(self._asking(example, fields, seed, epoch), example.where)

    def _asking(self, example: Example, fields: Record, seed: int = 0, epoch: int | None = None) -> Record:
        """The fields with the types that are asked for."""
        if self.types is None:
            return fields
        wanted = self.types.wanted(example.gold, example.id, seed, epoch)
        return {**fields, self.types.placeholder: self.types.shown(wanted)}

    def index(self, seed: int, epoch: int, id_: str) -> int:
        """Which of the wordings an example is asked in."""
        if len(self._template.prompts) == 1:
            return 0
        weights = [variant.weight for variant in self._template.prompts]
        point = chance_of(seed, epoch, self._name, id_) * sum(weights)
        for index, weight in enumerate(weights):
            point -= weight
            if point < 0:
                return index
        return len(weights) - 1

    def asks(self, prompt: str, first: Example) -> bool:
        """False if evaluation never asks for ``first``, the first window of an example, by this prompt.

        With ``shorten`` it may be cut to any length. With ``few_shot`` this is not known: True.
        """
        if self._exemplars is not None:
            return True
        own = self._worded(first, first.fields, 0, 0, None)
        length = self.shorten_length(first)
        if prompt == own or not length:
            return prompt == own
        shortest = len(self.prompt(first, 0, None, 0))
        keep, rest = divmod(len(prompt) - shortest, (len(own) - shortest) // length)
        return not rest and 0 <= keep < length and prompt == self.prompt(first, 0, None, keep)

    def _shortened(self, fields: Record, keep: int) -> Record:
        shorten = self._template.shorten
        if shorten is None:
            return fields
        text = fields[shorten.field]
        cut = text[:keep] if shorten.keep == "start" else text[max(len(text) - keep, 0) :]
        return {**fields, shorten.field: cut}

    def shorten_length(self, example: Example) -> int | None:
        """How many characters the ``shorten`` field has; None if the template allows no cut."""
        shorten = self._template.shorten
        if shorten is None:
            return None
        text = example.fields.get(shorten.field)
        if not isinstance(text, str):
            found = f"field {shorten.field!r} under shorten: is {kind_of(text)}"
            raise DataError(example.where, found, "only a text can be cut")
        return len(text)

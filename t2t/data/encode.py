"""Examples as ids: prompts shortened only where the template allows it, EOS always kept, every cut counted."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from t2t.config.token_task import TokenTask
from t2t.data.bounded import windows
from t2t.data.corrupt import Corrupter
from t2t.data.counts import Counts, Cut, Listener
from t2t.errors import DataError, VocabularyError
from t2t.structures import Example

Ids: TypeAlias = NDArray[np.int32]
_BATCH = 1024


class EncodableTask(Protocol):
    """What encoding asks of a task."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def prompts_vary(self) -> bool: ...
    @property
    def token_task(self) -> TokenTask | None: ...
    @property
    def on_bad(self) -> Literal["stop", "skip"]: ...
    def windowed(self, examples: Iterable[Example]) -> Iterator[Example]: ...
    def examples(self, split: str) -> Iterator[Example]: ...
    def drawn(self, example: Example, *, seed: int = 0, epoch: int | None = None) -> Example: ...
    def prompt(self, example: Example, *, seed: int = 0, epoch: int | None = None, keep: int | None = None) -> str: ...
    def shorten_length(self, example: Example) -> int | None: ...
    def target_text(self, example: Example, *, seed: int = 0, epoch: int | None = None) -> str: ...


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """An example as ids: ``input_ids`` and ``labels`` are int32 and end in EOS (1). ``task_index``: as the caller
    numbers the tasks."""

    id: str
    task_index: int
    input_ids: Ids
    labels: Ids


@dataclass(frozen=True, slots=True)
class _Row:
    """A row with its cut, and what the vocabulary loses of the target: characters, and whether more than accents."""

    encoded: Encoded
    cut: Cut | None
    lost: Counter[str] | None = None
    beyond_accents: bool = False


class Encoder:
    """Turns the examples of tasks into ids of at most ``prompt_limit`` and ``target_limit``, EOS counted.

    ``counts`` holds, for each task by name, how many examples were encoded and what was cut; ``bad`` the errors of
    those that cannot be encoded, of tasks that skip bad records. Without a ``listener`` what the vocabulary cannot say
    is not counted.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        prompt_limit: int,
        target_limit: int,
        listener: Listener[Any] | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self._listener = listener
        self.prompt_limit = prompt_limit
        self.target_limit = target_limit
        self.counts: dict[str, Counts] = {}
        self.bad: dict[str, list[DataError]] = {}
        self._eos = int(tokenizer.eos_token_id)
        # No prompt holds more of a text, but for one that the vocabulary says by fewer tokens than it has pieces.
        self._most_characters = prompt_limit * max(map(len, tokenizer.get_vocab()), default=1)
        self._corrupters: dict[TokenTask, Corrupter] = {}

    @property
    def listens(self) -> bool:
        """True if what the vocabulary cannot say is counted."""
        return self._listener is not None

    @property
    def fingerprint(self) -> str:
        """A sha256 over everything that decides which ids a text has: the vocabulary and the limits."""
        content = f"{self.tokenizer.backend_tokenizer.to_str()}\n{self.prompt_limit}\n{self.target_limit}"
        return hashlib.sha256(content.encode()).hexdigest()

    def encode(
        self, task: EncodableTask, example: Example, *, task_index: int = 0, seed: int = 0, epoch: int | None = None
    ) -> tuple[Encoded, Cut | None]:
        """One example and what was cut of it; see ``encode_many``. DataError if it cannot be encoded."""
        (found,) = self._batch(task, [example], task_index, seed, epoch)
        if isinstance(found, DataError):
            raise found
        return found.encoded, found.cut

    def encode_many(
        self,
        task: EncodableTask,
        examples: Iterable[Example],
        *,
        task_index: int = 0,
        seed: int = 0,
        epoch: int | None = None,
    ) -> Iterator[Encoded]:
        """The examples in their order. ``seed`` and ``epoch`` choose prompts and types (None: the first, and all), and
        with the id what a token task hides.

        A prompt that is too long keeps as many characters of the template's ``shorten`` field as fit; a target that is
        too long keeps its beginning and EOS. An example that would be cut with the mentions drawn for it keeps its own.
        A prompt that does not fit with nothing left to shorten, as ``epoch`` draws it, is encoded as without; one that
        does not fit so either is a bad record: it raises DataError, or is left out and kept in ``bad`` if the task
        skips such.
        """
        for batch in windows(examples, _BATCH):
            for example, found in zip(batch, self._batch(task, batch, task_index, seed, epoch), strict=True):
                if isinstance(found, DataError) and epoch is not None:
                    (found,) = self._batch(task, [example], task_index, seed, None)
                if not isinstance(found, DataError):
                    yield found.encoded
                elif task.on_bad == "skip":
                    self.bad.setdefault(task.name, []).append(found)
                else:
                    raise found

    def prompts(self, task: EncodableTask, examples: Sequence[Example]) -> list[tuple[str, Ids] | DataError]:
        """The prompts as evaluation sees them, text and ids, shortened where they must be. Nothing is counted.

        In the place of one that does not fit with nothing left to shorten stands the error that says so.
        """
        texts, rows = self._prompts(task, examples, 0, None)
        fitted: list[tuple[str, Ids] | DataError] = []
        for example, text, ids in zip(examples, texts, rows, strict=True):
            if len(ids) > self.prompt_limit:
                try:
                    keep, ids = self._shorten(task, example, 0, None)
                except DataError as error:
                    fitted.append(error)
                    continue
                text = task.prompt(example, keep=keep)
            fitted.append((text, _int32(ids)))
        return fitted

    def _batch(
        self, task: EncodableTask, examples: Sequence[Example], task_index: int, seed: int, epoch: int | None
    ) -> list[_Row | DataError]:
        if task.token_task is not None:
            return self._corrupted(task, task.token_task, examples, task_index, f"{seed}/{epoch}/{task.name}")
        drawn = [task.drawn(example, seed=seed, epoch=epoch) for example in examples]
        rows = self._fitted(task, drawn, task_index, seed, epoch)
        over = [
            place
            for place, row in enumerate(rows)
            if drawn[place] is not examples[place] and (isinstance(row, DataError) or row.cut is not None)
        ]  # too long as drawn: a cut would take what the target names, so these stay as they were
        undrawn = self._fitted(task, [examples[place] for place in over], task_index, seed, epoch)
        for place, row in zip(over, undrawn, strict=True):
            rows[place] = row
        counts = self.counts.setdefault(task.name, Counts())
        for row in rows:
            if not isinstance(row, DataError):
                counts.add(row.cut, row.lost, row.beyond_accents)
        return rows

    def _fitted(
        self, task: EncodableTask, examples: Sequence[Example], task_index: int, seed: int, epoch: int | None
    ) -> list[_Row | DataError]:
        """The rows of examples within the limits, or why they do not fit. Nothing is counted."""
        if not examples:
            return []
        _, prompts = self._prompts(task, examples, seed, epoch)
        texts = [task.target_text(example, seed=seed, epoch=epoch) for example in examples]
        targets = self._ids(texts)
        rows: list[_Row | DataError] = []
        for example, prompt, target, lost in zip(examples, prompts, targets, self._lost(texts, targets), strict=True):
            characters = 0
            if len(prompt) > self.prompt_limit:
                try:
                    keep, prompt = self._shorten(task, example, seed, epoch)
                except DataError as error:
                    rows.append(error)
                    continue
                characters = (task.shorten_length(example) or 0) - keep
            over = max(0, len(target) - self.target_limit)
            labels = [*target[: self.target_limit - 1], self._eos] if over else target
            cut = Cut(characters, over) if characters or over else None
            rows.append(_Row(Encoded(example.id, task_index, _int32(prompt), _int32(labels)), cut, *lost))
        return rows

    def _lost(self, texts: Sequence[str], rows: Sequence[Sequence[int]]) -> list[tuple[()] | tuple[Counter[str], bool]]:
        """Which characters of each text are lost, and whether more than accents; nothing where none is."""
        if self._listener is None:
            return [()] * len(texts)
        listener = self._listener
        heard = listener.hear(texts, rows)
        return [(listener.lost_in(said), said.beyond_accents) if said.lost else () for said in heard]

    def _corrupted(
        self, task: EncodableTask, settings: TokenTask, examples: Sequence[Example], task_index: int, drawn_by: str
    ) -> list[_Row | DataError]:
        """The rows of a token task, each a function of ``drawn_by`` and its example's id."""
        if settings not in self._corrupters:
            limits = self.prompt_limit, self.target_limit
            prefix = self._prefix_ids(settings.prefix)
            self._corrupters[settings] = Corrupter(settings, self._sentinels(), *limits, prefix)
        counts = self.counts.setdefault(task.name, Counts())
        rows: list[_Row | DataError] = []
        texts = [task.prompt(example) for example in examples]
        for example, text, (*ids, _eos) in zip(examples, texts, self._ids(texts), strict=True):
            if not ids:
                found = f"field {settings.field!r} has no token"
                rows.append(DataError(example.where, found, "leave it out with where:"))
                continue
            prompt, target, used = self._corrupters[settings].row(ids, f"{drawn_by}/{example.id}")
            dropped = len(text) - len(self.tokenizer.backend_tokenizer.decode(used.tolist()))
            cut = Cut(dropped, 0) if len(used) < len(ids) else None
            counts.add(cut)
            whole = [_int32([*part.tolist(), self._eos]) for part in (prompt, target)]
            rows.append(_Row(Encoded(example.id, task_index, whole[0], whole[1]), cut))
        return rows

    def _prefix_ids(self, prefix: str) -> list[int]:
        """The ids of a token task's prefix. VocabularyError if the vocabulary cannot say it."""
        if not prefix:
            return []
        ((*ids, _eos),) = self._ids([prefix])
        if self.tokenizer.unk_token_id in ids:
            found = f"the vocabulary cannot say the prefix {prefix!r}"
            raise VocabularyError("token_task", found, "choose a prefix of characters that the texts have")
        return ids

    def _sentinels(self) -> list[int]:
        """The ids of ``<extra_id_0>``, ``<extra_id_1>`` and so on."""
        ids = (self.tokenizer.backend_tokenizer.token_to_id(f"<extra_id_{number}>") for number in count())
        return list(takewhile(lambda id_: id_ is not None, ids))

    def _prompts(
        self, task: EncodableTask, examples: Sequence[Example], seed: int, epoch: int | None
    ) -> tuple[list[str], list[list[int]]]:
        """The prompts and their ids. Of a text that is far too long only the part is tokenized that could stay, so that
        memory does not grow with what is cut; such a prompt has more ids than the limit, as the whole one has."""
        lengths = [task.shorten_length(example) or 0 for example in examples]
        keeps = [self._most_characters if length > self._most_characters else None for length in lengths]
        texts = [
            task.prompt(example, seed=seed, epoch=epoch, keep=keep)
            for example, keep in zip(examples, keeps, strict=True)
        ]
        rows = self._ids(texts)
        for place, keep in enumerate(keeps):
            if keep is not None and len(rows[place]) <= self.prompt_limit:  # unknown characters share a token
                texts[place] = task.prompt(examples[place], seed=seed, epoch=epoch)
                (rows[place],) = self._ids([texts[place]])
        return texts, rows

    def _shorten(self, task: EncodableTask, example: Example, seed: int, epoch: int | None) -> tuple[int, list[int]]:
        """The most characters of the ``shorten`` field that fit, by bisection, and the ids of that prompt."""
        low, high = -1, task.shorten_length(example) or 0
        best: list[int] = []
        if high > self._most_characters:
            ids = self._ids([task.prompt(example, seed=seed, epoch=epoch, keep=self._most_characters)])[0]
            if len(ids) > self.prompt_limit:
                high = self._most_characters
        while high - low > 1:
            middle = (low + high) // 2
            ids = self._ids([task.prompt(example, seed=seed, epoch=epoch, keep=middle)])[0]
            if len(ids) <= self.prompt_limit:
                low, best = middle, ids
            else:
                high = middle
        if low < 0:
            found = f"{task.name}: the prompt is longer than {self.prompt_limit} tokens with nothing left to shorten"
            raise DataError(example.where, found, "raise lengths: prompt, or name its long field under shorten:")
        return low, best

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text with EOS, whole; a special token written in a text is ordinary text."""
        ids: list[list[int]] = self.tokenizer(list(texts), split_special_tokens=True, verbose=False)["input_ids"]
        return ids


def _int32(ids: Sequence[int]) -> Ids:
    return np.asarray(ids, dtype=np.int32)

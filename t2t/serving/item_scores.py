"""How likely each item of an output is, from the log-probabilities of its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from transformers import PreTrainedTokenizerFast

from t2t.generation.generator import Output
from t2t.linear.parsed import TargetPart
from t2t.metrics.values import Key, unordered
from t2t.model.tokenizer import decode_texts
from t2t.serving.answers import Answered
from t2t.structures import Value
from t2t.tasks.task import Task

# Nats of each item of a list, in its order (None where the output does not tell it apart), or of each field.
ItemTotals = list[float | None] | dict[str, float]


def item_totals(task: Task, found: Answered, value: Value, tokenizer: PreTrainedTokenizerFast) -> ItemTotals | None:
    """The log-probability (nats) of each item of the ``value`` that the outputs of an example say, given what stands
    before it.

    Of an item that several windows say, the likeliest. None where the value has no items, or the outputs were generated
    without log-probabilities of tokens.
    """
    items: dict[Key, float] = {}
    fields: dict[str, float] = {}
    for window, output in zip(task.windows(found.example), found.outputs, strict=True):
        parts = task.parts(output.text)
        totals = list(_part_totals(output, parts, tokenizer))
        said = task.parse(output.text, window).value
        if isinstance(said, list) and len(said) == len(totals):
            for item, total in zip(said, totals, strict=True):
                items[unordered(item)] = max(total, items.get(unordered(item), total))
        elif isinstance(said, dict) and totals:
            for part, total in zip(parts, totals, strict=True):
                fields[part.name] = fields.get(part.name, 0.0) + total
    if isinstance(value, list) and items:
        return [items.get(unordered(item)) for item in value]
    return fields if isinstance(value, dict) and fields else None


def _part_totals(output: Output, parts: Sequence[TargetPart], tokenizer: PreTrainedTokenizerFast) -> Iterator[float]:
    """Of each part; nothing where there are no log-probabilities of tokens."""
    if len(output.logs) != len(output.ids):
        return
    places = _places(output, tokenizer)
    for part in parts:
        inside = [start < part.end and end > max(start, part.start) for start, end in places]
        yield sum(log for log, is_inside in zip(output.logs, inside, strict=True) if is_inside)


def _places(output: Output, tokenizer: PreTrainedTokenizerFast) -> list[tuple[int, int]]:
    """The characters of the text that each token stands for: as the tokenizer spells it, or, where it is spelled
    otherwise, by what the tokens up to each say."""
    spelled = tokenizer(output.text, split_special_tokens=True, return_offsets_mapping=True, verbose=False)
    if tuple(spelled["input_ids"]) == output.ids:
        return list(spelled["offset_mapping"])
    said = decode_texts(tokenizer, [output.ids[: number + 1] for number in range(len(output.ids))])
    ends = list(accumulate((len(text) for text in said), max))
    return list(zip([0, *ends], ends, strict=False))

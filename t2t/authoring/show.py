"""``t2t show``: one example at every stage, from the record to the prompt and target and back."""

from __future__ import annotations

import json
from itertools import islice, zip_longest
from pathlib import Path

from t2t.errors import DataError
from t2t.linear.parsed import to_json
from t2t.structures import Example, Json, Span, Value
from t2t.tasks.task import Task, load_task


def show(
    name: str,
    split: str | None = None,
    id_: str | None = None,
    tokenizer: Path | None = None,
    epoch: int | None = None,
) -> str:
    """The stages of one example as text.

    Args:
        name: a task name or a template file.
        split: the split to look in; by default the first that the source has.
        id_: the id of the example; by default the first with a gold that is not empty.
        tokenizer: a directory with a tokenizer, to show token ids and pieces too.
        epoch: whose wording, exemplars, types and mentions are shown (of a run with seed 0); None: as evaluation asks.

    Raises:
        DataError: there is no such example.
    """
    task = load_task(name)
    whole = _find(task, split or task.splits()[0], id_)
    if task.token_task is not None:
        return "\n".join(_stage(title, body) for title, body in _token_stages(task, whole, tokenizer, epoch))
    windows = task.windows(whole)
    example = next((window for window in windows if window.gold not in ([], None)), windows[0])
    recorded, example = example, task.drawn(example, epoch=epoch)
    exchanged = {name: value for name, value in example.fields.items() if value != recorded.fields[name]}
    gold = task.asked(example, epoch=epoch)
    prompt, target = task.prompt(example, epoch=epoch), task.target_text(example, epoch=epoch)
    parsed = task.parse(target, example)
    stages = [
        ("task", f"{task.name} (version {task.version}) from {task.template.path}"),
        ("record", f"{whole.id} at {example.where}"),
        *([("window", f"{example.id}, one of {len(windows)}")] if len(windows) > 1 else []),
        ("fields", _pretty(recorded.fields)),
        *([("exchanged", _pretty(exchanged))] if exchanged else []),
        ("gold", _pretty(gold)),
        ("prompt", prompt),
        ("target", target),
        *(_tokens(tokenizer, prompt, target) if tokenizer else []),
        ("parsed", _pretty(parsed.value)),
        ("issues", ", ".join(f"{issue.kind} {issue.path} {issue.text!r}" for issue in parsed.issues) or "none"),
        ("round trip", "equal" if _with_places_of(parsed.value, gold) == gold else "DIFFERS from gold"),
        *([("all windows", _pretty(task.parse_gold(whole).value))] if len(windows) > 1 else []),
    ]
    return "\n".join(_stage(title, body) for title, body in stages)


def _token_stages(task: Task, example: Example, folder: Path | None, epoch: int | None) -> list[tuple[str, str]]:
    """The stages of a token task: the text and, with a tokenizer, the rows that an epoch (0) makes of it."""
    stages = [
        ("task", f"{task.name} (version {task.version}) from {task.template.path}"),
        ("what", str(task.token_task)),
        ("record", f"{example.id} at {example.where}"),
        ("text", task.prompt(example)),
    ]
    if folder is None:
        return [*stages, ("ids", "give a tokenizer to see them: --tokenizer DIR")]
    from t2t.config.run import Lengths
    from t2t.data.encode import Encoder
    from t2t.model.tokenizer import load_tokenizer

    tokenizer, limits = load_tokenizer(str(folder)), Lengths()
    row, _ = Encoder(tokenizer, limits.prompt, limits.target).encode(task, example, epoch=epoch or 0)
    for title, ids in (("prompt ids", row.input_ids.tolist()), ("target ids", row.labels.tolist())):
        pieces = tokenizer.convert_ids_to_tokens(ids)
        stages.append((title, " ".join(f"{piece}:{number}" for piece, number in zip(pieces, ids, strict=True))))
    return stages


def _find(task: Task, split: str, id_: str | None) -> Example:
    if id_ is None:
        first = list(islice(task.examples(split), 100))
        if not first:
            raise DataError(task.name, f"split {split!r} has no example", "choose another split")
        return next((example for example in first if example.gold not in ([], None)), first[0])
    for example in task.examples(split):
        if example.id == id_:
            return example
    raise DataError(task.name, f"split {split!r} has no example {id_!r}", "choose another id")


def _with_places_of(value: Value, gold: Value) -> Value:
    """A parsed value without the places of spans whose gold has none."""
    if isinstance(value, Span) and isinstance(gold, Span) and gold.start is None:
        return Span(value.text)
    if isinstance(value, list) and isinstance(gold, list):
        return [_with_places_of(*pair) for pair in zip_longest(value, gold)][: len(value)]
    if isinstance(value, dict) and isinstance(gold, dict):
        return {name: _with_places_of(one, gold.get(name)) for name, one in value.items()}
    return value


def _stage(title: str, body: str) -> str:
    lines = body.splitlines() or [""]
    return "\n".join([f"{title:>10}  {lines[0]}", *(f"{'':>10}  {line}" for line in lines[1:])])


def _plain(value: Json) -> Json:
    if isinstance(value, Span):
        return to_json(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _pretty(value: Json) -> str:
    plain = _plain(dict(value) if isinstance(value, dict) else value)
    if isinstance(plain, dict):
        return "\n".join(f"{key}: {json.dumps(item, ensure_ascii=False)}" for key, item in plain.items())
    return json.dumps(plain, ensure_ascii=False)


def _tokens(folder: Path, prompt: str, target: str) -> list[tuple[str, str]]:
    from t2t.model.tokenizer import decode_text, load_tokenizer

    tokenizer = load_tokenizer(str(folder))
    stages = []
    for title, text in (("prompt ids", prompt), ("target ids", target)):
        ids = tokenizer(text)["input_ids"]
        pieces = tokenizer.convert_ids_to_tokens(ids)
        stages.append((title, " ".join(f"{piece}:{number}" for piece, number in zip(pieces, ids, strict=True))))
        stages.append((title.replace("ids", "row"), f"{len(ids)} int32, back: {decode_text(tokenizer, ids)!r}"))
    return stages

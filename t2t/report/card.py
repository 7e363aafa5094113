"""The card of a model: what it answers, how well, what it learned from and how, as README.md beside its weights."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from t2t.runs.run_files import prediction_file
from t2t.structures import Json
from t2t.tasks.kept import FILE

_USE = {
    "transformers": """\
```python
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer, model = (kind.from_pretrained(".") for kind in (AutoTokenizer, AutoModelForSeq2SeqLM))
given = tokenizer({prompt!r}, return_tensors="pt")
print(tokenizer.decode(model.generate(**given)[0], skip_special_tokens=True))
```
""",
    "ctranslate2": """\
```python
import ctranslate2
from transformers import AutoTokenizer

tokenizer, model = AutoTokenizer.from_pretrained("."), ctranslate2.Translator(".")
given = tokenizer.convert_ids_to_tokens(tokenizer({prompt!r})["input_ids"])
(found,) = model.translate_batch([given], beam_size=1)
print(tokenizer.decode(tokenizer.convert_tokens_to_ids(found.hypotheses[0])))
```
""",
}
_TOLD = ("parameters", "vocabulary", "steps", "tokens", "precision", "device", "finished")
_WITH_TASKS = """\
With t2t the outputs are held to the language of their task and read as structures with offsets:

```python
import t2t

(answer,) = t2t.load(".")({task!r}, [...])
```
"""


def card(model: Path, run: Path | None, form: str = "transformers") -> str:
    """The card of a model folder; of its ``run`` it has the scores, the data and how it was trained."""
    tasks = _tasks(model)
    facts: dict[str, Json] = {} if run is None else _json(run / "facts.json", {})
    languages = sorted({language for task in tasks for language in task.get("languages", [])})
    head = {"library_name": form, "language": languages, "tags": ["text2text-generation", "t2t"]}
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n",
        f"# {model.name if run is None else run.name}\n",
        "A T5-style model that answers several tasks, each asked by a prompt of its own form.\n",
        "## Tasks\n",
        *_task_lines(tasks),
        "\n## How to use it\n",
        *_use(tasks, form, _asked(tasks, run)),
        *_scores({} if run is None else _json(run / "scores.json", [])),
        *_data(tasks, {} if run is None else _json(run / "data.json", {})),
        *_training(run, facts),
        *_gaps(tasks, form),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _json(path: Path, default: Json) -> Json:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return default


def _tasks(model: Path) -> list[dict[str, Any]]:
    found = _json(model / FILE, {})
    tasks: list[dict[str, Any]] = found.get("tasks", []) if isinstance(found, dict) else []
    return tasks


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _task_lines(tasks: list[dict[str, Any]]) -> Iterator[str]:
    if not tasks:
        yield "The folder does not say which tasks it was trained for.\n"
        return
    yield from (_row("task", "what it is", "languages", "prompt"), "|---|---|---|---|")
    for task in tasks:
        yield _row(task["task"], task["description"], ", ".join(task["languages"]), f"`{task['prompt']}`")


def _asked(tasks: list[dict[str, Any]], run: Path | None) -> str:
    """A prompt of the first task: one that a prediction of the run has, else its form."""
    if not tasks:
        return "a prompt"
    path = None if run is None else prediction_file(run, tasks[0]["task"], "test")
    try:
        with (path or Path(os.devnull)).open(encoding="utf-8") as file:
            return str(json.loads(file.readline())["prompt"])
    except (OSError, ValueError, KeyError, TypeError):
        return " ".join(tasks[0]["prompt"].split())


def _use(tasks: list[dict[str, Any]], form: str, prompt: str) -> Iterator[str]:
    yield _USE[form].format(prompt=prompt)
    if tasks and form == "transformers":
        yield _WITH_TASKS.format(task=tasks[0]["task"])


def _scores(rows: Json) -> Iterator[str]:
    if not rows:
        return
    yield "## Scores\n\nOn data that it was not trained on, with 95% intervals (bootstrap over records).\n"
    yield from (_row("task", "split", "metric", "value", "interval", "n"), "|---|---|---|---|---|---|")
    for row in rows:
        interval = "" if row.get("low") is None else f"{row['low']:.4g} to {row['high']:.4g}"
        yield _row(row["task"], row["split"], row["metric"], f"{row['value']:.4g}", interval, row["n"])
    yield ""


def _data(tasks: list[dict[str, Any]], counts: Mapping[str, Mapping[str, Json]]) -> Iterator[str]:
    sources = [(task["task"], task.get("data") or {}, counts.get(task["task"], {})) for task in tasks]
    if not any(data or found for _, data, found in sources):
        return
    yield "## Data\n"
    yield from (_row("task", "data set", "licence", "examples", "share of training"), "|---|---|---|---|---|")
    for name, data, found in sources:
        named = " ".join(str(data[key]) for key in ("name", "version") if key in data) or "not named"
        share = f"{found['realised']:.1%}" if "realised" in found else ""
        yield _row(name, named, data.get("licence", "not said"), found.get("n", ""), share)
    yield ""


def _training(run: Path | None, facts: Mapping[str, Json]) -> Iterator[str]:
    if run is None or not facts:
        return
    yield "## Training\n"
    said = {
        key: facts[key]
        for key in ("parameters", "vocabulary", "steps", "tokens", "precision", "device", "finished")
        if key in facts
    }
    yield from (f"- {key}: {value:,}" if isinstance(value, int) else f"- {key}: {value}" for key, value in said.items())
    versions = ", ".join(f"{name} {version}" for name, version in (facts.get("versions") or {}).items())
    yield f"- with {versions}\n"
    yield f"```yaml\n{(run / 'run.yaml').read_text(encoding='utf-8').rstrip()}\n```\n"


def _gaps(tasks: list[dict[str, Any]], form: str) -> Iterator[str]:
    yield "## Known gaps\n"
    yield f"- By {form} alone an output may lie outside the language of its task; it is text, not yet a structure."
    if tasks:
        yield "- It answers prompts of the forms above; others are out of what it learned."
    yield "- Scores hold for data like those they were measured on."

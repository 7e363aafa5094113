"""The template library: how wide it is, what every template says of its data, and the laws on real and sample data."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t2t.config.shipped_files import TEMPLATES, read_heads, template_files
from t2t.config.template import Template, read_templates
from t2t.data.encode import Encoder
from t2t.evaluation.evaluate import task_metrics
from t2t.linear.parsed import Parsed
from t2t.model.tokenizer import train_tokenizer
from t2t.structures import Span, Value
from t2t.tasks.sources import data_dir
from t2t.tasks.task import Task, load_task, named_tasks

FILES = {name: path for name, path in template_files(TEMPLATES).items() if not name.startswith("atlas/")}
HEADS: dict[str, Template] = {name: read_templates(path)[0] for name, path in FILES.items()}
OF_HUB = {name for name in FILES if HEADS[name].source.get("format") == "hub"}
HUB = sorted(task for name in OF_HUB for task in named_tasks(name))
TOKENS = sorted(task for name in FILES if HEADS[name].token_task for task in named_tasks(name))
REAL = sorted(task for name in FILES if name not in OF_HUB for task in named_tasks(name) if task not in TOKENS)
# Commits of the hub that a page of it shows, with what that page says there. All others are unverified.
SEEN = {
    "SetFit/sst5": "e51bdcd8cd3a30da231967c1a249ba59361279a3",  # the files of main: train, dev and test.jsonl
    "allenai/ai2_arc": "210d026faf9955653af8916fad021475a3f00453",  # main after the conversion to Parquet
    "clue/clue": "7a92286c90a77a495dcaeba0fe34939053ef7dc5",  # the last commit of that conversion
    "google-research-datasets/go_emotions": "93e006e75d252cb661bcd363362cea7c8ae32076",  # "Delete loading script"
    "jhu-clsp/jfleg": "39b4958cfb3cfbf233a0724aceb3998937c6e058",  # data/ in Parquet, "Add ArXiv paper URL"
    "lansinuote/ChnSentiCorp": "b0c4c119c3fb33b8e735969202ef9ad13d717e5a",  # main; also in a copy's dataset_info
    "lukasgarbas/conll-03": "1301e71165e0ddf97d086eaea193f8f4ecdd46e3",  # "add classic conll" and how it was made
    "mandarjoshi/trivia_qa": "f59b4da4d92cf18e0c8a9211c9d7376eaadccb1f",  # "Delete loading script"
    "nyu-mll/glue": "0de23925db68e9cf6287d3776a0f67f5267a42eb",  # all tasks in Parquet, no script
    "shibing624/CSC": "44430428e785a3bb12b2e45498e6e1289004a0da",  # the card with the columns, dev.json beside it
}
# Hand-written records in the column names of the hub's data sets, for each task that reads one.
SAMPLES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "library_samples.json").read_text("utf-8")
)
# Folders called by a data set, which are older than the folders called by a family.
FAMILY = {"snips": "slots", "wnut17": "ner", "e2e_nlg": "data_to_text", "tatoeba": "translation", "squad": "qa"}
needs_data = pytest.mark.skipif(not data_dir().is_dir(), reason=f"no data sets at {data_dir()}; set T2T_DATA")
# BLEU wants four words in a row, which the shortest sentences of Tatoeba have not.
CEILINGS = {("translation/tatoeba_zh-en", "bleu")}
# Metrics of a whole file: they want numbers that differ, classes of each kind, or all outputs together.
RANKED = {"pearson", "spearman", "mcc", "distinct_n"}
EACH = 20  # records a split that are tried here; t2t check tries all


def test_the_library_is_wide() -> None:
    families = {FAMILY.get(name.partition("/")[0], name.partition("/")[0]) for name in FILES}
    assert len(FILES) >= 50
    assert len(families) >= 18
    assert {"en", "zh"} <= {language for head in HEADS.values() for language in head.languages}


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_template_names_its_data(name: str) -> None:
    for template in read_templates(FILES[name]):
        assert template.description
        assert template.metrics or template.token_task
        assert all(template.data.get(key) for key in ("name", "version", "licence"))
    assert "\nlanguage: " in FILES[name].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_template_has_several_weighted_wordings(name: str) -> None:
    for template in read_templates(FILES[name]):
        wordings = [variant.text for variant in template.prompts]
        assert len(set(wordings)) == len(wordings)
        assert len(wordings) > 1 or template.token_task
        assert all(variant.weight > 0 for variant in template.prompts)


def test_no_template_is_a_copy_of_another() -> None:
    seen: dict[str, str] = {}
    for name, template in HEADS.items():
        content = repr((template.source, template.fields, template.target, template.token_task))
        assert content not in seen, f"{name} is {seen.get(content)} again"
        seen[content] = name


def test_every_data_set_beside_the_repository_has_a_template() -> None:
    if not data_dir().is_dir():
        pytest.skip(f"no data sets at {data_dir()}; set T2T_DATA")
    texts = "".join(path.read_text(encoding="utf-8") for path in FILES.values())
    # outputs to measure metrics by, vocabularies, and files that `t2t new` writes templates for
    no_tasks = {"metric_gold", "sentencepiece_models", "exports"}
    folders = {path.name for path in data_dir().iterdir() if path.is_dir()} - no_tasks
    assert {folder for folder in folders if f"{folder}/" not in texts} == set()


def test_a_hub_source_shows_that_its_revision_is_unverified() -> None:
    for name, path in FILES.items():
        says = "revision: unverified" in path.read_text(encoding="utf-8")
        assert all(head["description"].endswith("[revision unverified]") == says for head in read_heads(path)), name
    pinned = {
        HEADS[name].source["path"]: HEADS[name].source["revision"] for name in OF_HUB if not HEADS[name].unverified
    }
    assert pinned == SEEN
    assert all(re.fullmatch(r"[0-9a-f]{40}", commit) for commit in SEEN.values())


def test_every_hub_template_has_sample_records() -> None:
    assert sorted(SAMPLES) == HUB


@pytest.mark.parametrize("name", HUB)
def test_a_hub_template_on_sample_records(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def load_dataset(path: str, config: str | None, *, revision: str | None, split: str) -> list[dict[str, Any]]:
        asked.append((path, config, revision, split))
        return SAMPLES[name]

    import datasets

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    task = load_task(name)
    source = task.template.source
    counts = {split: obey_the_laws(task, split) for split in task.splits()}
    assert sum(counts.values()) >= 1
    assert {call[:3] for call in asked} == {(source["path"], source.get("name"), SEEN.get(source["path"]))}


@needs_data
@pytest.mark.parametrize("name", REAL)
def test_a_template_on_real_data(name: str) -> None:
    task = load_task(name)
    for split in task.splits():
        assert obey_the_laws(task, split) > 0, split


@needs_data
@pytest.mark.parametrize("name", TOKENS)
def test_a_token_task_on_real_data(name: str) -> None:
    task = load_task(name)
    assert task.token_task is not None
    for split in task.splits():
        texts = [example.fields[task.token_task.field] for example in task.examples(split)]
        assert len(texts) > EACH
        assert all(text.strip() and "�" not in text and "&szlig" not in text for text in texts)


def test_both_kinds_of_token_tasks_have_templates_in_english_and_chinese() -> None:
    tasks = [load_task(name) for name in TOKENS]
    assert {task.token_task.kind for task in tasks if task.token_task} == {
        "span corruption",
        "prefix language modelling",
    }
    assert {"en", "zh"} <= {language for task in tasks for language in task.template.languages}


@needs_data
@pytest.mark.parametrize("name", TOKENS)
def test_a_token_task_on_real_data_hides_what_it_asks_for(name: str) -> None:
    task, tokenizer = load_task(name), train_tokenizer(["the storm closed the port"] * 20, 600)
    examples = list(islice(task.examples("train"), EACH))
    encoder = Encoder(tokenizer, 256, 128)
    rows = [list(encoder.encode_many(task, examples, seed=1, epoch=epoch)) for epoch in (0, 1)]
    assert all(len(row.input_ids) <= 256 and len(row.labels) <= 128 for row in [*rows[0], *rows[1]])
    assert any(a.input_ids.tolist() != b.input_ids.tolist() for a, b in zip(*rows, strict=True))


def obey_the_laws(task: Task, split: str) -> int:
    """Laws 1 and 4 on the first examples of a split: targets parse back to their gold, and gold scores the best.

    Metrics that do not come from sums are left out, and so is a metric that has nothing to count.
    """
    rows = []
    for example in islice(task.examples(split), EACH):
        assert all(task.prompt(example, epoch=epoch).strip() for epoch in (None, 0, 1, 2))
        target = task.target_text(example)
        parsed = task.parse(target, example)
        assert parsed.ok, (target, parsed.issues)
        assert surfaces(parsed.value) == surfaces(example.gold), target
        rows.append((task.references(example), Parsed(example.gold)))
    for metric in task_metrics(task):
        stats = [metric.segment(references, parsed) for references, parsed in rows]
        total = np.zeros(max(map(len, stats), default=0))
        for row in stats:
            total[: len(row)] += row
        if total.any() and metric.name not in RANKED and (task.name, metric.name) not in CEILINGS:
            assert metric.total(total) == pytest.approx(metric.best), metric.name
    return len(rows)


def surfaces(value: Value) -> Value:
    """A value with its spans as their texts, the offsets of which law 1b speaks of."""
    if isinstance(value, Span):
        return value.text
    if isinstance(value, list):
        return [surfaces(item) for item in value]
    return {key: surfaces(item) for key, item in value.items()} if isinstance(value, dict) else value

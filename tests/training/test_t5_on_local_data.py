"""With T5's own vocabulary every English template of local data is prepared for training, on all its data, and what its
targets lose on the way through the ids leaves the offsets where they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2t.config.run import load_run
from t2t.config.shipped_files import template_files
from t2t.config.template import read_templates
from t2t.evaluation.evaluate import task_metrics
from t2t.metrics.metric import segments, value
from t2t.model.sayable import Vocabulary
from t2t.model.tokenizer import load_tokenizer
from t2t.runs.run_tasks import load_tasks
from t2t.tasks.sources import data_dir
from t2t.tasks.task import load_task, named_tasks
from t2t.training.preparation import prepare

SPIECE = data_dir() / "sentencepiece_models" / "t5" / "spiece.model"
ROWS = 32_128
pytestmark = pytest.mark.skipif(not SPIECE.is_file(), reason=f"no {SPIECE}")


def english() -> list[str]:
    """The names of the tasks whose data lie here, whose languages are written with Latin letters, and that train."""
    names: list[str] = []
    for name, path in template_files().items():
        if all(template.source.get("format") in ("hub", "atlas") for template in read_templates(path)):
            continue
        tasks = map(load_task, named_tasks(name))
        names += [
            task.name for task in tasks if not {"zh", "ja"} & {*task.template.languages} and "train" in task.splits()
        ]
    return names


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("t5")
    (folder / "spiece.model").symlink_to(SPIECE)
    (folder / "config.json").write_text(f'{{"vocab_size": {ROWS}}}')
    return folder


@pytest.mark.parametrize("name", english())
def test_it_starts_training(name: str, t5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "run.yaml"
    # docs_spans reads all the texts of UL2's denoisers once already, three directions all of multi30k's targets.
    read_elsewhere = "ul2" in name or name.endswith(("/fr-en", "/fr-de", "/de-fr"))
    entry = f"{{task: {name}, limit: 1000}}" if read_elsewhere else name
    # Two exemplars of mbpp are long: its prompts need more than the default of 512 tokens.
    file.write_text(
        f"run: x\ntasks: [{entry}]\nmodel: {{from_scratch: {{size: mini}}}}\ntokenizer: {{from: {t5}}}\n"
        "lengths: {prompt: 1024}\nschedule: {epochs: 1}\n"
    )
    config = load_run(file)
    prepared = prepare(config, load_tasks(config.tasks, config.where))
    (counts,) = prepared.encoder.counts.values()
    assert counts.n == len(prepared.data[0]) > 0
    assert counts.targets_lost <= 0.05 * counts.n


@pytest.mark.parametrize("name", ["wnut17/ner", "snips/joint"])
def test_gold_that_went_through_the_ids_keeps_its_offsets(name: str, t5: Path) -> None:
    task, vocabulary = load_task(name), Vocabulary(load_tokenizer(t5))
    (metric,) = (one for one in task_metrics(task) if one.name == "span_f1")
    for split in task.splits():
        examples = list(task.examples(split))
        said = vocabulary.round_trip([task.target_text(example) for example in examples])
        pairs = [
            (task.references(example), task.parse(one.back, example))
            for example, one in zip(examples, said, strict=True)
        ]
        assert value(metric, segments(metric, pairs)) >= 0.99, split

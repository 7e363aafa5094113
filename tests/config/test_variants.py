"""``for:``: one file, several tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2t.cli import main
from t2t.config.template import read_template, read_templates
from t2t.errors import InputError, TemplateError
from t2t.tasks.sources import data_dir
from t2t.tasks.task import load_task, named_tasks

PAIRS = """\
task: demo/pairs
version: 1
for: {pair: [[en, de], [de, en]]}
language: <pair.1>
source: {format: tsv, header: [en, de], train: train.tsv}
prompt: "to <pair.1>: {<pair.0>}"
target: {text: <pair.1>}
metrics: [exact_match]
"""
DOMAINS = """\
task: demo/pairs
version: 1
for:
  domain:
    - {name: music, labels: {band: band, song: song}}
    - {name: ai, labels: [algorithm, task]}
  size: [1, 2]
source: {format: jsonl, train: crossner/<domain.name>/<size>.jsonl}
prompt: "{text} {kind.labels}"
target: {as: "{kind}", fields: {kind: {label: <domain.labels>}}}
metrics: [exact_match]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "task_templates" / "demo" / "pairs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (path.parent / "train.tsv").write_text("red\trot\n")
    return path


def test_one_task_for_each_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, PAIRS)
    monkeypatch.chdir(tmp_path)
    assert named_tasks("demo/pairs") == ["demo/pairs/en-de", "demo/pairs/de-en"]
    task = load_task("demo/pairs/de-en")
    (example,) = task.examples("train")
    rendered = task.render(example)
    assert (rendered.task, rendered.prompt, rendered.target) == ("demo/pairs/de-en", "to en: rot", "red")
    assert task.language == "en"
    assert task.fingerprint != load_task("task_templates/demo/pairs.yaml/en-de").fingerprint


def test_every_combination_of_several_variables(tmp_path: Path) -> None:
    path = write(tmp_path, DOMAINS)
    names = [template.task for template in read_templates(path)]
    assert names == ["demo/pairs/music-1", "demo/pairs/music-2", "demo/pairs/ai-1", "demo/pairs/ai-2"]
    template = read_template(path, "ai-2")
    assert template.source["train"] == "crossner/ai/2.jsonl"
    assert template.target["fields"]["kind"]["label"] == ["algorithm", "task"]


def test_list_and_check_show_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, PAIRS)
    monkeypatch.chdir(tmp_path)
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert "demo/pairs/en-de " in listed
    assert "demo/pairs/de-en " in listed
    assert main(["check", "demo/pairs"]) == 0
    assert "demo/pairs/de-en version 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{pair: [[en, de], [de, en]]}", "[en]", "for: is ['en']; write e.g. for: {domain: [ai, music]}"),
        ("{pair: [[en, de], [de, en]]}", "{pair: en}", "for: 'pair' is 'en'"),
        ("[de, en]]}", "[en, de]]}", "for: gives 'en-de' twice"),
        ("[de, en]]}", "{a: b}]}", "give a mapping a name: of its own"),
        ("[de, en]]}", "[../x, y]]}", "for: '../x-y' is no name"),
        ("<pair.0>", "en", "for: <pair.0> stands nowhere"),
        ("for: {pair: [[en, de], [de, en]]}\n", "", "the file has no task 'en-de'; leave it out"),
    ],
)
def test_a_wrong_for_is_told_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write(tmp_path, PAIRS.replace(old, new))
    with pytest.raises(TemplateError) as error:
        read_template(path, "en-de")
    assert message in str(error.value)


def test_a_file_of_several_tasks_wants_a_name(tmp_path: Path) -> None:
    path = write(tmp_path, PAIRS)
    with pytest.raises(InputError, match=r"pairs.yaml:3: the file holds several tasks; name one: en-de, de-en"):
        load_task(str(path))
    with pytest.raises(InputError, match="the file has no task 'en-dee'; did you mean 'en-de'"):
        load_task(f"{path}/en-dee")


@pytest.mark.skipif(not data_dir().is_dir(), reason=f"no data sets at {data_dir()}; set T2T_DATA")
def test_crossner_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "ner" / "crossner.yaml"
    path.parent.mkdir()
    path.write_text(
        "task: ner/crossner\nversion: 1\nfor: {domain: [ai, literature, music, politics, science]}\n"
        "source: {format: conll, train: crossner/<domain>/train.txt, test: crossner/<domain>/test.txt}\n"
        "fields: {text: {join: tokens}, mentions: {bio: {tokens: tokens, tags: tags}}}\n"
        'prompt: "find {type.labels} in: {text}"\n'
        'target: {each: mentions, as: "{text} = {type}", fields: {text: {span_of: text}, '
        "type: {label: {from: train, words: same}}}}\n"
        "metrics: [{span_f1: {over: mentions, span: text, type: type}}]\n"
    )
    counts = dict.fromkeys(named_tasks(str(path)), 0)
    for name in counts:
        for example in load_task(name).examples("train"):
            counts[name] += 1
            assert example.fields["text"]
    assert [*counts.values()] == [100, 100, 100, 200, 200]

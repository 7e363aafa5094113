from pathlib import Path

import pytest

from t2t.config.run import RunConfig, load_run
from t2t.config.template import read_template
from t2t.engine.preflight import check_directory, check_vocabulary
from t2t.errors import RunDirectoryError, VocabularyError
from t2t.model.tokenizer import load_tokenizer, train_tokenizer
from t2t.tasks.sources import data_dir
from t2t.tasks.task import Task

T5 = data_dir() / "sentencepiece_models" / "t5" / "spiece.model"
TEMPLATE = """\
task: demo/copy
version: 1
source: {format: jsonl, train: train.jsonl}
prompt: "copy {text}"
target: {text: text}
metrics: [exact_match]
"""
RUN = """\
run: x
tasks: [demo/copy]
model: {from_scratch: {d_model: 8, d_kv: 8, d_ff: 8, num_layers: 1, num_decoder_layers: 1, num_heads: 1}}
schedule: {steps: 1}
deepspeed: ds_configs/zero2.json
"""


def config(folder: Path, *overrides: str) -> RunConfig:
    (folder / "run.yaml").write_text(RUN)
    return load_run(folder / "run.yaml", overrides)


def task(folder: Path, *texts: str) -> Task:
    path = folder / "demo" / "copy.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(TEMPLATE)
    (path.parent / "train.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in texts), encoding="utf-8")
    return Task(read_template(path))


@pytest.mark.skipif(not T5.exists(), reason=f"T5's vocabulary is not there: {T5}")
def test_a_target_that_the_vocabulary_cannot_say_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError) as error:
        check_vocabulary(config(tmp_path), [task(tmp_path, "fine", "a {b}")], load_tokenizer(T5))
    assert "train.jsonl:2: the vocabulary cannot say '{', '}' in the target of demo/copy" in str(error.value)


@pytest.mark.skipif(not T5.exists(), reason=f"T5's vocabulary is not there: {T5}")
def test_what_its_normaliser_changes_is_no_error(tmp_path: Path) -> None:
    check_vocabulary(config(tmp_path), [task(tmp_path, "wait…", "ﬁne")], load_tokenizer(T5))


def test_a_tokenizer_trained_here_says_everything(tmp_path: Path) -> None:
    check_vocabulary(config(tmp_path), [task(tmp_path, "a {b} 京 <unk>")], train_tokenizer(["a"], 600))


def test_a_directory_of_another_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    old = config(tmp_path)
    check_directory(old)
    old.directory.mkdir(parents=True)
    (old.directory / "run.yaml").write_text(old.to_yaml())
    check_directory(old)
    check_directory(config(tmp_path, "generate.limit=3"))
    with pytest.raises(RunDirectoryError, match=r"holds another run \(it differs in seed\); choose another name"):
        check_directory(config(tmp_path, "seed=2"))
    for damaged in ("", "[a", "5"):
        (old.directory / "run.yaml").write_text(damaged)
        with pytest.raises(RunDirectoryError, match=r"run\.yaml: it cannot be read"):
            check_directory(old)


def test_a_folder_of_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / "run.yaml.tmp").write_text("of a start that was killed")
    check_directory(config(tmp_path))
    (tmp_path / "runs" / "x" / "thesis.txt").write_text("mine")
    with pytest.raises(RunDirectoryError, match="not empty and holds no run"):
        check_directory(config(tmp_path))

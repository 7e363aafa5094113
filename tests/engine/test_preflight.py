from pathlib import Path

import pytest

from t2t.config.run import RunConfig, load_run
from t2t.config.template import read_template
from t2t.data.counts import Counts
from t2t.engine.preflight import check_directory, check_vocabulary, write_run_file
from t2t.errors import RunDirectoryError, VocabularyError
from t2t.model.sayable import Vocabulary, unsayable_summary
from t2t.model.tokenizer import load_tokenizer
from t2t.tasks.sources import data_dir
from t2t.tasks.task import Task
from t2t.training.preparation import prepare

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


def check_run(run: RunConfig) -> None:
    check_directory(run.directory, run.to_yaml())


def task(folder: Path, *texts: str) -> Task:
    path = folder / "demo" / "copy.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(TEMPLATE)
    (path.parent / "train.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in texts), encoding="utf-8")
    return Task(read_template(path))


needs_t5 = pytest.mark.skipif(not T5.exists(), reason=f"T5's vocabulary is not there: {T5}")


def prepared(folder: Path, texts: list[str], *overrides: str) -> Counts:
    """What the real preparation counts of a task that copies ``texts``, on T5's own vocabulary."""
    run = config(folder, f"tokenizer.from={T5}", *overrides)
    made = prepare(run, [task(folder, *texts)])
    return made.encoder.counts["demo/copy"]


@needs_t5
def test_rare_characters_are_counted_and_never_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    texts = ["fine"] * 38 + ["El Niño ñandu", "a {b} ł"]
    for _ in ("encoded", "read from the cache"):
        counts = prepared(tmp_path, texts)
        assert counts.targets == (40, 2, 1)
        assert counts.characters == {"ñ": 2, "{": 1, "}": 1, "ł": 1}
    words = "2 of 40 targets changed, characters 'ñ' 2, '{' 1, '}' 1, 'ł' 1"
    assert unsayable_summary(counts.targets, counts.characters) == words


@needs_t5
@pytest.mark.parametrize(
    ("texts", "overrides", "words"),
    [
        (["fine", "el niño"], ["unsayable=stop"], "demo/copy: 1 of 2 targets changed, characters 'ñ' 1, and the run"),
        (["fine"] * 18 + ["ł", "京"], [], "2 of 20 targets lose more than an accent, characters 'ł' 1, '京' 1"),
        (["fine", "京"], ["unsayable_share=0.4"], "raise unsayable_share: (now 0.4)"),
        (
            ["京"],
            [],
            "fine-tune an mT5 (examples/finetune_zh.yaml), or train a tokenizer here with model: from",
        ),
    ],
)
def test_what_a_vocabulary_cannot_say_stops_a_run_where_it_is_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: list[str], overrides: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VocabularyError) as error:
        prepared(tmp_path, texts, *overrides)
    assert words in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'run.yaml'}:2: ")


@needs_t5
def test_accents_alone_never_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepared(tmp_path, ["niño", "Škoda", "x̂"]).targets == (3, 3, 0)
    assert prepared(tmp_path, ["fine", "京"], "unsayable_share=0.5").targets == (2, 1, 1)


@needs_t5
@pytest.mark.parametrize(
    ("target", "line", "words"),
    [
        ("target: {label: [good, 'a ł'], gold: text}", 5, "cannot say the label 'a ł', which comes back as 'a <unk>'"),
        ("target: {label: [good, 'niño'], gold: text}", 5, "cannot say the label 'niño', which comes back as 'nino'"),
        ("target: {label: [good, ﬁne], gold: text}", 0, ""),
        ("target: {text: text, absent: 無}", 5, "cannot say the word '無'"),
        ("target: {each: text, as: '{a} ~ {b}', fields: {a: {text: a}, b: {text: b}}}", 5, "cannot say the mark '~'"),
        ("target: {each: text, as: '{a}', fields: {a: {text: a}}, empty: 無}", 5, "cannot say the word '無'"),
    ],
)
def test_words_of_the_template_must_be_said(tmp_path: Path, target: str, line: int, words: str) -> None:
    path = tmp_path / "demo" / "copy.yaml"
    path.parent.mkdir()
    path.write_text(TEMPLATE.replace("target: {text: text}", target), encoding="utf-8")
    vocabulary = Vocabulary(load_tokenizer(T5))
    if not words:
        return check_vocabulary([Task(read_template(path))], vocabulary)
    with pytest.raises(VocabularyError) as error:
        check_vocabulary([Task(read_template(path))], vocabulary)
    assert words in str(error.value)
    assert str(error.value).startswith(f"{path}:{line}: ")
    return None


@needs_t5
def test_what_its_normaliser_changes_is_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepared(tmp_path, ["wait…", "ﬁne"], "unsayable=stop").targets == (2, 0, 0)


def test_a_tokenizer_trained_here_says_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = prepare(config(tmp_path, "unsayable=stop", "tokenizer.vocab_size=600"), [task(tmp_path, "a {b} 京 <unk>")])
    assert made.encoder.counts["demo/copy"].targets == (1, 0, 0)


def trained(directory: Path) -> None:
    """A checkpoint of step 0, as far as it is looked at."""
    step = directory / "checkpoints" / "step00000000"
    step.mkdir(parents=True)
    (step / "complete.json").write_text('{"world_size": 1, "position": {}, "files": {}}')


def test_a_directory_of_another_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    old = config(tmp_path)
    check_run(old)
    old.directory.mkdir(parents=True)
    (old.directory / "run.yaml").write_text(old.to_yaml())
    check_run(old)
    check_run(config(tmp_path, "seed=2"))  # nothing was trained
    trained(old.directory)
    check_run(config(tmp_path, "generate.limit=3"))
    file = tmp_path / old.directory / "run.yaml"
    assert "stages: []" in file.read_text()
    file.write_text(file.read_text().replace("stages: []\n", ""))  # as an older t2t wrote it
    check_run(old)
    with pytest.raises(RunDirectoryError, match=r"holds another run \(it differs in seed\); choose another name"):
        check_run(config(tmp_path, "seed=2"))
    for damaged in ("", "[a", "5"):
        (old.directory / "run.yaml").write_text(damaged)
        with pytest.raises(RunDirectoryError, match=r"run\.yaml: it cannot be read"):
            check_run(old)


def test_how_a_run_goes_on_may_change_and_stands_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    first = config(tmp_path)
    first.directory.mkdir(parents=True)
    write_run_file(first.directory, first.to_yaml())
    trained(first.directory)
    assert capsys.readouterr().out == ""
    changed = ["optimizer.learning_rate=0.005", "schedule.steps=77", "checkpoint.every=5", "log.every=3"]
    lower = config(tmp_path, *changed)
    check_run(lower)
    write_run_file(lower.directory, lower.to_yaml())
    said = capsys.readouterr().out
    assert "from step 0 on: optimizer.learning_rate is 0.005, it was 0.02" in said
    assert said.count("\n") == len(changed)
    write_run_file(lower.directory, lower.to_yaml())
    assert capsys.readouterr().out == ""
    again = config(tmp_path, *changed, "validate={every: 1 epoch}")
    check_run(again)
    write_run_file(again.directory, again.to_yaml())
    history = [line for line in (first.directory / "run.yaml").read_text().splitlines() if line.startswith("# ")]
    assert len(history) == len(changed) + 1
    assert history[-1].startswith("# from step 0 on: validate is {")
    assert load_run(first.directory / "run.yaml") == again
    for fixed in ("batch.micro_batches=9", "optimizer.weight_decay=0.1", "model.from_scratch.dropout=0.3", "seed=9"):
        with pytest.raises(RunDirectoryError, match="differs in " + fixed.partition("=")[0].replace(".", r"\.")):
            check_run(config(tmp_path, *changed, "validate={every: 1 epoch}", fixed))


def test_a_folder_of_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / f"run.yaml.{2**22 + 1}.part").write_text("of a start that was killed")
    check_run(config(tmp_path))
    (tmp_path / "runs" / "x" / "thesis.txt").write_text("mine")
    with pytest.raises(RunDirectoryError, match="not empty and holds no run"):
        check_run(config(tmp_path))

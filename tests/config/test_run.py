import re
import time
from pathlib import Path

import pytest

from t2t.config.run import load_run
from t2t.config.yaml_file import read_yaml
from t2t.errors import RunFileError, TemplateError

RUN = """\
run: tiny
tasks:
  - a/b
  - {task: c/d, weight: 2.0}
model:
  from_scratch: {d_model: 32, d_kv: 8, d_ff: 64, num_layers: 1, num_decoder_layers: 1, num_heads: 4}
schedule: {steps: 20}
"""


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(RUN)
    return path


def test_defaults_are_filled_in_and_overrides_come_last(run_file: Path) -> None:
    run = load_run(run_file, ["schedule.steps=7", "tasks.1.limit=3", "optimizer.betas=[0.9, 0.99]"])
    assert [(task.task, task.weight, task.limit) for task in run.tasks] == [("a/b", None, None), ("c/d", 2.0, 3)]
    assert run.schedule.steps == 7
    assert run.optimizer.betas == (0.9, 0.99)
    assert (run.optimizer.learning_rate, run.optimizer.scale, run.batch.micro_batches) == (2.0e-2, "rms", 4)
    assert run.directory == Path("runs/tiny")
    assert run.where("tasks.1") == f"{run_file}:4"


@pytest.mark.parametrize(
    "override",
    [
        "seed=5",
        "tokenizer.from=elsewhere",
        "schedule.minutes=2.5",
        "schedule={epochs: 3}",
        "model={from: x}",
        "model.from_scratch={size: small, num_heads: 4}",
        "unsayable_share=0.2",
        "teacher={from: x, top: 64, targets: generated}",
        "loss={z_loss: 1.0e-4, chunk: 0}",
        "generate.sample={top_k: 50, n: 3}",
        "run='1e3'",
        "run='0x1f'",
        "run='no'",
        "optimizer.learning_rate=1e-5",
    ],
)
def test_the_resolved_run_gives_itself_again(run_file: Path, tmp_path: Path, override: str) -> None:
    run = load_run(run_file, [override])
    again = tmp_path / "again.yaml"
    again.write_text(run.to_yaml())
    assert load_run(again) == run


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("schedule:", "schedul:", 7, "unknown key 'schedul'; did you mean 'schedule'?"),
        ("weight", "wieght", 4, "unknown key 'wieght'; did you mean 'weight'?"),
        ("d_kv", "d_vk", 6, "unknown key 'd_vk'; did you mean 'd_kv'?"),
        ("{steps: 20}", "{steps: many}", 7, "'many' is not a valid integer"),
        ("{steps: 20}", "{steps: -1}", 7, "-1 is not greater than 0"),
        (
            "{steps: 20}",
            "{warmup: 3}",
            7,
            "schedule has neither steps: nor epochs:; say how long to train, e.g. epochs: 3",
        ),
        ("{steps: 20}", "{steps: 9, epochs: 2}", 7, "schedule has both steps: and epochs:; keep one of them"),
        ("d_kv: 8, ", "", 6, "from_scratch has no size: and no d_kv; add a size: mini, small or base"),
        ("d_kv: 8, ", "size: big, ", 6, "'big' is not 'mini', 'small' or 'base'"),
        ("  from_scratch", "  dropout: 0.1\n  from_scratch", 6, "model.dropout is that of a pretrained model"),
        ("run: tiny", "run: ../tiny", 1, "'../tiny' is no name"),
        ("2.0}", "yes}", 4, "'yes' is not a valid number"),
        ("{task: c/d, weight: 2.0}", "3", 4, "tasks[1]: 3 is not a mapping"),
        ("{task: c/d, weight: 2.0}", "a/b", 4, "the task 'a/b' stands twice"),
        ("run: tiny", "run: 3", 1, "run: 3 is not a valid string"),
        ("{steps: 20}", "null", 7, "schedule: null is not a mapping"),
        ("{steps: 20}", "{steps: " + "9" * 5000 + "}", 7, "a number of 5000 digits"),
        ("run: tiny", "run: a\x07b", 1, "the character '\\x07'"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(run_file: Path, old: str, new: str, line: int, words: str) -> None:
    run_file.write_text(RUN.replace(old, new))
    with pytest.raises(RunFileError) as caught:
        load_run(run_file)
    assert str(caught.value).startswith(f"{run_file}:{line}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("unsayable=skip", "'skip' is not 'keep' or 'stop'"),
        ("schedule.epochs=2", "--set schedule.epochs=2: schedule has both steps: and epochs:"),
        ("precision=fp16", "overflows in the feed-forward layers of a T5"),
        ("precision=fp8", "'fp8' is not 'auto', 'fp32', 'bf16' or 'autocast_bf16'"),
        ("optimizer.name=Adam", "unknown optimizer 'Adam'; did you mean 'adamw'?"),
        ("optimizer={name: sgd, betas: [0.9, 0.9]}", "unknown key 'betas' of sgd"),
        ("optimizer.rates={norms: 2}", "'norms'"),
        ("optimizer.layer_decay=0", "layer_decay: 0 is not greater than 0"),
        ("optimizer=3", "optimizer is 3, no mapping"),
        ("teacher={from: x, weight: 0}", "--set teacher={from: x, weight: 0}: a teacher of weight 0 whose targets are"),
        ("teacher={weight: 0.5}", "key 'from' is missing"),
        ("teacher={from: x, temperature: 0}", "temperature: 0 is not greater than 0"),
        ("teacher={from: x, targets: own}", "'own' is not 'gold' or 'generated'"),
        ("loss.chunk=-1", "-1 is not greater than or equal to 0"),
        ("optimizer.betas=[0.9, 1]", "betas[1]: 1 is not less than 1"),
        ("model.from=x", "model has either from: or from_scratch:"),
        ("tasks=[]", "at least 1 item"),
        ("tasks.7.limit=1", "there is nothing under 7"),
        ("run.x=1", "'x' does not stand in the run file"),
        ("steps", "not of the form a.b=c"),
        ("5=1", "--set 5=1: unknown key"),
        ("tasks.0.0=1", "--set tasks.0.0=1: "),
        ("model.from=x", "--set model.from=x: "),
        ("model.from_scratch=null", "--set model.from_scratch=null: model has either"),
        ("generate.splits=[test, test]", "the split 'test' stands twice"),
        ("optimizer.learning_rate=.inf", "finite number"),
        ("generate.sample={temperature: 0}", "temperature: 0 is not greater than or equal to 0.000001"),
        ("generate={no_repeat_ngram: 3, engine: ctranslate2}", "no_repeat_ngram is of the engine torch; leave out"),
        ("generate.length_penalty=2", "length_penalty compares beams, and there is one; add beams"),
        ("generate.length_penalty=11", "length_penalty: 11 is not less than or equal to 10"),
        ("generate.max_tokens=0", "max_tokens: 0 is not greater than 0"),
        ("generate.no_repeat_ngram=0", "no_repeat_ngram: 0 is not greater than 0"),
        ("generate.sample={topk: 5}", "unknown key 'topk'; did you mean 'top_k'"),
        ("generate={sample: {n: 2}, mode: rank}", "mode: rank weighs every answer, and sample draws"),
        ("tasks.²=1", "does not stand in the run file"),
        ("schedule.steps=" + "9" * 5000, "a number of 5000 digits"),
    ],
)
def test_a_wrong_override_is_refused(run_file: Path, override: str, words: str) -> None:
    with pytest.raises(RunFileError) as caught:
        load_run(run_file, [override])
    assert words in str(caught.value)


def test_samples_and_beams_are_refused_where_they_stand(run_file: Path) -> None:
    run_file.write_text(f"{RUN}generate:\n  beams: 4\n  sample: {{n: 3}}\n")
    told = "run.yaml:10: beams search for the likeliest output, and sample draws; leave out sample: or beams:"
    with pytest.raises(RunFileError, match=told):
        load_run(run_file)


def test_a_task_named_alone_takes_an_override(run_file: Path) -> None:
    assert load_run(run_file, ["tasks.0.weight=2.5"]).tasks[0].weight == 2.5
    assert load_run(run_file, ["tasks=[e/f]", "tasks.0.limit=9"]).tasks[0].limit == 9


def test_a_mistake_in_an_override_is_not_put_on_the_line_that_it_replaced(run_file: Path) -> None:
    with pytest.raises(RunFileError) as caught:
        load_run(run_file, ["tasks=[a/b, {task: c/d, weight: -1}]"])
    assert str(caught.value).startswith("--set tasks=[a/b, {task: c/d, weight: -1}]: weight: -1 is not greater than 0")


def test_a_pretrained_model_keeps_its_tokenizer(run_file: Path) -> None:
    with pytest.raises(RunFileError, match="keeps its own tokenizer"):
        load_run(run_file, ["model={from: x}", "tokenizer.vocab_size=900"])


def test_plain_scalars_follow_yaml_1_2(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: yes\nb: 1:30\nc: 2e-2\nd: [1, .5, 0x1F, ~, off]\ne:\n  0: 2020-01-01\n  f: '3'\ng: True\n")
    data, lines = read_yaml(path)
    assert data == {
        "a": "yes",
        "b": "1:30",
        "c": 0.02,
        "d": [1, 0.5, 31, None, "off"],
        "e": {0: "2020-01-01", "f": "3"},
        "g": True,
    }
    assert (lines["e", 0], lines["e", "f"], lines["d", 2], lines["g",]) == (6, 7, 4, 8)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: &x 1", 1, "anchors and aliases are not read"),
        ("b: 1\na: *x", 2, "anchors and aliases are not read"),
        ("a: 1\nb: 2\na: 3", 3, "the key 'a' stands twice"),
        ("a: !!python/object:os.system 3", 1, "the tag"),
        ("a: [1", 1, "no readable YAML"),
        ("- 1", 1, "no mapping"),
    ],
)
def test_yaml_that_is_not_read(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(TemplateError) as caught:
        read_yaml(path, TemplateError)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="cannot be read"):
        load_run(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("overrides", "decoding"),
    [
        ([], "greedy+constrained"),
        (["generate.constrain=false"], "greedy"),
        (["generate.beams=4"], "beams:4+constrained"),
        (["generate.beams=2", "generate.constrain=false"], "beams:2"),
        (["generate.beams=4", "generate.length_penalty=0.6"], "beams:4,length_penalty=0.6+constrained"),
        (["generate.sample={}"], "sample:1+constrained"),
        (["generate.beams=4", "generate.no_repeat_ngram=3"], "beams:4,no_repeat_ngram=3+constrained"),
        (
            ["generate.sample={temperature: 0.8, top_k: 50, top_p: 0.95, n: 3, seed: 2}", "generate.constrain=false"],
            "sample:0.8,top_k=50,top_p=0.95,seed=2",
        ),
    ],
)
def test_how_outputs_are_decoded_is_told(run_file: Path, overrides: list[str], decoding: str) -> None:
    assert load_run(run_file, overrides).generate.decoding == decoding


def test_defaults_follow_from_what_a_run_starts_from(run_file: Path) -> None:
    def chosen(*overrides: str) -> tuple[float, str, int, float | None]:
        run = load_run(run_file, overrides)
        return run.optimizer.learning_rate, run.optimizer.scale, run.schedule.warmup, run.model.dropout

    assert chosen() == (2.0e-2, "rms", 100, None)
    assert chosen("model={from: x}") == (1.0e-3, "rms", 0, 0.1)
    assert chosen("model={from: x, dropout: 0.0}", "schedule.warmup=7", "optimizer.learning_rate=3e-4") == (
        3.0e-4, "rms", 7, 0.0,
    )  # fmt: skip


def test_a_size_stands_for_a_shape(run_file: Path) -> None:
    named = load_run(run_file, ["model.from_scratch={size: mini}"]).model.shape
    names = ("d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers", "num_heads", "gated")
    assert [named[name] for name in names] == [192, 32, 512, 3, 3, 6, True]
    wider = load_run(run_file, ["model.from_scratch={size: base, num_layers: 2}"]).model.shape
    assert [wider[name] for name in names] == [768, 64, 2048, 2, 12, 12, True]


def test_epochs_wait_for_the_data(run_file: Path) -> None:
    schedule = load_run(run_file, ["schedule={epochs: 0.5}"]).schedule
    assert (schedule.steps, schedule.epochs) == (None, 0.5)
    with pytest.raises(ValueError, match="not known in steps"):
        _ = schedule.length


@pytest.mark.parametrize("override", ["\udcff=1", "tasks.0.\udcff=1", "deepspeed={\udcff: 1}"])
def test_what_is_no_character_is_told(run_file: Path, override: str) -> None:
    with pytest.raises(RunFileError, match=r"--set .*(no character|the character)"):
        load_run(run_file, [override])


def test_a_run_of_many_tasks_is_read_at_once(run_file: Path) -> None:
    names = "".join(f"\n  - a/b{number}" for number in range(60_000))
    run_file.write_text(re.sub(r"tasks:(\n  - .*)+", f"tasks:{names}", run_file.read_text()))
    began = time.monotonic()
    assert len(load_run(run_file).tasks) == 60_000
    assert time.monotonic() - began < 30


def test_a_key_that_is_no_text_is_named(run_file: Path) -> None:
    run_file.write_text(RUN.replace("{steps: 20}", "{steps: 20, 1: 2}"))
    with pytest.raises(RunFileError, match=r"unknown key .?1"):
        load_run(run_file)


def test_an_old_name_of_a_key_is_read_and_told(run_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = run_file.with_name("old.yaml")
    old.write_text(run_file.read_text() + "batch: {tokens: 64, units: 3}\n")
    assert load_run(old).batch.micro_batches == 3
    assert capsys.readouterr().err == f"{old}: batch.units is now called micro_batches\n"
    assert (
        load_run(old, ["batch.units=5"]).batch.micro_batches
        == load_run(run_file, ["batch.units=5"]).batch.micro_batches
    )
    line = len(old.read_text().splitlines())
    old.write_text(old.read_text().replace("units: 3", "units: 0"))
    with pytest.raises(RunFileError, match=rf"old.yaml:{line}: micro_batches: 0 is not greater than 0"):
        load_run(old)
    old.write_text(old.read_text().replace("units: 0", "units: 2, micro_batches: 2"))
    with pytest.raises(RunFileError, match="'units' is the old name of 'micro_batches', and both stand there"):
        load_run(old)

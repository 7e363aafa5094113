import json
from pathlib import Path

import pytest

from t2t.commands import generate as runs
from t2t.commands.generate import generate, generate_run, prediction_file
from t2t.config import run as config
from t2t.config.run import GenerateSettings, Lengths, SampleSettings
from t2t.engine.distributed import device_name
from t2t.errors import DataError, InputError, RunDirectoryError, RunFileError
from t2t.evaluation.evaluate import evaluate
from t2t.generation.generator import Decoding, Generator, Output
from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import train_tokenizer
from t2t.serving.loading import load_generator
from t2t.tasks.kept import FILE, keep
from t2t.tasks.task import Task, load_task

TEMPLATE = """\
task: mood/line
version: 1
description: the mood of a line
language: en
source: {format: tsv, header: [mood, text], train: train.tsv, test: test.tsv, valid: valid.tsv}
prompt: "mood of: {text}"
shorten: {field: text, keep: start}
target: {label: [glad, sad], gold: mood}
metrics: [accuracy]
"""
LINES = "glad\tthe sun shines\nsad\tthe storm closed the port\nsad\tit rains <pad>\n"


@pytest.fixture
def task(tmp_path: Path) -> Task:
    folder = tmp_path / "mood"
    folder.mkdir()
    for split in ("train", "test", "valid"):
        (folder / f"{split}.tsv").write_text(LINES, encoding="utf-8")
    (folder / "line.yaml").write_text(TEMPLATE, encoding="utf-8")
    return load_task(str(folder / "line.yaml"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    tokenizer = train_tokenizer(["mood of: the sun shines ; glad sad"] * 10, 520)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    build_from_scratch(sizes, len(tokenizer)).save(tokenizer, tmp_path / "run" / "model")
    return tmp_path / "run"


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_each_input_has_one_line_in_order(run: Path, task: Task, monkeypatch) -> None:
    monkeypatch.setattr("t2t.serving.answers.WINDOW", 2)
    assert generate(
        run,
        [task],
        GenerateSettings(
            splits=(
                "test",
                "valid",
            )
        ),
        Lengths(target=3),
    ) == {"mood/line": 3, "mood/line@valid": 3}
    examples = list(task.examples("test"))
    found = lines(run / "predictions" / "mood" / "line.jsonl")
    assert [line["id"] for line in found] == [example.id for example in examples]
    assert [line["prompt"] for line in found] == [task.prompt(example) for example in examples]
    assert set(found[0]) - {"constrained"} == {"id", "task", "prompt", "text", "value", "issues", "score", "confidence"}
    assert {line["task"] for line in found} == {"mood/line"}
    assert (run / "predictions" / "mood" / "line@valid.jsonl").is_file()


def test_value_and_issues_are_what_parsing_says(run: Path, task: Task, monkeypatch) -> None:
    def said(self: Generator, requests: list, decoding: Decoding, **_more: object) -> list:
        texts = ["glad", "nothing", "sad"]
        return [
            Output(request.id, (9,) * decoding.max_tokens, text, -0.5, text == "sad")
            for request, text in zip(requests, texts, strict=True)
        ]

    monkeypatch.setattr(Generator, "generate", said)
    generate(run, [task])
    glad, nothing, cut = lines(prediction_file(run, "mood/line", "test"))
    assert (glad["value"], glad["issues"], glad["score"]) == ("glad", [], -0.5)
    assert nothing["issues"]
    assert "cut" not in [issue["kind"] for issue in nothing["issues"]]
    assert cut["value"] == "sad"
    assert {"kind": "cut", "path": "", "text": ""} in cut["issues"]


def test_outputs_that_are_not_strict_are_decoded_again(run: Path, task: Task) -> None:
    generate(run, [task], GenerateSettings(constrain=False), Lengths(target=12))
    free = lines(prediction_file(run, "mood/line", "test"))
    assert all(line["issues"] and "constrained" not in line for line in free)
    generate(run, [task], lengths=Lengths(target=12))
    found = lines(prediction_file(run, "mood/line", "test"))
    assert all(line["constrained"] is True and line["issues"] == [] for line in found)
    assert {line["value"] for line in found} <= {"glad", "sad"}


def test_the_limit_of_an_output_is_by_the_targets_that_were_trained_on(run: Path, task: Task, monkeypatch) -> None:
    asked: list[Decoding] = []
    real = Generator.generate
    monkeypatch.setattr(
        Generator, "generate", lambda *given, decoding, **_: asked.append(decoding) or real(*given, decoding)
    )

    def limit(**settings: int) -> tuple[int, int]:
        generate(run, [task], GenerateSettings(constrain=False, **settings), Lengths(target=40))
        found = lines(prediction_file(run, "mood/line", "test"))
        assert all({"kind": "cut", "path": "", "text": ""} in line["issues"] for line in found)  # of random weights
        return asked[-1].max_tokens, asked[-1].reserved

    assert limit() == (40, 40)  # the model keeps no lengths
    (run / "model" / FILE).write_text(keep([task], Lengths(target=40), "0", {"mood/line": 3}))
    assert limit() == (3 * 3 // 2 + 8, 40)
    assert limit(max_tokens=20) == (20, 20)
    assert limit(max_tokens=50) == (50, 50)
    (run / "model" / FILE).write_text(keep([task], Lengths(target=40), "0", {"mood/line": 39}))
    assert limit() == (40, 40)


def test_a_line_has_all_samples_and_the_first_is_what_is_scored(run: Path, task: Task) -> None:
    settings = GenerateSettings(sample=SampleSettings(temperature=2.0, n=4))
    assert generate(run, [task], settings, Lengths(target=12)) == {"mood/line": 3}
    found = lines(prediction_file(run, "mood/line", "test"))
    for line in found:
        assert len(line["samples"]) == 4
        assert line["samples"][0] == {key: line[key] for key in line if key not in ("id", "task", "prompt", "samples")}
        assert {sample["value"] for sample in line["samples"]} <= {"glad", "sad"}
    assert {sample["value"] for line in found for sample in line["samples"]} == {"glad", "sad"}
    accuracy = sum(line["value"] == gold for line, gold in zip(found, ("glad", "sad", "sad"), strict=True)) / 3
    assert evaluate(run, [task], ["test"])[0].value == pytest.approx(accuracy)


def test_the_limit_and_another_folder(run: Path, task: Task, tmp_path: Path) -> None:
    assert generate(run / "model", [task], GenerateSettings(limit=2), Lengths(target=2), out=tmp_path / "out") == {
        "mood/line": 2
    }
    assert len(lines(tmp_path / "out" / "predictions" / "mood" / "line.jsonl")) == 2


def test_a_failure_leaves_the_file_that_was_there(run: Path, task: Task, monkeypatch) -> None:
    generate(run, [task], lengths=Lengths(target=2))
    file = prediction_file(run, "mood/line", "test")
    before = file.read_bytes()
    monkeypatch.setattr(runs, "_line", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        generate(run, [task], lengths=Lengths(target=2))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["line.jsonl"]


def test_generating_twice_gives_the_same_bytes(run: Path, task: Task) -> None:
    generate(run, [task], lengths=Lengths(target=4))
    first = prediction_file(run, "mood/line", "test").read_bytes()
    generate(run, [task], lengths=Lengths(target=4))
    assert prediction_file(run, "mood/line", "test").read_bytes() == first


def test_a_run_file_says_what_is_generated(run: Path, task: Task, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(config, "RUNS", tmp_path)
    file = tmp_path / "run.yaml"
    file.write_text(
        f"run: run\ntasks: [{task.template.path}]\ntokenizer: {{vocab_size: 520}}\n"
        "model: {from_scratch: {d_model: 16, d_kv: 8, d_ff: 16, num_layers: 1, num_decoder_layers: 1, num_heads: 2}}\n"
        "schedule: {name: constant, steps: 1}\nlengths: {prompt: 12, target: 2}\n"
        "generate: {splits: [valid], limit: 2}\n"
    )
    free = config.load_run(file, ["generate.constrain=false"])
    assert generate_run(free) == {"mood/line@valid": 2}
    assert not any("constrained" in line for line in lines(prediction_file(run, "mood/line", "valid")))
    constrained = config.load_run(file)
    assert generate_run(constrained) == {"mood/line@valid": 2}
    asked: list[str] = []
    real = runs.load_answering
    monkeypatch.setattr(runs, "load_answering", lambda *given: asked.append(given[2]) or real(*given))
    generate_run(config.load_run(file, ["generate.precision=bf16"]))
    generate_run(constrained)
    assert asked == ["bf16", "fp32"]
    assert (free.generate.decoding, constrained.generate.decoding) == ("greedy", "greedy+constrained")
    found = lines(prediction_file(run, "mood/line", "valid"))
    assert len(found) == 2
    assert any("constrained" in line for line in found)
    assert found[1]["prompt"] != task.prompt(list(task.examples("valid"))[1])


def test_a_users_own_types_have_a_folder_of_their_own(run: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(config, "RUNS", tmp_path)
    path = tmp_path / "demo" / "names.yaml"
    path.parent.mkdir()
    path.write_text(
        "task: demo/names\nversion: 1\nsource: {format: jsonl, test: test.jsonl}\ntypes: sampled\n"
        'prompt: "{type.labels}: {text}"\nmetrics: [exact_match]\n'
        'target: {each: m, as: "{text} = {type}", fields: {text: {span_of: text}, type: {label: [person, place]}}}\n'
    )
    (path.parent / "test.jsonl").write_text('{"text": "Ada", "m": [{"text": "Ada", "type": "person"}]}\n')
    file = tmp_path / "run.yaml"
    file.write_text(
        f"run: run\ntasks: [{path}]\ntokenizer: {{vocab_size: 520}}\n"
        "model: {from_scratch: {d_model: 16, d_kv: 8, d_ff: 16, num_layers: 1, num_decoder_layers: 1, num_heads: 2}}\n"
        "schedule: {name: constant, steps: 1}\nlengths: {prompt: 64, target: 2}\n"
    )
    generate_run(config.load_run(file), "drug, brand name")
    (line,) = lines(run / "types" / "drug-brand_name" / "predictions" / "demo" / "names.jsonl")
    assert line["prompt"] == "drug, brand name: Ada"
    with pytest.raises(RunFileError, match="names no type"):
        generate_run(config.load_run(file), " , ")


def test_the_gpu_is_left_alone_where_training_leaves_it_alone(run: Path, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a GPU")
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    assert load_generator(run).engine.device.type == "cpu"
    assert device_name().startswith("CPU, ")
    monkeypatch.delenv("DS_ACCELERATOR")
    assert device_name() == "a GPU"


def test_a_model_with_other_special_ids_is_refused(run: Path) -> None:
    file = run / "model" / "config.json"
    good = json.loads(file.read_text())
    for change, told in (({"pad_token_id": 3}, "pad is 3, the tok"), ({"eos_token_id": 2}, "EOS is 2, the tok")):
        file.write_text(json.dumps(good | change))
        with pytest.raises(InputError, match=told):
            load_generator(run)


def test_a_model_with_fewer_rows_than_the_tokenizer_has_ids_is_refused(run: Path) -> None:
    build = build_from_scratch({"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}, 100)
    build.module.save_pretrained(run / "model")
    with pytest.raises(InputError, match="the model rows for 100"):
        load_generator(run)


def test_what_is_missing_is_said(run: Path, task: Task, tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match=r"mood/line has none of \['dev'\]; use one of: "):
        generate(run, [task], GenerateSettings(splits=("dev",)))
    with pytest.raises(RunDirectoryError, match="no model/config"):
        generate(tmp_path / "nothing", [task])


def test_a_prompt_that_does_not_fit_stops_or_is_set_aside(run: Path, task: Task, tmp_path: Path, capsys) -> None:
    (tmp_path / "mood" / "test.tsv").write_text("glad\tthe sun\nsad\t" + "it rains " * 200 + "\nsad\tthe port\n")
    template = TEMPLATE.replace("shorten: {field: text, keep: start}\n", "")
    task.template.path.write_text(template)
    with pytest.raises(DataError, match=r"test\.tsv:2: mood/line: the prompt is longer than 64 tokens"):
        generate(run, [load_task(str(task.template.path))], lengths=Lengths(prompt=64, target=3))
    assert not prediction_file(run, "mood/line", "test").exists()
    task.template.path.write_text(template + "on_bad: skip\n")
    skips = load_task(str(task.template.path))
    assert generate(run, [skips], lengths=Lengths(prompt=64, target=3)) == {"mood/line": 2}
    kept = [example.id for example in skips.examples("test") if len(example.fields["text"]) < 99]
    assert [line["id"] for line in lines(prediction_file(run, "mood/line", "test"))] == kept
    (bad,) = lines(run / "bad_records.jsonl")
    assert (bad["task"], bad["split"], bad["where"].rpartition("/")[2]) == ("mood/line", "test", "test.tsv:2")
    assert "nothing left to shorten" in bad["found"]
    assert "mood/line test: 1 bad records were set aside" in capsys.readouterr().out
    assert {row.n for row in evaluate(run, [skips], ["test"])} == {2}
    (run / "bad_records.jsonl").unlink()
    with pytest.raises(DataError, match="no prediction for example"):
        evaluate(run, [skips], ["test"])

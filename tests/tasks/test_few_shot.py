"""Exemplars: drawn from train, a function of (seed, epoch, id), never the example itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2t.config.template import read_template
from t2t.errors import DataError, TemplateError
from t2t.tasks.task import Task

TEMPLATE = """\
task: mood/line
version: 1
source: {format: tsv, header: [mood, text], train: train.tsv, test: test.tsv}
prompts: [{text: "mood of: {text}"}, {text: "{text} ?"}]
shorten: {field: text}
few_shot: 2
target: {label: [glad, sad], gold: mood}
metrics: [accuracy]
"""
TRAIN = "glad\tsun {prompt}\nsad\train\nglad\tjoy\nsad\train\nsad\tgrief {target}\n"


def make(folder: Path, template: str = TEMPLATE, train: str = TRAIN) -> Task:
    path = folder / "mood" / "line.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(template)
    (path.parent / "train.tsv").write_text(train)
    (path.parent / "test.tsv").write_text("sad\train\nglad\twind\n")
    return Task(read_template(path))


def shots(prompt: str) -> list[str]:
    return prompt.split(" ; ")[:-1]


def test_exemplars_stand_in_front_with_their_targets(tmp_path: Path) -> None:
    task = make(tmp_path)
    _, example = task.examples("test")
    prompt = task.prompt(example)
    assert prompt.endswith(" ; mood of: wind =>")
    assert len(shots(prompt)) == 2
    pairs = {"mood of: sun {prompt} => glad", "mood of: rain => sad", "mood of: joy => glad"}
    assert set(shots(prompt)) <= pairs | {"mood of: grief {target} => sad"}
    assert task.prompt(example, keep=2).endswith(" ; mood of: wi =>")
    assert task.prompts_vary


def test_the_draw_is_a_function_of_seed_epoch_and_id_and_takes_the_wording_drawn(tmp_path: Path) -> None:
    task = make(tmp_path)
    first, *_ = task.examples("train")
    drawn = [task.prompt(first, seed=1, epoch=epoch) for epoch in range(60)]
    assert drawn == [make(tmp_path).prompt(first, seed=1, epoch=epoch) for epoch in range(60)]
    assert len(set(drawn)) > 10
    assert drawn != [task.prompt(first, seed=2, epoch=epoch) for epoch in range(60)]
    for prompt in drawn:
        wordings = {part.startswith("mood of: ") for part in prompt.split(" ; ")}
        assert len(wordings) == 1


def test_never_the_example_itself_nor_its_double(tmp_path: Path) -> None:
    task = make(tmp_path)
    for example in [*task.examples("train"), *task.examples("test")]:
        for epoch in range(30):
            *before, own = task.prompt(example, epoch=epoch).split(" ; ")
            assert all(own.removesuffix(" =>") != pair.rpartition(" => ")[0] for pair in before)


def test_a_small_pool_gives_what_it_has(tmp_path: Path) -> None:
    task = make(tmp_path, TEMPLATE.replace("few_shot: 2", "few_shot: 9"))
    first, second, *_ = task.examples("train")
    assert len(shots(task.prompt(first))) == 4
    assert len(shots(task.prompt(second))) == 3
    empty = make(tmp_path, train="")
    with pytest.raises(DataError, match="finds no example"):
        empty.prompt(first)


def test_its_form_is_the_templates(tmp_path: Path) -> None:
    form = 'few_shot: {k: 1, as: "Q: {prompt} A: {target}.", between: " // ", from: test}'
    task = make(tmp_path, TEMPLATE.replace("few_shot: 2", form))
    *_, last = task.examples("train")
    shot, own = task.prompt(last).split(" // ")
    assert shot in ("Q: mood of: rain A: sad.", "Q: mood of: wind A: glad.")
    assert own == "Q: mood of: grief {target} A:"


@pytest.mark.parametrize(
    ("few_shot", "message"),
    [
        ("few_shot: 0", "few_shot: 0 is not greater than or equal to 1"),
        ("few_shot: {k: 2, bitween: x}", "unknown key 'bitween'; did you mean 'between'?"),
        ("few_shot: {k: 2, as: '{target} {prompt}'}", "write {prompt} and then {target}"),
        ("few_shot: {k: 2, as: '{prompt} {x} {target}'}", "write {prompt} and then {target}"),
    ],
)
def test_a_wrong_form_is_told_with_its_line(tmp_path: Path, few_shot: str, message: str) -> None:
    with pytest.raises(TemplateError) as error:
        make(tmp_path, TEMPLATE.replace("few_shot: 2", few_shot))
    assert message in str(error.value)
    assert "line.yaml:6: " in str(error.value)


def test_a_run_that_trains_on_a_few_draws_from_those_alone(tmp_path: Path) -> None:
    task = make(tmp_path)
    limited = Task(task.template, limit=2)
    _, example = task.examples("test")
    drawn = {shot for epoch in range(30) for shot in shots(limited.prompt(example, epoch=epoch))}
    assert {shot.removesuffix(" => glad").removesuffix(" => sad") for shot in drawn} == {
        "mood of: sun {prompt}",
        "mood of: rain",
        "sun {prompt} ?",
        "rain ?",
    }

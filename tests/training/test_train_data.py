"""What a run trains on in an epoch: wordings encoded once each are those that encoding anew gives."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from t2t.config.run import Lengths
from t2t.config.template import read_template
from t2t.data.batch import Plan
from t2t.data.cache import encode_split
from t2t.data.counts import Counts
from t2t.data.encode import Encoded, Encoder
from t2t.engine.checkpoint import Position
from t2t.model.tokenizer import train_tokenizer
from t2t.tasks.mixture import Mixture
from t2t.tasks.task import Task
from t2t.training.epochs import data_by_epoch, in_place
from t2t.training.folder import data_lines, task_facts
from t2t.training.preparation import Prepared

TEMPLATE = """\
task: mood/line
version: 1
source: {{format: tsv, header: [mood, text], train: train.tsv}}
prompts: [{{text: "mood of: {{text}}", weight: 2}}, {{text: "{{text}} ?"}}, {{text: "which mood: {{text}}"}}]
{more}
target: {{label: [glad, sad], gold: mood}}
metrics: [accuracy]
"""
LINES = "".join(f"{'glad' if number % 2 else 'sad'}\ttext {number}\n" for number in range(40))
SEED = 3


def test_the_realised_shares_are_those_of_the_steps_that_were_taken() -> None:
    """Two steps of two tasks of which one has long examples: whole epochs are as asked for, single steps are not."""
    data = [
        [Encoded(str(n), task, *(np.full(size, 5, dtype=np.int32) for size in (4 + 60 * task, 2))) for n in range(50)]
        for task in range(2)
    ]
    mixture = Mixture([50, 50], [0.5, 0.5], SEED)
    plan = Plan(lambda epoch: data, mixture, 200, 2, 100)
    tasks = [SimpleNamespace(name=name, version=1, fingerprint="") for name in ("short", "long")]
    encoder = SimpleNamespace(counts={task.name: Counts() for task in tasks})
    prepared = Prepared(tasks, None, encoder, data, mixture)
    rows = [row for step in islice(plan.steps(0), 2) for one in step.micro_batches for row in one]
    early = task_facts(prepared, plan, Position(2, 0, 2))["long"]["realised"]
    assert early == sum(row.task_index for row in rows) / len(rows)
    drawn = mixture.epoch(0)[:, 0].sum() + sum(
        r.task_index for s in islice(plan.steps(1), 2) for u in s.micro_batches for r in u
    )
    later = task_facts(prepared, plan, Position(99, 1, 2))["long"]["realised"]
    assert later == pytest.approx(drawn / (100 + sum(plan.taken(1, 2).values())))
    assert abs(early - 0.5) > 0.1
    assert task_facts(prepared, plan, Position())["long"]["realised"] == 0


def test_a_task_that_an_epoch_hardly_takes_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    data = [[Encoded(str(n), task, *[np.full(4, 5, dtype=np.int32)] * 2) for n in range(500)] for task in range(2)]
    tasks = [SimpleNamespace(name=name) for name in ("by_size", "by_weight")]
    encoder = SimpleNamespace(counts={task.name: Counts() for task in tasks})
    for weight, told in ((1.0, True), (5.0, False), (500.0, False)):
        print("\n".join(data_lines(Prepared(tasks, None, encoder, data, Mixture([500, 500], [500.0, weight], SEED)))))
        first, second = capsys.readouterr().out.splitlines()
        assert first.endswith("%")
        assert second.endswith("an epoch takes only about 2 examples") == told


@pytest.mark.parametrize("more", ["", "few_shot: 1"], ids=["wordings alone", "exemplars too"])
def test_an_epoch_is_what_encoding_it_anew_gives(tmp_path: Path, more: str) -> None:
    path = tmp_path / "mood" / "line.yaml"
    path.parent.mkdir()
    path.write_text(TEMPLATE.format(more=more))
    (path.parent / "train.tsv").write_text(LINES)
    task, tokenizer = Task(read_template(path)), train_tokenizer(["glad or sad mood of text ?"] * 20, 600)
    encoder = Encoder(tokenizer, 64, 16)
    rows = encode_split(encoder, task, "train")
    prepared = Prepared(
        [task], tokenizer, encoder, [rows], Mixture([len(rows)], [1.0], SEED), Lengths(prompt=64, target=16), SEED
    )
    data = data_by_epoch(prepared)
    seen = set()
    for epoch in range(3):
        wanted = encode_split(Encoder(tokenizer, 64, 16), task, "train", seed=SEED, epoch=epoch)
        found = data(epoch)[0]
        assert [row.id for row in found] == [row.id for row in wanted]
        assert [row.input_ids.tolist() for row in found] == [row.input_ids.tolist() for row in wanted]
        assert [row.labels.tolist() for row in found] == [row.labels.tolist() for row in wanted]
        seen.add(str([row.input_ids.tolist() for row in found]))
    assert len(seen) == 3
    assert len(task.in_each_wording()) == (0 if more else 3)


def test_a_wording_that_does_not_fit_gives_place_to_the_first() -> None:
    def rows(*named: tuple[str, int]) -> list[Encoded]:
        return [Encoded(name, 0, np.array([number]), np.array([1])) for name, number in named]

    first, other = rows(("a", 1), ("b", 2), ("a", 3), ("c", 4)), rows(("a", 11), ("a", 13), ("d", 15), ("c", 14))
    assert [row.input_ids.tolist() for row in in_place(first, other)] == [[11], [2], [13], [14]]


def test_the_longest_answers_that_a_task_had_stay_allowed_when_its_new_data_are_short() -> None:
    tasks = [SimpleNamespace(name=name) for name in ("again", "earlier", "unmeasured")]
    new = Prepared([], None, None, [], None, target_tokens={"again": 3, "new": 5})
    assert new.knowing(tasks, {"again": 40, "earlier": 7, "gone": 9}).target_tokens == {
        "again": 40, "earlier": 7, "new": 5
    }  # fmt: skip
    assert new.knowing(tasks, {"again": 2}).target_tokens == {"again": 3, "new": 5}

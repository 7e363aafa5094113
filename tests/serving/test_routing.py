"""Who is asked for a task, and whose output stands where several are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from t2t.errors import InputError
from t2t.generation.generator import Decoding, Generator, Output, Request
from t2t.model.peft.routes import Routes, read_routes, write_routes
from t2t.serving.model_calibration import Calibration
from t2t.serving.routing import BestOf, Routed, together

TASKS = {"01-a": ("x", "y"), "02-b": ("z",), "03-c": ("y",)}


class Saying(Generator):
    """Says the same to each request, as sure as it is reported."""

    def __init__(self, *said: tuple[str, float, bool]) -> None:
        super().__init__(cast(Any, None), cast(Any, None))
        self.said = said

    def generate(
        self, requests: Sequence[Request], decoding: Decoding, advance: Any = lambda done: None
    ) -> list[Output]:
        advance(len(requests))
        return [Output(one.id, (5, 1), *rest) for one, rest in zip(requests, self.said, strict=True)]


def test_an_adapter_answers_its_tasks_or_all_do_where_one_knows_the_task(tmp_path: Path) -> None:
    by_task, by_score = Routes("task", TASKS), Routes("score", TASKS)
    assert [by_task.of(task) for task in "xyzw"] == [("01-a",), ("01-a", "03-c"), ("02-b",), ()]
    assert [by_score.of(task) for task in "xyzw"] == [tuple(TASKS)] * 3 + [()]
    write_routes(tmp_path, by_score)
    assert read_routes(tmp_path) == by_score
    assert read_routes(tmp_path / "none") is None


def test_the_surest_whole_output_stands_and_of_equal_ones_the_first() -> None:
    one = Saying(("a", -0.5, False), ("b", -0.1, True), ("c", -0.2, False))
    two = Saying(("d", -0.4, False), ("e", -0.9, False), ("f", -0.2, False))
    done: list[int] = []
    requests = [Request(name, (3, 1)) for name in "123"]
    found = BestOf([one, two]).generate(requests, Decoding(4), done.append)
    assert [output.text for output in found] == ["d", "e", "c"]
    assert [output.id for output in found] == ["1", "2", "3"]
    assert done == [3]
    assert together([two]) is two


def test_the_newest_adapter_that_knows_a_task_says_how_sure_it_may_be() -> None:
    base = (Saying(), Calibration(1.0))
    adapters = {
        name: (Saying(), Calibration(temperature)) for name, temperature in zip(TASKS, (2.0, 3.0, 4.0), strict=True)
    }
    for by, of_x in (("task", 2.0), ("score", 2.0)):
        answering = Routed(base, adapters, Routes(cast(Any, by), TASKS))
        assert [answering.of(task)[1].temperature for task in "xyzw"] == [of_x, 4.0, 3.0, 1.0]
    assert Routed(base, {}, None).of("x") == base


@pytest.mark.parametrize("text", ["[]", "{", '{"by": "task", "tasks": {}}', '{"by": "task", "tasks": {"../../x": []}}'])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "adapters.json").write_text(text)
    with pytest.raises(InputError, match="it says of no adapters what they answer"):
        read_routes(tmp_path)

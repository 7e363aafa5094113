"""The tasks of a run."""

from pathlib import Path

import pytest

from t2t.config.run import load_run
from t2t.errors import RunFileError
from t2t.runs.run_tasks import answering_tasks


def test_a_task_under_two_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "run: twice\ntasks:\n  - atlas/topic_en\n  - task_templates/atlas/topic_en.yaml\n"
        "model: {from: x}\nschedule: {steps: 1}\n"
    )
    run = load_run(path, [])
    with pytest.raises(RunFileError, match=r"run\.yaml:4: the task 'atlas/topic_en' stands twice"):
        answering_tasks(run.tasks, run.where)


def test_tasks_know_how_many_examples_the_run_trains_on(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "run: x\ntasks: [{task: atlas/topic_en, limit: 7}, atlas/ner_zh]\nmodel: {from: x}\nschedule: {steps: 1}\n"
    )
    run = load_run(path, [])
    assert [task.limit for task in answering_tasks(run.tasks, run.where)] == [7, None]

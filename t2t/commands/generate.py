"""Generate: a trained model's outputs for the examples of tasks, one line an input, written before any scoring."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from t2t.config.run import GenerateSettings, Lengths, RunConfig
from t2t.data.encode import Encoder
from t2t.errors import RunFileError
from t2t.generation.generator import Decoding
from t2t.json_lines import json_line
from t2t.linear.parsed import to_json
from t2t.runs.prediction_lines import parse_line
from t2t.runs.rejects import set_aside
from t2t.runs.run_files import prediction_file, prediction_name
from t2t.runs.run_tasks import answering_tasks
from t2t.serving.answers import Answered, answer
from t2t.serving.model_calibration import Calibration
from t2t.serving.routing import load_answering
from t2t.structures import Json
from t2t.tasks.task import Task
from t2t.whole_files import whole_file

_SHOWN_EVERY = 500  # examples


def generate(
    run_dir: str | Path,
    tasks: Sequence[Task],
    settings: GenerateSettings = GenerateSettings(),  # noqa: B008 (frozen)
    lengths: Lengths = Lengths(),  # noqa: B008
    *,
    device: str | None = None,
    out: str | Path | None = None,
) -> dict[str, int]:
    """Write the predictions of the model in ``run_dir`` (or of a model directory) and count the lines of each file.

    Every task is read in those of ``settings.splits`` that it has, and answered, where adapters are in the folder, by
    those that know it (see Routes). The files are in ``out`` (default: run_dir) as ``prediction_file`` names them; a
    file appears when it is complete. Lines of outputs that were decoded again under
    the grammar of the target say ``constrained``, all how sure the model is (``confidence``, by the calibration of its
    folder). ``device``: by default the GPU if one is to be used (see ``has_gpu``), else the CPU. The counts are named
    TASK, or TASK@SPLIT for other splits than test. An example whose prompt does not fit with nothing left to shorten is
    a bad record.

    Raises:
        DataError: a bad record, where the template does not skip them.
        InputError: a model that cannot be used.
        RunDirectoryError: there is no model.
        RunFileError: a task has none of the splits.
    """
    directory = Path(run_dir)
    wanted = _wanted(tasks, settings.splits)
    answering = load_answering(directory, device, settings.precision, settings.engines)
    settings = replace(settings, items=False)  # those of records alone are reported
    counts: dict[str, int] = {}
    for task, split in wanted:
        name = prediction_name(task.name, split)
        generator, known = answering.of(task.name)
        encoder = Encoder(generator.tokenizer, lengths.prompt, lengths.target)
        decoding = Decoding.of(settings, lengths.target, known.target_tokens.get(task.name))
        root = Path(out or directory)
        with (
            set_aside(root, task, split) as bad,
            whole_file(prediction_file(root, task.name, split)) as file,
            tqdm(desc=f"generate {name}", unit=" inputs") as bar,
        ):
            examples = islice(task.examples(split, bad), settings.limit)
            decode = partial(generator.generate, decoding=decoding, advance=bar.update)
            constrain = settings.constrain and task.constrainable
            answered = answer(task, examples, encoder, decode, constrain, bad, settings.ranks)
            counts[name] = _write_split(file, task, answered, known.calibration, constrain, bar)
    return counts


def generate_run(run: RunConfig, types: str | None = None) -> dict[str, int]:
    """``generate`` as a run file asks for: its tasks but for token tasks, splits and limits, into its directory.

    ``types``: a user's own types, separated by commas, which all tasks are asked for. The predictions then are in
    ``types/TYPES/`` of that directory, since they are not what the gold is about.
    """
    tasks = answering_tasks(run.tasks, run.where)
    words = [word.strip() for word in types.split(",") if word.strip()] if types is not None else []
    folder = "-".join(re.sub(r"[^\w]+", "_", word) for word in words)
    return generate(
        run.directory,
        tasks if types is None else [task.with_types(words) for task in tasks],
        run.generate,
        run.lengths,
        out=None if types is None else run.directory / "types" / folder,
    )


def _wanted(tasks: Sequence[Task], splits: Sequence[str]) -> list[tuple[Task, str]]:
    """The splits that each task has, of those that are asked for; a task that has none is passed over with a line.

    RunFileError where no task has one.
    """
    found = [(task, split) for task in tasks for split in splits if split in task.splits()]
    without = [task for task in tasks if task not in {one for one, _ in found}]
    if not found:
        has = sorted({split for task in tasks for split in task.splits()})
        names = ", ".join(task.name for task in without)
        raise RunFileError("generate: splits", f"{names} has none of {list(splits)}", f"use one of: {', '.join(has)}")
    for task in without:
        print(f"{task.name} has none of the splits {', '.join(splits)}: passed over", flush=True)
    return found


def _write_split(
    file: TextIO,
    task: Task,
    answered: Iterator[Answered],
    calibration: Calibration,
    constrain: bool,
    bar: tqdm[object],
) -> int:
    written = read = again = 0
    for one in answered:
        file.write(_line(task, one, calibration))
        again += sum(output.constrained for output in one.outputs)
        read += len(one.outputs)
        written += 1
        if constrain and written % _SHOWN_EVERY == 0:
            bar.set_postfix(constrained=f"{again / read:.1%}")
    if constrain and read:
        bar.set_postfix(constrained=f"{again / read:.1%}")
    return written


def _line(task: Task, answered: Answered, calibration: Calibration) -> str:
    """The line of an example with its prompt and output, or those of its windows; of several samples the first, and
    under ``samples`` all."""
    said = _prediction_line(task, answered, calibration)
    samples = [_prediction_line(task, one, calibration) for one in answered.samples]
    head = {"id": answered.example.id, "task": task.name, "prompt": answered.prompts[0]}
    return json_line({**head, **said, **({"samples": samples} if samples else {})})


def _prediction_line(task: Task, answered: Answered, calibration: Calibration) -> dict[str, Json]:
    """What a line says of an output.

    Of several windows it has all texts one under the other, the mean score, and ``windows``, which decide what the line
    says.
    """
    answer: dict[str, Json] = {"text": answered.text}
    if len(answered.outputs) > 1:
        answer["windows"] = [{"id": one.id, "text": one.text, "score": one.score} for one in answered.outputs]
    parsed = parse_line(task, answer, answered.example)
    issues = (*parsed.issues, *answered.issues())
    return {
        **answer,
        "value": to_json(parsed.value),
        "issues": [{"kind": issue.kind, "path": issue.path, "text": issue.text} for issue in issues],
        "score": answered.score,
        "confidence": calibration.confidence(task.name, answered.total),
        **({"constrained": True} if answered.constrained else {}),
    }
